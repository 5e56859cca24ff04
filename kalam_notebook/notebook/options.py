"""What stands on a magic's line: options and a variable. Pure; the magics call it.

``%%kalam [name <<] [options]`` and ``%kalam command [arguments] [options]``. The line is read as it was written:
IPython puts nothing into it. The cell's body is SQL and is not looked at here.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields

from kalam_notebook.client.reading import DEFAULT_MAX_ROWS, Engine
from kalam_notebook.errors import ConfigError
from kalam_notebook.notebook.values import Values, nearest, read_values

__all__ = [
    "CELL_OPTIONS", "CHOICES", "COMMANDS", "CONNECT_OPTIONS", "FLAGS", "CellOptions", "Command", "ConnectOptions",
    "help_text", "parse_cell_line", "parse_connect_line", "parse_upload_line", "split_line", "unpasted",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class CellOptions:
    """Options of ``%%kalam``.

    Attributes:
        variable: Name that gets the result, or None.
        live: Show a table that follows the server.
        params: The values for ``$1 …`` or ``$name``, or the variables that hold them; None for none.
        namespace: Namespace of table names that have none, or None.
        format: What the variable gets: ``pandas``, ``arrow`` or ``polars``.
        allow_unsafe: Send statements that the server carries out otherwise than they are written.
        max_rows: Rows after which reading stops; None for all.
        engine: ``server``, or ``local`` to run the query in this process.
        strict: Raise unless the result is complete.
        progress: Show how far a long reading is.
        timeout: Seconds for all requests of the cell together; None for those of the connection.
        file: A file that holds the SQL; None for the cell itself.
        explain: Show how the server would run the query.
        connection: Name of the connection; None for the one in use.
        as_user: User as whom each statement runs; None for that of the connection.
        browse: Show all rows in the page.
        template: Paste what variables hold in the place of ``{{name}}``.
        key: Columns that tell the rows of a live table apart; empty to find them.
        last: Rows that a live table keeps; None for all.
        seconds: How long a live table is followed; None until somebody ends it.
        changes: Show in the end what changed in a live table.
        count: Changes after which a live table is followed no longer; None for any number.
        where: Condition of the rows of a live table; None for all.
        chart: Columns of a live chart, x first; empty for a table.
    """

    variable: str | None = None
    live: bool = False
    params: Values | None = None
    namespace: str | None = None
    format: str = "pandas"
    allow_unsafe: bool = False
    max_rows: int | None = DEFAULT_MAX_ROWS
    engine: Engine = "server"
    strict: bool = False
    progress: bool = True
    timeout: float | None = None
    file: str | None = None
    explain: bool = False
    connection: str | None = None
    as_user: str | None = None
    browse: bool = False
    template: bool = False
    key: tuple[str, ...] = ()
    last: int | None = None
    seconds: float | None = None
    changes: bool = False
    count: int | None = None
    where: str | None = None
    chart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """Options of ``%kalam connect``. A password is never written on the line: notebooks are shared.

    Attributes:
        url: Server URL or ``sandbox``; None looks in the environment and the saved logins.
        user: User id, or None.
        profile: Name of a saved login, or None.
        namespace: Namespace of table names that have none, or None.
        name: Name of the connection, or None.
        save: Save the login for the next time.
    """

    url: str | None = None
    user: str | None = None
    profile: str | None = None
    namespace: str | None = None
    name: str | None = None
    save: bool = False


#: Options of ``%%kalam`` and of ``%kalam connect``, and what they are for.
CELL_OPTIONS = {
    "--live": "show a table that follows the server",
    "--chart": "with --live: draw columns in the place of the table: at,load, x first",
    "--key": "with --live: the columns that tell its rows apart, as id or region,day",
    "--last": "with --live: rows to keep, those with the newest changes",
    "--where": "with --live: only rows for which this condition holds",
    "--for": "with --live: how long to follow it, as 60, 90s or 5m; its last rows stay in the notebook",
    "--changes": "with --live: show in the end what changed, a row for each; with a number: until there are so many",
    "--params": "values for $1 … or $name: JSON such as [\"open\", 3], {\"room\": \"general\"}, or names of variables",
    "--namespace": "namespace of table names that have none",
    "--format": "what the variable gets: pandas (default), arrow or polars",
    "--limit": "rows after which reading stops, or all (default 1000000); also --max-rows",
    "--connection": "name of the connection to use for this cell",
    "--as": "user as whom the server runs each statement",
    "--browse": "show all rows in the page, to be sorted, searched and filtered",
    "--timeout": "seconds for the whole cell, in the place of the connection's",
    "--file": "a file that holds the SQL, in the place of the cell",
    "--explain": "show how the server would run the query",
    "--engine": "server (default), or local to copy the tables and run the query here",
    "--strict": "an error instead of a warning unless the result is complete",
    "--no-progress": "do not show how far something long is",
    "--allow-unsafe": "send statements that the server carries out otherwise than they are written",
    "--template": "paste variables in the place of {{name}}, as they are; $name sends them as values",
}  # fmt: skip
CONNECT_OPTIONS = {
    "--user": "user id; its password is asked for",
    "--profile": "login saved by the KalamDB CLI; its name alone does the same",
    "--name": "name by which %kalam use and --connection come back to it",
    "--namespace": "namespace of table names that have none",
    "--save": "save the login where the KalamDB CLI keeps its own, under the name of the connection",
}
#: Options without a value, and the values that others choose from.
FLAGS = {
    "--allow-unsafe", "--browse", "--changes", "--explain", "--live", "--no-progress", "--replace", "--save",
    "--strict", "--template",
}  # fmt: skip
#: Flags that may have a number behind them.
_COUNTED = {"--changes"}
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600}
CHOICES = {"--format": ("pandas", "arrow", "polars"), "--engine": ("server", "local"), "--limit": ("all",)}
#: Options that only a live table has, and those that it has not.
_OF_LIVE = {"--chart", "--key", "--last", "--where", "--for", "--changes"}
_NOT_LIVE = {"--format", "--limit", "--as", "--browse", "--explain", "--engine", "--strict"}
#: Other names of options.
_SYNONYMS = {"--max-rows": "--limit"}
_VARIABLE = re.compile(r"([^\W\d]\w*)\s*=?\s*<<")
#: How a line of ``%kalam`` begins that has options or a variable before its query.
_BEFORE_QUERY = re.compile(f"--|{_VARIABLE.pattern}")


@dataclass(frozen=True, slots=True)
class Command:
    """A command of ``%kalam``.

    Attributes:
        help: What it is for.
        arguments: How they are written.
        takes: What an argument is: ``login``, ``url``, ``namespace``, ``table``, ``connection``, ``live``,
            ``variable``, ``command``, ``sql`` or empty.
        most_words: Words that may stand behind it; None where it reads them itself.
        options: Its options, and what they are for.
    """

    help: str
    arguments: str = ""
    takes: str = ""
    most_words: int | None = 0
    options: Mapping[str, str] = field(default_factory=dict)


_ALL = {"--all": "all of them"}
COMMANDS = {
    "connect": Command(
        "connect, and use this from now on", "[URL | sandbox | LOGIN] [options]", "login", None, CONNECT_OPTIONS
    ),
    "setup": Command("set up a new server: asks for the passwords, and connects", "[URL]", "url", 1),
    "connections": Command("the connections that there are"),
    "use": Command("use another connection from now on", "NAME", "connection", 1),
    "status": Command("the connection in use"),
    "doctor": Command("look at the installation and the connection, and tell what to do"),
    "close": Command("close the connections"),
    "namespaces": Command("the server's namespaces"),
    "tables": Command("tables, of all namespaces or one", "[NAMESPACE]", "namespace", 1),
    "describe": Command("a table's columns, types and key, its kind, options and number of rows", "TABLE", "table", 1),
    "show": Command("show all rows of a table, to be sorted, searched and filtered", "TABLE", "table", 1),
    "explain": Command("how the server would run a query", "SELECT …", "sql", None),
    "history": Command("what the magics ran, how long it took, and how it ended"),
    "log": Command("what was sent to the server and logged lately, without values and passwords"),
    "live": Command("the live tables that there are"),
    "stop": Command("end a live table", "[NAME | --all]", "live", 1, _ALL),
    "freeze": Command(
        "turn what cells show of a live table into static html, and let it go on", "[NAME | --all]", "live", 1, _ALL
    ),
    "export": Command(
        "write rows into a file", "FILE [VARIABLE | SELECT …] [--overwrite]", "", None,
        {"--overwrite": "also where the file exists"},
    ),
    "upload": Command(
        "send files into the rows of a table", "FILE|FOLDER … TABLE [--column NAME] [--replace]", "table", None,
        {"--column": "the FILE column, where the table has several", "--replace": "also where a row has another file"},
    ),
    "download": Command("fetch the files of a column", "VARIABLE COLUMN [FOLDER]", "variable", 3),
    "help": Command("how the magics, or one command, are used", "[COMMAND]", "command", 1),
}  # fmt: skip


def help_text(command: str = "") -> str:
    """How the magics are used, or one command."""
    lines = []
    for name, one in COMMANDS.items():
        if command in {"", name}:
            lines.append(f"{f'%kalam {name} {one.arguments}'.rstrip():44} {one.help}")
            lines += [f"    {option:16} {text}" for option, text in one.options.items() if command or name == "connect"]
    if command:
        return "\n".join(lines)
    lines += ["", "%kalam SELECT …", "%%kalam [variable <<] [options]", "SELECT …"]
    lines += [f"    {name:16} {text}" for name, text in CELL_OPTIONS.items()]
    return "\n".join(lines)


def split_line(line: str, statements: Collection[str]) -> tuple[str, str] | None:
    """Split a line of ``%kalam`` into what may stand on the line of a cell, and the query behind it.

    Args:
        line: What follows the magic's name.
        statements: The words that a query begins with, in capitals.

    Returns:
        Both, with an empty query where a file holds it; None where neither options nor a variable stand there.

    Raises:
        ConfigError: An unknown option, or a missing value.
    """
    if not _BEFORE_QUERY.match(line) and "--file" not in line:
        return None
    *_, query = _scan(line, "%kalam", CELL_OPTIONS, until=statements)
    return line.strip().removesuffix(query), query


def parse_cell_line(line: str) -> CellOptions:
    """Read the line of ``%%kalam``.

    Raises:
        ConfigError: An unknown option, a missing value, or something that is neither option nor variable.
    """
    words, given, params, _ = _scan(line, "%%kalam", CELL_OPTIONS)
    named = _VARIABLE.fullmatch(" ".join(words))
    variable = named[1] if named and not keyword.iskeyword(named[1]) else None
    if words and variable is None:
        raise ConfigError(
            f"%%kalam does not understand {words[0]!r} on its line.\n"
            "A variable is written: %%kalam name <<. SQL begins on the next line."
        )
    _check_live(given)
    chosen = given.get("--format", "pandas")
    if chosen not in CHOICES["--format"]:
        raise ConfigError(f"--format is pandas, arrow or polars, not {chosen!r}.")
    return CellOptions(
        variable,
        "--live" in given,
        params,
        given.get("--namespace"),
        chosen,
        "--allow-unsafe" in given,
        _max_rows(given.get("--limit", str(DEFAULT_MAX_ROWS))),
        _engine(given.get("--engine", "server")),
        "--strict" in given,
        "--no-progress" not in given,
        _seconds("--timeout", given),
        given.get("--file"),
        "--explain" in given,
        given.get("--connection"),
        as_user=given.get("--as"),
        browse="--browse" in given,
        template="--template" in given,
        key=tuple(name.strip() for name in given["--key"].split(",")) if "--key" in given else (),
        last=_rows("--last", given["--last"]) if "--last" in given else None,
        seconds=_seconds("--for", given),
        changes="--changes" in given,
        count=_rows("--changes", given["--changes"]) if given.get("--changes") else None,
        where=given.get("--where"),
        chart=_chart(given),
    )


def _chart(given: Mapping[str, str]) -> tuple[str, ...]:
    if "--chart" not in given:
        return ()
    names = tuple(name.strip() for name in given["--chart"].split(","))
    if len(names) < 2 or not all(names):
        raise ConfigError(f"--chart names columns, x first, as in --chart at,load; not {given['--chart']!r}.")
    return names


def _check_live(given: Mapping[str, str]) -> None:
    """See that all options belong to what the cell shows."""
    if "--live" not in given:
        for name in _OF_LIVE & given.keys():
            raise ConfigError(f"{name} belongs to a live table: write --live {name}.")
        return
    for name in _NOT_LIVE & given.keys():
        instead = " --last keeps the rows with the newest changes." if name == "--limit" else ""
        raise ConfigError(f"A live table has no {name}.{instead} Take it away, or --live.")
    if given.get("--changes") == "" and "--for" not in given:
        raise ConfigError(
            "--changes shows what changed in a while: write --for 60, for a minute, or --changes 10, for ten of them."
        )


def _seconds(option: str, given: Mapping[str, str]) -> float | None:
    text = given.get(option)
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if found is None or not float(found[1]):
        raise ConfigError(f"{option} is a number of seconds above 0, or as 90s, 5m or 2h; not {text!r}.")
    return float(found[1]) * _UNITS[found[2]]


def _max_rows(text: str) -> int | None:
    return None if text == "all" else _rows("--limit", text, "a number of rows, or all")


def _rows(option: str, text: str, what: str = "a number of rows") -> int:
    digits = text.replace("_", "").replace(",", "")
    if not digits.isdecimal():
        raise ConfigError(f"{option} is {what}; not {text!r}.")
    return int(digits)


def _engine(text: str) -> Engine:
    if text == "server":
        return "server"
    if text == "local":
        return "local"
    raise ConfigError(f"--engine is server or local, not {text!r}.")


def parse_connect_line(line: str) -> ConnectOptions:
    """Read what follows ``%kalam connect``.

    Raises:
        ConfigError: An unknown option, a missing value, or more than one URL.
    """
    words, given, _, _ = _scan(line, "%kalam connect", CONNECT_OPTIONS)
    if len(words) > 1:
        raise ConfigError(f"%kalam connect takes one URL, and got {len(words)}: {', '.join(words)}.")
    texts = {field.name: given.get(f"--{field.name}") for field in fields(ConnectOptions) if field.name != "save"}
    return ConnectOptions(**{**texts, "url": words[0] if words else None}, save="--save" in given)


def parse_upload_line(line: str) -> tuple[list[str], str, str | None, bool]:
    """Read what follows ``%kalam upload``: the files, the table, the column or None, and whether files are replaced.

    Raises:
        ConfigError: An unknown option, or no files or no table.
    """
    words, given, _, _ = _scan(line, "%kalam upload", COMMANDS["upload"].options)
    if len(words) < 2:
        raise ConfigError("%kalam upload takes files and a table: %kalam upload photos/ app.photos")
    return words[:-1], words[-1], given.get("--column"), "--replace" in given


def _scan(
    line: str, magic: str, known: Mapping[str, str], *, until: Collection[str] = ()
) -> tuple[list[str], dict[str, str], Values | None, str]:
    """Split a line into plain words, options with their values, the values of ``--params``, and what is left.

    Nothing is left but what begins with one of the words of ``until``, where that is not the value of an option.
    """
    words: list[str] = []
    given: dict[str, str] = {}
    params: Values | None = None
    rest = line.strip()
    while rest:
        option = re.match(r"(--[^\s=]*)(\s*=?\s*)", rest)
        if option is None:
            if re.split(r"\W", rest, maxsplit=1)[0].upper() in until:
                break
            word, rest = _next_word(rest)
            words.append(unpasted(word))
            continue

        name, rest = _SYNONYMS.get(option[1], option[1]), rest[option.end() :]
        if name not in known:
            raise ConfigError(_unknown(name, magic, known))
        number = re.match(r"[\d_,]+(?!\S)", rest) if name in _COUNTED else None
        if number is not None:
            given[name], rest = number.group(), rest[number.end() :].lstrip()
        elif name in FLAGS:
            if "=" in option[2]:
                raise ConfigError(f"{magic} {name} takes {'a number' if name in _COUNTED else 'no value'}.")
            given[name] = ""
        elif not rest or rest.startswith("--"):
            raise ConfigError(f"{magic} {name} needs a value: {known[name]}.")
        elif name == "--params":
            params, rest = read_values(rest)
        else:
            value, rest = _next_value(rest)
            given[name] = unpasted(value)

    return words, given, params, rest


def _unknown(name: str, magic: str, known: Mapping[str, str]) -> str:
    if name == "--password":
        return (
            "A password does not belong on a magic's line: notebooks are shared.\n"
            "Leave it out to be asked for it, or set KALAMDB_ROOT_PASSWORD."
        )
    return f"{magic} has no option {name}.{nearest(name, known)} Options: {', '.join(known)}."


def _next_word(text: str) -> tuple[str, str]:
    """A word; ``<<`` is one by itself, also right behind another."""
    match = re.match(r"<<|(?:(?!<<)\S)+", text)
    assert match is not None
    return match.group(), text[match.end() :].lstrip()


def _next_value(text: str) -> tuple[str, str]:
    """A value: quoted text, or what stands up to the next blank."""
    match = re.match(r"""'([^']*)'|"([^"]*)"|\S+""", text)
    assert match is not None
    value = next((part for part in match.groups() if part is not None), match.group())
    return value, text[match.end() :].lstrip()


def unpasted(text: str) -> str:
    """The text itself.

    Raises:
        ConfigError: It is meant for IPython's pasting.
    """
    if re.fullmatch(r"\$\w+|\{.*\}", text):
        raise ConfigError(
            f"{text} is not pasted here: what a variable holds could be read as options.\n"
            "Write it out, or do it in Python, with the variable."
        )
    return text
