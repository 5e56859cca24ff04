"""``%kalam`` and ``%%kalam``: SQL in a notebook.

The line is read by ``options``; here statements are run and shown.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from IPython.core.magic import no_var_expand
from IPython.display import display

from kalam_notebook.client import default
from kalam_notebook.client.client import Client
from kalam_notebook.errors import ConfigError, KalamError, ParameterError
from kalam_notebook.http.deadlines import within
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.notebook.commands import Commands
from kalam_notebook.notebook.completion.matcher import register_completion, unregister_completion
from kalam_notebook.notebook.completion.schema import Schemas
from kalam_notebook.notebook.completion.words import STATEMENTS
from kalam_notebook.notebook.note import Note
from kalam_notebook.notebook.options import COMMANDS, CellOptions, parse_cell_line
from kalam_notebook.notebook.page.execution import MadeByCell, TypedCell
from kalam_notebook.notebook.session import History
from kalam_notebook.notebook.values import Bound, bind_names, check_used, look_up, nearest
from kalam_notebook.results.results import IncompleteResultWarning, QueryResult
from kalam_notebook.sql.pointer import line_at
from kalam_notebook.sql.shape import returns_rows, shape_of
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import UnreadableSQL
from kalam_notebook.texts import for_magic

__all__ = ["register", "unregister"]


_live_tables: MadeByCell[LiveTable] = MadeByCell()
_typed = TypedCell()
_schemas = Schemas()
_history = History()
#: Statements after which the server has other tables or columns.
_CHANGE_SCHEMA = {"CREATE", "ALTER", "DROP"}
_SQL_WORDS = {phrase.split()[0] for phrase in STATEMENTS}


def register(shell: Any) -> None:  # noqa: ANN401 - IPython's shell has no types.
    """Add the magics to a shell."""

    @no_var_expand  # What a variable holds is data; pasted into the line it would be read as options.
    def kalam(line: str, cell: str | None = None) -> object:
        """SQL on KalamDB; ``%kalam`` alone tells how it is used."""
        try:
            if cell is None:
                return _run_line(shell, line)
            return _run_cell(shell, line, _typed.body(shell, "kalam", line, cell))
        except KalamError as exc:
            exc.is_of_magic = True
            raise

    shell.register_magic_function(kalam, magic_kind="line_cell", magic_name="kalam")
    register_completion(shell, _schemas)
    shell.events.register("pre_run_cell", _typed.note)  # Once: IPython knows it the second time.


def unregister(shell: Any) -> None:  # noqa: ANN401
    """Take the magics out of a shell."""
    unregister_completion(shell)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("kalam", None)
    with suppress(ValueError):  # It was not registered.
        shell.events.unregister("pre_run_cell", _typed.note)


def _run_line(shell: Any, line: str) -> object:  # noqa: ANN401
    name, _, rest = line.strip().partition(" ")
    if name == "explain":
        return _run_cell(shell, "--explain", rest)
    if not name or name in COMMANDS:
        display(Commands(shell, _history, _schemas.of).run(name or "help", rest.strip()))
        return None
    if name.upper() in _SQL_WORDS:
        return _run_cell(shell, "", line)
    if "--file" in line:  # IPython takes no cell magic without a body.
        return _run_cell(shell, line, "")
    raise ConfigError(
        f"%kalam has no command {name!r}.{nearest(name, COMMANDS)} There are: {', '.join(COMMANDS)}.\n"
        "%kalam help tells what they do; SQL is written %kalam SELECT …."
    )


def _run_cell(shell: Any, line: str, cell: str) -> object:  # noqa: ANN401
    options = parse_cell_line(line)
    client = default.current() if options.connection is None else default.named(options.connection)
    sql = _body(cell, options.file)
    params = None if options.params is None else look_up(options.params, shell.user_ns)
    with within(options.timeout):
        if options.live:
            bound = _bound(sql.strip().rstrip(";"), params, shell)
            live = _follow(shell, lambda: client.live(bound.sql, bound.values, namespace=options.namespace))
            return _keep(shell, options, live, live)
        results = _run_statements(client, _bound_statements(sql, params, shell), options)
        if options.explain:
            return Note("\n\n".join(_plan(result) for result in results), aligned=True)
        if not options.variable:
            return _show_each(results)
        with_rows = [result for result in results if result.has_rows]
    if not with_rows:
        raise ConfigError(
            f"The statements were carried out and return no rows, so there is nothing for {options.variable!r}."
        )
    value = _converted(with_rows[-1], options.format)
    return _keep(shell, options, value, Note(_summary(options.variable, with_rows[-1])))


def _body(cell: str, path: str | None) -> str:
    """The SQL of a cell, or of the file that stands for it."""
    if path is None:
        return cell
    if cell.strip():
        raise ConfigError("--file stands in the place of the cell's SQL, and the cell holds some. Take one away.")
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"--file {path}: {getattr(exc, 'strerror', None) or 'it is no text in UTF-8'}.") from None


def _follow(shell: Any, start: Callable[[], LiveTable]) -> LiveTable:  # noqa: ANN401
    """Start a live table in place of the one that this cell made before, which nobody sees any more."""
    for former in _live_tables.former(shell):
        former.close()
    live = start()
    _live_tables.add(shell, live)
    return live


def _show_each(results: Iterable[QueryResult]) -> QueryResult | None:
    """Show results as they come, also those before an error; the last one is for the cell to return."""
    last = None
    try:
        for result in results:
            if last is not None:
                display(last)
            last = result
    except BaseException:
        if last is not None:
            display(last)
        raise
    return last


def _keep(shell: Any, options: CellOptions, value: object, shown: object) -> object:  # noqa: ANN401
    if options.variable:
        shell.push({options.variable: value})
    return shown


def _converted(result: QueryResult, form: str) -> object:
    return {"pandas": result.df, "arrow": result.arrow, "polars": result.polars}[form]()


def _summary(variable: str, result: QueryResult) -> str:
    shape = f"{result.row_count:,} rows × {len(result.columns)} columns"
    return f"{variable}: {shape} · {result.completeness or 'as the server sent it'}"


def _bound(sql: str, params: list[Any] | dict[str, Any] | None, shell: Any) -> Bound:  # noqa: ANN401
    try:
        return bind_names(sql, params, shell.user_ns)
    except UnreadableSQL as exc:
        raise _unreadable(sql, exc) from None


def _bound_statements(sql: str, params: list[Any] | dict[str, Any] | None, shell: Any) -> list[Bound]:  # noqa: ANN401
    """The statements of a cell with their values; a transaction goes in one piece."""
    try:
        statements: Sequence[Statement] = Statement.of(sql).statements
        words = [statement.first_word for statement in statements]
    except UnreadableSQL as exc:
        raise _unreadable(sql, exc) from None

    if not statements:
        raise ConfigError("The cell holds no SQL. Write a statement below the %%kalam line.")
    if len(statements) > 1 and ("BEGIN" in words or "START" in words):
        statements = [Statement.of(sql)]
    elif len(statements) > 1 and isinstance(params, list) and params:
        raise ConfigError("--params belongs to one statement, and the cell holds several. Use one cell for each.")
    bound = [_bound(statement, params, shell) for statement in statements]
    if isinstance(params, dict):
        check_used(params, [name for statement in bound for name in statement.names])
    return bound


def _unreadable(sql: str, error: UnreadableSQL) -> ConfigError:
    told = f"The SQL cannot be read: {error}"
    return ConfigError(told if error.position is None else f"{told}\n{line_at(sql, error.position)}")


def _run_statements(client: Client, statements: Sequence[Bound], options: CellOptions) -> Iterator[QueryResult]:
    """Run the cell one statement at a time, so that each has its own result."""
    for number, statement in enumerate(statements, 1):
        try:
            with _history.running(statement.sql) as ran:
                found = _run_one(client, statement, options)
                ran.rows = sum(result.row_count for result in found)
        except KalamError as exc:
            error = statement.named(exc) if isinstance(exc, ParameterError) else exc
            if number > 1:
                error.add_note(f"This was statement {number} of {len(statements)}; those before it have taken effect.")
            if error is exc:
                raise
            raise error from None
        yield from found


def _run_one(client: Client, bound: Bound, options: CellOptions) -> list[QueryResult]:
    statement = _explained(bound.sql) if options.explain else bound.sql
    began = time.monotonic()
    if returns_rows(statement):
        with warnings.catch_warnings():
            # The preview shows it.
            warnings.simplefilter("ignore", IncompleteResultWarning)
            result = client.query_result(
                statement,
                bound.values,
                namespace=options.namespace,
                max_rows=options.max_rows,
                engine=options.engine,
                strict=options.strict,
                progress=options.progress,
                allow_unsafe=options.allow_unsafe,
            )
        return [_for_reader(result, _footer(client, bound, result, time.monotonic() - began))]
    done = client.execute_query(statement, bound.values, namespace=options.namespace, allow_unsafe=options.allow_unsafe)
    if Statement.of(statement).first_word in _CHANGE_SCHEMA:
        _schemas.outdate(client)
    return list(done)


def _for_reader(result: QueryResult, footer: tuple[str, ...]) -> QueryResult:
    """A result whose advice is that for a magic, and whose foot tells how it came about."""
    known, notices = result.completeness, tuple(map(for_magic, result.notices))
    known = known and replace(known, text=for_magic(known.text))
    return replace(result, completeness=known, notices=notices, _foot=footer)


def _footer(client: Client, bound: Bound, result: QueryResult, seconds: float) -> tuple[str, ...]:
    """How long it took, as whom and where, and which values came from where nobody wrote it."""
    took = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"
    facts = [took]
    if who := result.as_user or client.user:
        facts.append(f"as {who}")
    connections = default.connections()
    if len(connections) > 1:
        facts += [f"on {name}" for name, other in connections.items() if other is client]
    if bound.is_from_variables:
        facts.append(", ".join(f"${name}" for name in bound.names) + " from variables")
    return tuple(facts)


def _explained(statement: str) -> str:
    """The statement that asks how a query would be run; EXPLAIN of a change carries it out (protocol/sql.md#show)."""
    shape = shape_of(statement)
    if shape is None or not shape.is_select:
        raise ConfigError("--explain is for a SELECT; EXPLAIN of a change would carry it out.")
    return f"EXPLAIN {statement}"


def _plan(result: QueryResult) -> str:
    """The server's plans as text, a line for each step."""
    return "\n\n".join(f"{row['plan_type']}\n{row['plan'].rstrip()}" for row in result.arrow().to_pylist())
