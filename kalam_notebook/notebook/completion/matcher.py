"""IPython's side of completion: ``%%kalam`` cells and ``%kalam`` lines, in a terminal, JupyterLab and Notebook."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import re
import uuid
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from kalam_notebook.client import default
from kalam_notebook.errors import ConfigError
from kalam_notebook.notebook.completion.candidates import Candidate, Offer, columns_of, sql_offer
from kalam_notebook.notebook.completion.line import LineNames, line_offer, path_offer
from kalam_notebook.notebook.completion.schema import Schemas
from kalam_notebook.notebook.completion.words import FIRST_WORDS
from kalam_notebook.notebook.options import CELL_OPTIONS, COMMANDS, split_line
from kalam_notebook.notebook.session import live_variables
from kalam_notebook.settings import logins_path, read_saved_logins

__all__ = ["register_completion", "unregister_completion"]

_IDENTIFIER = "kalam_notebook"

_MAGIC_LINE = re.compile(r"\s*(?:[^\W\d]\w*\s*=\s*)?%kalam\s+")
_NAMED = re.compile(r"""--(namespace|connection)(?:\s*=\s*|\s+)(?:"([^"]*)"|'([^']*)'|([^\s"']\S*))""")
#: Values that can be sent as they are; of variables that hold others the names are not offered.
_PLAIN = (str, int, float, type(None), decimal.Decimal, dt.date, dt.time, uuid.UUID, list, tuple)


_LAST_WORD = re.compile(r"\S*$")
_QUOTES = "\"'"
_FILE = re.compile(r"--file(?:\s*=\s*|\s+)(\S*)$")
_WHERE = re.compile(r"""--where(?:\s*=\s*|\s+)("[^"]*|'[^']*|[^\s"']\S*|)$""")


class _Silence(list[SimpleCompletion]):
    """No completions, and yet none of another matcher: IPython keeps others out only where there is something."""

    def __len__(self) -> int:
        return 1


def register_completion(shell: Any, schemas: Schemas) -> None:  # noqa: ANN401 - IPython's shell has no types.
    """Have a shell complete SQL in the magics.

    Nothing is sent and nothing waited for: what the server has was read in the background.

    Args:
        shell: IPython's shell, whose variables can stand behind ``$``.
        schemas: What is known of the connections' servers.
    """

    @context_matcher(identifier=_IDENTIFIER, priority=1_000)  # type: ignore[untyped-decorator]
    def match(context: CompletionContext) -> dict[str, Any]:
        """Complete SQL and the lines of the magics; say nothing about Python."""
        offer = _Typing(shell, schemas).offer(context.full_text, context.cursor_line, context.cursor_position)
        if offer is None:
            return {"completions": [], "suppress": False}
        found = [SimpleCompletion(text=one.text, type=one.kind) for one in offer.candidates]
        return {
            "completions": found or _Silence(),
            "matched_fragment": offer.fragment,
            "ordered": True,
            "suppress": True,
        }

    shell.Completer.custom_matchers.append(match)


def unregister_completion(shell: Any) -> None:  # noqa: ANN401
    """Take it out of the shell again."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [matcher for matcher in matchers if getattr(matcher, "matcher_identifier", "") != _IDENTIFIER]


def _takes_path(command: str, word: int) -> bool:
    """Whether a word of a command, counted from 1, is a file or folder."""
    return command == "upload" or (command, word) in {("export", 1), ("download", 3)}


def _saved_logins() -> list[str]:
    """The names of the logins that the CLI has saved, from its small file; none where it cannot be read."""
    with suppress(ConfigError):
        return sorted(read_saved_logins(logins_path(os.environ)))
    return []


def _query_of(line: str) -> str:
    """The query behind the options of a line; nothing while the options are not whole."""
    with suppress(ConfigError):
        _, sql = split_line(line, FIRST_WORDS) or ("", "")
        return sql
    return ""


class _Typing:
    """What the magics offer to whoever types, with the connection and the variables of now."""

    def __init__(self, shell: Any, schemas: Schemas) -> None:  # noqa: ANN401
        self._client = default.existing()
        self._namespace = self._client.namespace if self._client is not None else None
        self._schemas = schemas
        self._shell = shell

    def offer(self, text: str, number: int, column: int) -> Offer | None:
        """What fits behind a column of a line; None where that is Python."""
        lines = text.split("\n")
        first = next((index for index, line in enumerate(lines) if line.strip()), 0)
        before = lines[number][:column]
        if not re.match(r"%%kalam(?:\s|$)", lines[first]):
            magic = _MAGIC_LINE.match(before)
            return self._command(lines[number][magic.end() :], column - magic.end()) if magic else None
        self._read_options(lines[first])
        if number > first:
            cursor = sum(len(line) + 1 for line in lines[first + 1 : number]) + column
            return self._sql("\n".join(lines[first + 1 :]), cursor)
        rest = before[len("%%kalam") :]
        return self._cell_line(rest, "\n".join(lines[first + 1 :])) if number == first and rest else None

    def _read_options(self, line: str) -> None:
        """Take the connection and the namespace that a magic's line names for its SQL."""
        given = {name: next(filter(None, values), "") for name, *values in _NAMED.findall(line)}
        if "connection" in given:
            self._client = default.connections().get(given["connection"])
            self._namespace = self._client.namespace if self._client is not None else None
        self._namespace = given.get("namespace", self._namespace)

    def _command(self, line: str, column: int) -> Offer | None:
        """What fits on the line of ``%kalam``: a command and what it takes, options of a cell, or SQL."""
        if line.startswith("--"):
            self._read_options(line)
            sql = _query_of(line)
            begin = len(line.rstrip()) - len(sql)
            if sql and column > begin:
                return self._sql(line[begin:], column - begin)
            return self._cell_line(line[:column], sql)
        name, blank, rest = line[:column].partition(" ")
        if not blank:
            words = [Candidate(word, "command") for word in COMMANDS]
            offered = self._sql(line, column).candidates
            return Offer(name, (*(word for word in words if word.text.startswith(name)), *offered))
        if name not in COMMANDS or COMMANDS[name].takes == "sql":
            return self._sql(line, column)
        fragment = _LAST_WORD.findall(rest)[0]
        place = len(rest.split()) + (not fragment)
        if (name, place) == ("download", 2):
            columns = self._columns_in(rest.split()[0])
            return Offer(fragment, tuple(column for column in columns if column.text.startswith(fragment)))
        named = self._words(COMMANDS[name].takes)
        if fragment.startswith("--") or not _takes_path(name, place):
            return self._line(rest, COMMANDS[name].options, named)
        files = path_offer(fragment).candidates
        others = (Candidate(text, kind) for kind, text in named if text.startswith(fragment))
        return Offer(fragment, (*files, *others))

    def _cell_line(self, line: str, sql: str) -> Offer:
        """What fits on the line above a cell's SQL."""
        if path := _FILE.search(line):
            return path_offer(path[1])
        if condition := _WHERE.search(line):
            text = f"{sql.strip().rstrip(';')}\nWHERE {condition[1].lstrip(_QUOTES)}"
            return self._sql(text, len(text))
        columns = list(columns_of(sql, self._schemas.of(self._client), self._namespace))
        return self._line(line, CELL_OPTIONS, more={"--key": columns, "--chart": columns})

    def _words(self, kind: str) -> list[tuple[str, str]]:
        """What a command's argument is chosen from."""
        schema = self._schemas.of(self._client)
        names: dict[str, Iterable[str]] = {
            "namespace": sorted(schema.namespaces),
            "table": (f"{space}.{table}" for space, table in schema.tables),
            "connection": default.connections(),
            "live": live_variables(self._shell.user_ns),
            "command": COMMANDS,
            "variable": self._frames(),
            "login": ["sandbox", *_saved_logins()],
        }
        return [(kind, name) for name in names.get(kind, ())]

    def _sql(self, text: str, cursor: int) -> Offer:
        return sql_offer(text, cursor, self._schemas.of(self._client), self._namespace, self._variables())

    def _line(
        self,
        line: str,
        options: Mapping[str, str],
        words: Collection[tuple[str, str]] = (),
        more: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> Offer:
        return line_offer(line, LineNames(options, {**self._named(), **more}, words))

    def _named(self) -> dict[str, Collection[str]]:
        """What options that take a name are chosen from."""
        return {
            "--namespace": sorted(self._schemas.of(self._client).namespaces),
            "--connection": default.connections(),
            "--params": self._variables(),
            "--profile": _saved_logins(),
        }

    def _frames(self) -> list[str]:
        return [name for name, value in list(self._shell.user_ns.items()) if hasattr(value, "__arrow_c_stream__")]

    def _columns_in(self, variable: str) -> list[Candidate]:
        """The columns of a frame, an Arrow table or a result that a variable holds."""
        value = self._shell.user_ns.get(variable)
        columns = getattr(value, "column_names", getattr(value, "columns", ()))
        return [Candidate(str(getattr(column, "name", column)), "column") for column in columns]

    def _variables(self) -> list[str]:
        shell = self._shell
        hidden = shell.user_ns_hidden
        held = list(shell.user_ns.items())
        return [name for name, value in held if name[:1] != "_" and name not in hidden and isinstance(value, _PLAIN)]
