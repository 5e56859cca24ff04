"""The commands of ``%kalam``. Each is a thin call of a public function, and returns a frame or a line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalam_notebook.client import default
from kalam_notebook.client.client import Client
from kalam_notebook.errors import ConfigError
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.notebook.note import Note
from kalam_notebook.notebook.options import COMMANDS, help_text, parse_connect_line, unpasted
from kalam_notebook.notebook.session import History, live_variables
from kalam_notebook.notebook.values import nearest
from kalam_notebook.results.results import QueryResult
from kalam_notebook.sql.hidden import HIDDEN_COLUMNS, HIDDEN_LIST
from kalam_notebook.sql.statement import quote_name
from kalam_notebook.sql.tables import table_names
from kalam_notebook.sql.tokens import UnreadableSQL
from kalam_notebook.texts import in_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Commands"]

_TABLES = f"""
SELECT table_schema AS namespace, table_name AS "table", count(*) AS columns FROM information_schema.columns
WHERE table_schema NOT IN ('information_schema', 'system', 'dba') AND column_name NOT IN ({HIDDEN_LIST}) {{where}}
GROUP BY table_schema, table_name ORDER BY namespace, "table"
"""

#: The name of a saved login, where a URL could stand.
_LOGIN = re.compile(r"(?!(?i:sandbox|localhost)$)[\w-]+")


class Commands:
    """The commands of one shell.

    Args:
        shell: IPython's shell, whose variables hold live tables and results.
        history: What the magics ran.
        connected: Told of each new connection.
    """

    def __init__(self, shell: Any, history: History, connected: Callable[[Client], object]) -> None:  # noqa: ANN401
        self._variables: dict[str, Any] = shell.user_ns
        self._ran = history
        self._connected = connected
        self._commands: dict[str, Callable[[str], object]] = {
            "connect": self._connect,
            "connections": self._connections,
            "use": self._use,
            "status": self._status,
            "doctor": self._doctor,
            "close": self._close,
            "namespaces": self._namespaces,
            "tables": self._tables,
            "describe": self._describe,
            "history": self._history,
            "live": self._live,
            "stop": self._stop,
            "freeze": self._freeze,
            "export": self._export,
            "help": self._help,
        }

    def run(self, name: str, rest: str) -> object:
        """Run a command; returns what is to be shown.

        Args:
            name: One of ``COMMANDS``.
            rest: What stands behind it.

        Raises:
            ConfigError: It does not take what stands there.
        """
        command = COMMANDS[name]
        if command.most_words is not None and len(rest.split()) > command.most_words:
            raise ConfigError(f"%kalam {name} takes {command.arguments or 'nothing more'}, and not {rest!r}.")
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
        return _told(client)

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

    def _namespaces(self, rest: str) -> pd.DataFrame:
        return default.current().query("SHOW NAMESPACES")[["name", "created_at"]]

    def _tables(self, namespace: str) -> QueryResult:
        sql = _TABLES.format(where="AND table_schema = $1" if namespace else "")
        return default.current().query_result(sql, [unpasted(namespace)] if namespace else None)

    def _describe(self, table: str) -> pd.DataFrame:
        if not table:
            raise ConfigError("%kalam describe takes a table: %kalam describe app.orders. %kalam tables has all.")
        client = default.current()
        try:
            (name,) = table_names(f"SELECT * FROM {unpasted(table)}")
        except (UnreadableSQL, ValueError):
            raise ConfigError(f"{table!r} is no table's name. Write namespace.table: %kalam tables has all.") from None
        space = name.namespace or client.namespace or "default"
        frame = client.query(f"DESCRIBE TABLE {quote_name(space)}.{quote_name(name.table)}")
        wanted = ["column_name", "data_type", "is_nullable", "is_primary_key", "column_default"]
        shown = frame.loc[
            ~frame["column_name"].isin(HIDDEN_COLUMNS), [name for name in wanted if name in frame.columns]
        ]
        return shown.fillna({"column_default": ""})

    # What this session did --------------------------------------------------------------------------------------------

    def _history(self, rest: str) -> pd.DataFrame:
        frame = self._ran.frame()
        # As wide as a terminal.
        return frame.assign(
            started=frame["started"].map(lambda time: f"{time:%H:%M:%S}"),
            seconds=frame["seconds"].round(3),
            sql=frame["sql"].map(lambda sql: in_line(sql, 36)),
        )

    def _live(self, rest: str) -> pd.DataFrame | Note:
        import pandas as pd

        rows = [
            {"name": name, "rows": live.num_rows, "status": live.status, "sql": live.sql}
            for name, live in self._live_tables().items()
        ]
        return pd.DataFrame(rows) if rows else Note("No table is live.")

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
        path, *more = rest.split() or [""]
        names = [word for word in more if word != "--overwrite"]
        if not path or len(names) > 1:
            raise ConfigError("%kalam export takes a file and a variable: %kalam export rows.parquet orders.")
        name = names[0] if names else "_"
        if name not in self._variables:
            what = f"There is no variable {name!r}." if names else "No cell has shown a result yet."
            raise ConfigError(f"{what}{nearest(name, self._variables)} Write %kalam export FILE VARIABLE.")
        table = _as_arrow(self._variables[name], "the last result" if name == "_" else name)
        _write(table, Path(unpasted(path)).expanduser(), overwrite="--overwrite" in more)
        return Note(f"{table.num_rows:,} rows × {table.num_columns} columns are in {path}.")

    def _help(self, command: str) -> Note:
        if command and command not in COMMANDS:
            raise ConfigError(f"%kalam has no command {command!r}.{nearest(command, COMMANDS)} %kalam help has all.")
        return Note(help_text(command), aligned=True)


def _told(client: Client) -> Note:
    version = client.health_check().version
    server = f"KalamDB {in_line(version, 40)}" if version else "KalamDB"
    return Note(f"Connected to {server} at {client.url}" + (f" as {client.user}." if client.user else "."))


def _as_arrow(value: object, name: str) -> pa.Table:
    """Rows of any kind as an Arrow table."""
    import pyarrow as pa

    if hasattr(value, "__arrow_c_stream__"):
        return pa.table(value)
    raise ConfigError(f"{name} is a {type(value).__name__} and holds no rows.")


def _write(table: pa.Table, path: Path, *, overwrite: bool) -> None:
    """Write a file in the format that its name tells."""
    import pyarrow as pa
    from pyarrow import csv, feather, parquet

    writers: dict[str, Callable[[pa.Table, str], object]] = {
        ".parquet": parquet.write_table,
        ".arrow": feather.write_feather,
        ".csv": csv.write_csv,
    }
    if path.suffix not in writers:
        raise ConfigError(f"{path.name}: the name tells the format, one of {', '.join(writers)}.")
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists. Write %kalam export {path.name} --overwrite, or another name.")
    part = path.with_name(f".{path.name}.part")
    try:
        writers[path.suffix](table, str(part))
        part.replace(path)
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise ConfigError(f"{path} cannot be written: {exc}.") from None
    finally:
        part.unlink(missing_ok=True)
