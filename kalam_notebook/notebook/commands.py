"""The commands of ``%kalam``. Each is a thin call of a public function, and returns a frame or a line."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from kalam_notebook.advice import for_magic
from kalam_notebook.client import default
from kalam_notebook.client.catalog import named_table
from kalam_notebook.client.client import Client
from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.notebook.note import Note
from kalam_notebook.notebook.options import COMMANDS, help_text, parse_connect_line, parse_upload_line, unpasted
from kalam_notebook.notebook.page.page_rows import MAX_ROWS
from kalam_notebook.notebook.session import CellHistory, Logged, live_variables
from kalam_notebook.notebook.values import nearest
from kalam_notebook.results.formats import checked_target, writing
from kalam_notebook.results.results import Completeness, IncompleteResultWarning, QueryResult, readers_width
from kalam_notebook.settings import DEFAULT_PROFILE, Secret, ask_password
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.texts import cut, in_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Commands"]

#: Where a server is started as its documentation tells.
_NEW_SERVER = "http://localhost:2900"
#: Characters of a line of the history beside its SQL.
_HISTORY_BESIDE = 46
_OVERWRITE = "--overwrite"

#: The name of a saved login, where a URL could stand.
_LOGIN = re.compile(r"(?!(?i:sandbox|localhost)$)[\w-]+")


class Commands:
    """The commands of one shell.

    Args:
        shell: IPython's shell, whose variables hold live tables and results.
        history: What the magics ran.
        logged: What the package logged.
        connected: Told of each new connection.
    """

    def __init__(
        self,
        shell: Any,  # noqa: ANN401
        history: CellHistory,
        logged: Logged,
        connected: Callable[[Client], object],
    ) -> None:
        self._variables: dict[str, Any] = shell.user_ns
        self._ran = history
        self._logged = logged
        self._connected = connected
        self._commands: dict[str, Callable[[str], object]] = {
            "connect": self._connect,
            "setup": self._setup,
            "connections": self._connections,
            "use": self._use,
            "status": self._status,
            "doctor": self._doctor,
            "close": self._close,
            "namespaces": self._namespaces,
            "tables": self._tables,
            "describe": self._describe,
            "show": self._show,
            "history": self._history,
            "log": self._log,
            "live": self._live,
            "stop": self._stop,
            "freeze": self._freeze,
            "export": self._export,
            "upload": self._upload,
            "download": self._download,
            "help": self._help,
        }

    def run(self, name: str, rest: str) -> object:
        """Run a command; returns what is to be shown, None where it has shown that itself.

        Args:
            name: One of ``COMMANDS``.
            rest: What stands behind it.

        Raises:
            ConfigError: It does not take what stands there.
        """
        command = COMMANDS[name]
        if command.most_words is not None and len(rest.split()) > command.most_words:
            hint = f"\nA query is followed by: %kalam --live {rest}" if name == "live" else ""
            raise ConfigError(f"%kalam {name} takes {command.arguments or 'nothing more'}, and not {rest!r}.{hint}")
        return self._commands[name](rest)

    # Connections -----------------------------------------------------------------------------------------------------

    def _connect(self, rest: str) -> Note:
        options = parse_connect_line(rest)
        url, profile = options.url, options.profile
        if url is not None and profile is None and _LOGIN.fullmatch(url):
            url, profile = None, url
        client = default.connect(
            url, user=options.user, profile=profile, namespace=options.namespace, name=options.name
        )
        self._connected(client)
        if not options.save:
            return _told(client)
        name = options.name or profile or DEFAULT_PROFILE
        path = client.save_login(name)
        return Note(f"{_told(client)!r}\nThe login is saved as {name!r} in {path}: %kalam connect {name}")

    def _setup(self, rest: str) -> Note:
        """Ask for what a new server needs; a password never stands in a notebook."""
        url = unpasted(rest) if rest else _NEW_SERVER
        with Client(url, user="root", password=Secret("-")) as client:
            if not client.check_setup_status().needs_setup:
                raise ConfigError(f"The server at {url} is set up already. Connect to it: %kalam connect {url}")
            root = _new_password("root")
            user = input("User id of the administrator [admin]: ").strip() or "admin"
            client.server_setup(user, _new_password(user), root)
        client = default.connect(url, user="root", password=root.reveal())
        self._connected(client)
        return Note(f"The server is set up, with root and the administrator {user}.\n{_told(client)!r}")

    def _connections(self, rest: str) -> pd.DataFrame:
        import pandas as pd

        current = default.existing()
        rows = [
            {"name": name, "url": client.url, "user": client.user, "in use": client is current}
            for name, client in default.connections().items()
        ]
        return pd.DataFrame(rows, columns=["name", "url", "user", "in use"])

    def _use(self, rest: str) -> Note:
        if not rest:
            raise ConfigError(f"%kalam use takes a name: {', '.join(default.connections()) or 'there is none yet'}.")
        client = default.use(unpasted(rest))
        self._connected(client)
        return _told(client)

    def _status(self, rest: str) -> Note:
        client = default.current()
        note = f"{_told(client)!r} Live tables: {len(client.live_tables)}."
        return Note(f"{note} Namespace: {client.namespace}." if client.namespace else note)

    def _doctor(self, rest: str) -> Note:
        from kalam_notebook.client.doctor import doctor

        lines = []
        for row in doctor().to_dict("records"):
            lines.append(f"{row['subject']:16} {row['found']}")
            lines += [f"{'':16} → {row['advice']}"] if row["advice"] else []
        return Note("\n".join(lines), aligned=True)

    def _close(self, rest: str) -> Note:
        default.close()
        return Note("Connection closed.")

    # What the server has ----------------------------------------------------------------------------------------------

    def _namespaces(self, rest: str) -> QueryResult:
        return default.current().namespaces()

    def _tables(self, namespace: str) -> QueryResult:
        return default.current().tables(unpasted(namespace) or None)

    def _describe(self, table: str) -> QueryResult:
        return default.current().describe(_table("describe", table))

    def _show(self, table: str) -> None:
        client = default.current()
        space, name = named_table(_table("show", table), client.namespace)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IncompleteResultWarning)  # It is shown.
            client.query_result(f"SELECT * FROM {quote_name(space)}.{quote_name(name)}", max_rows=MAX_ROWS).browse()

    # What this session did --------------------------------------------------------------------------------------------

    def _history(self, rest: str) -> pd.DataFrame:
        frame = self._ran.frame()
        return frame.assign(
            started=frame["started"].map(lambda time: f"{time:%H:%M:%S}"),
            seconds=frame["seconds"].round(3),
            sql=frame["sql"].map(lambda sql: cut(in_line(sql, 300), max(readers_width() - _HISTORY_BESIDE, 30))),
        )

    def _log(self, rest: str) -> Note:
        client = default.existing()
        sent = [] if client is None else client.recent_requests().to_dict("records")
        lines = [
            (
                one["at"],
                f"{one['request']:24} {one['answer']:>4} {one['seconds'] * 1000:7,.0f} ms  {one['sql']}",
                one["error"],
            )
            for one in sent
        ]
        lines += [(at, f"{level}: {in_line(text, 300)}", "") for at, level, text in self._logged.last()]

        told = []
        for at, line, error in sorted(lines):
            told.append(cut(f"{at:%H:%M:%S} {line}".rstrip(), readers_width()))
            told += [f"{'':8} {error}"] if error else []
        return Note("\n".join(told) or "Nothing was sent yet.", aligned=True)

    def _live(self, rest: str) -> pd.DataFrame:
        import pandas as pd

        rows = [
            {"name": name, "rows": live.num_rows, "status": live.status, "sql": live.sql}
            for name, live in self._live_tables().items()
        ]
        return pd.DataFrame(rows, columns=["name", "rows", "status", "sql"])

    def _stop(self, rest: str) -> Note:
        return self._end(rest, "stop", LiveTable.close, "Stopped")

    def _freeze(self, rest: str) -> Note:
        return self._end(rest, "freeze", LiveTable.freeze, "Frozen")

    def _end(self, rest: str, command: str, do: Callable[[LiveTable], None], done: str) -> Note:
        tables = self._live_tables()
        if rest == "--all" or (not rest and len(tables) <= 1):
            chosen = tables
        elif rest in tables:
            chosen = {rest: tables[rest]}
        else:
            what = f"There is no live table {rest!r}." if rest else "There are several live tables."
            names = ", ".join(tables) or "none"
            raise ConfigError(f"{what}{nearest(rest, tables)} Write %kalam {command} NAME or --all; live are: {names}.")
        for live in chosen.values():
            do(live)
        return Note(f"{done}: {', '.join(chosen)}." if chosen else "No table is live.")

    def _live_tables(self) -> dict[str, LiveTable]:
        """All live tables of the connection in use and of variables, by name; those in no variable get a number."""
        named = live_variables(self._variables)
        client = default.existing()
        others = [live for live in (client.live_tables if client else ()) if live not in named.values()]
        return {**named, **{f"#{number}": live for number, live in enumerate(others, 1)}}

    def _export(self, rest: str) -> Note:
        path, _, what = rest.replace(_OVERWRITE, "").strip().partition(" ")
        name = what.strip()
        if not path or path.startswith("-"):
            raise ConfigError("%kalam export takes a file and a variable: %kalam export rows.parquet orders.")
        target = checked_target(unpasted(path))
        if target.exists() and _OVERWRITE not in rest:
            raise ConfigError(f"{path} exists. Write %kalam export {path} {_OVERWRITE}, or another name.")
        if re.match(r"(?i)(SELECT|WITH)\b", name):
            return Note(str(default.current().export(name, target)))
        if " " in name:
            raise ConfigError(f"%kalam export takes {COMMANDS['export'].arguments}, and not {rest!r}.")

        value = self._held(name)
        table = _as_arrow(value, name or "the last result")
        known = getattr(value, "completeness", None) or Completeness(True, "rows of a variable", 0)
        with writing(target, table.schema) as sink:
            for batch in table.to_batches():
                sink.write(batch)
            sink.finish(known)
        return Note(f"{table.num_rows:,} rows × {table.num_columns} columns are in {path}.")

    def _held(self, name: str) -> object:
        """What a variable holds, or the last result without a name."""
        if (name or "_") in self._variables:
            return self._variables[name or "_"]
        what = f"There is no variable {name!r}." if name else "No cell has shown a result yet."
        raise ConfigError(f"{what}{nearest(name, self._variables)} Put a result into one: %%kalam name <<.")

    def _upload(self, rest: str) -> pd.DataFrame:
        paths, table, column, is_replacing = parse_upload_line(rest)
        # A folder is one place of many files; several paths are files.
        files = paths[0] if len(paths) == 1 else paths
        return _advised(default.current().upload(files, table, column=column, replace=is_replacing))

    def _download(self, rest: str) -> pd.DataFrame:
        name, column, folder = (*rest.split(), "", "", "")[:3]
        if not column:
            raise ConfigError("%kalam download takes a variable and its column: %kalam download orders invoice files/")
        value = self._held(name)
        frame: Any = value.df() if isinstance(value, QueryResult) else value
        try:
            cells: Iterable[object] = frame[column]
        except (KeyError, TypeError):
            raise ConfigError(f"{name} has no column {column!r}.") from None
        return _advised(default.current().download(cells, to=unpasted(folder) if folder else "."))

    def _help(self, command: str) -> Note:
        if command and command not in COMMANDS:
            raise ConfigError(f"%kalam has no command {command!r}.{nearest(command, COMMANDS)} %kalam help has all.")
        return Note(help_text(command), aligned=True)


def _told(client: Client) -> Note:
    version = client.health_check().version
    server = f"KalamDB {in_line(version, 40)}" if version else "KalamDB"
    return Note(f"Connected to {server} at {client.url}" + (f" as {client.user}." if client.user else "."))


def _advised(report: pd.DataFrame) -> pd.DataFrame:
    """A report of files with the advice of a magic."""
    return report.assign(error=report["error"].map(for_magic, na_action="ignore"))


def _as_arrow(value: object, name: str) -> pa.Table:
    """Rows of any kind as an Arrow table."""
    import pyarrow as pa

    if hasattr(value, "__arrow_c_stream__"):
        return pa.table(value)
    raise ConfigError(f"{name} is a {type(value).__name__} and holds no rows.")


def _new_password(user: str) -> Secret:
    chosen = Secret(ask_password(f"A new password for {user}, of 8 characters or more: "))
    if ask_password("The same once more: ") != chosen.reveal():
        raise ConfigError("These were two passwords. Nothing was set up; type it again: %kalam setup")
    return chosen


def _table(command: str, table: str) -> str:
    if not table:
        raise ConfigError(f"%kalam {command} takes a table: %kalam {command} app.orders. %kalam tables has all.")
    return unpasted(table)
