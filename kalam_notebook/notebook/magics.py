"""``%kalam`` and ``%%kalam``: SQL in a notebook.

The line is read by ``options``; here statements are run and shown.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from IPython.core.magic import no_var_expand
from IPython.display import display

from kalam_notebook.advice import for_magic, is_below_magic
from kalam_notebook.callers import shorten
from kalam_notebook.client import default
from kalam_notebook.client.client import Client
from kalam_notebook.errors import ConfigError, KalamError, ParameterError, QueryError, RequestTimeoutError, ServerError
from kalam_notebook.http.deadlines import within
from kalam_notebook.live_queries.chart import LiveChart
from kalam_notebook.live_queries.table import LiveTable
from kalam_notebook.notebook.assigned import is_taken
from kalam_notebook.notebook.commands import Commands
from kalam_notebook.notebook.completion.matcher import register_completion, unregister_completion
from kalam_notebook.notebook.completion.schema import Schemas
from kalam_notebook.notebook.completion.words import FIRST_WORDS
from kalam_notebook.notebook.note import Note
from kalam_notebook.notebook.options import COMMANDS, CellOptions, parse_cell_line, split_line
from kalam_notebook.notebook.page.execution import MadeByCell, TypedCell
from kalam_notebook.notebook.page.watching import changes_of, is_followed_in_place, watch
from kalam_notebook.notebook.session import CellHistory, Logged
from kalam_notebook.notebook.statements import (
    as_user,
    bound_statement,
    bound_statements,
    explained,
    pasted,
    with_where,
)
from kalam_notebook.notebook.terminal import colour_cells, leave_cells
from kalam_notebook.notebook.values import Bound, look_up, nearest
from kalam_notebook.results.progress import silent
from kalam_notebook.results.results import IncompleteResultWarning, QueryResult, readers_width
from kalam_notebook.settings import live_is_static
from kalam_notebook.sql.shape import returns_rows
from kalam_notebook.wire.failed import failed_statement, told_as

__all__ = ["register", "unregister"]


_live_tables: MadeByCell[LiveTable] = MadeByCell()
_typed = TypedCell()
_schemas = Schemas()
_history = CellHistory()
_logged = Logged()
#: Codes of a server that does not know a form of a statement.
_NOT_UNDERSTOOD = {"INVALID_SQL", "INVALID_INPUT"}
#: What commands show in the place of a frame without rows.
_NOTHING = {
    "connections": "There is no connection.", "history": "The magics ran nothing yet.", "live": "No table is live.",
}  # fmt: skip


def register(shell: Any) -> None:  # noqa: ANN401 - IPython's shell has no types.
    """Add the magics to a shell."""

    @no_var_expand  # What a variable holds is data; pasted into the line it would be read as options.
    def kalam(line: str, cell: str | None = None) -> object:
        """SQL on KalamDB; ``%kalam`` alone tells how it is used."""
        try:
            return copy_context().run(_run_magic, shell, line, cell)
        except KalamError as exc:
            exc.is_of_magic = True
            raise
        except KeyboardInterrupt as exc:  # Also where no call of a client runs.
            shorten(exc)
            raise

    shell.register_magic_function(kalam, magic_kind="line_cell", magic_name="kalam")
    register_completion(shell, _schemas)
    colour_cells(shell)
    _logged.attach()
    for moment, call in _hooks():
        shell.events.register(moment, call)  # Once: IPython knows it the second time.


def unregister(shell: Any) -> None:  # noqa: ANN401
    """Take the magics out of a shell."""
    unregister_completion(shell)
    leave_cells(shell)
    _logged.detach()
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("kalam", None)
    for moment, call in _hooks():
        with suppress(ValueError):  # It was not registered.
            shell.events.unregister(moment, call)


def _hooks() -> tuple[tuple[str, Callable[..., None]], ...]:
    return ("pre_run_cell", _typed.note), ("post_run_cell", _schemas.look)


def _run_magic(shell: Any, line: str, cell: str | None) -> object:  # noqa: ANN401
    is_below_magic.set(True)
    if cell is None:
        return _run_line(shell, line)
    return _run_cell(shell, line, _typed.body(shell, "kalam", line, cell))


def _run_line(shell: Any, line: str) -> object:  # noqa: ANN401
    name, _, rest = line.strip().partition(" ")
    if name == "explain":
        return _run_cell(shell, "--explain", rest)
    if not name or name in COMMANDS:
        value = Commands(shell, _history, _logged, _schemas.of).run(name or "help", rest.strip())
        if is_taken():
            return value.df() if isinstance(value, QueryResult) else value
        _show(value, _NOTHING.get(name))
        return None
    if name.upper() in FIRST_WORDS:
        return _run_cell(shell, "", line)
    if (parts := split_line(line, FIRST_WORDS)) is not None:
        return _run_cell(shell, *parts)
    raise ConfigError(
        f"%kalam has no command {name!r}.{_meant(name)} There are: {', '.join(COMMANDS)}.\n"
        "%kalam help tells what they do; SQL is written %kalam SELECT …."
    )


def _meant(name: str) -> str:
    """Ask for the command, or the beginning of a statement, that was probably meant."""
    return nearest(name.lower(), COMMANDS) or nearest(name.upper(), FIRST_WORDS)


def _show(value: object, nothing: str | None) -> None:
    """Show the answer of a command; a frame with all its columns, on more lines where a terminal is narrow."""
    import pandas as pd

    if value is None:
        return
    if nothing and isinstance(value, pd.DataFrame) and value.empty:
        value = Note(nothing)
    width = readers_width()
    with pd.option_context("display.max_columns", None, "display.max_colwidth", None, "display.width", width):
        display(value)


def _run_cell(shell: Any, line: str, cell: str) -> object:  # noqa: ANN401
    options = parse_cell_line(line)
    client = default.current() if options.connection is None else default.named(options.connection)
    sql = _body(cell, options.file)
    sql, names = pasted(sql, shell.user_ns) if options.template else (sql, ())
    params = None if options.params is None else look_up(options.params, shell.user_ns)

    with within(options.timeout), nullcontext() if options.progress else silent():
        if options.live:
            return _run_live(shell, client, sql, params, names, options)
        statements = [replace(bound, pasted=names) for bound in bound_statements(sql, params, shell.user_ns)]
        sources = list(dict.fromkeys(fact for statement in statements for fact in _sources(statement)))
        results = _run_statements(client, statements, options)
        if options.explain:
            return Note("\n\n".join(_plan(result) for result in results), aligned=True)
        if not options.variable and not options.browse:
            return _show_each(results)
        with_rows = [result for result in results if result.has_rows]

    if not with_rows:
        what = f"for {options.variable!r}" if options.variable else "to browse"
        raise ConfigError(f"The statements were carried out and return no rows, so there is nothing {what}.")
    result = with_rows[-1]
    if options.browse:
        result.browse()
    if not options.variable:
        return None
    shown = None if options.browse else Note(_summary(options.variable, result, sources))
    return _keep(shell, options, _converted(result, options.format), shown)


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


def _run_live(
    shell: Any,  # noqa: ANN401
    client: Client,
    sql: str,
    params: Any,  # noqa: ANN401
    names: tuple[str, ...],
    options: CellOptions,
) -> object:
    """A live table in place of the one that this cell made before, which nobody sees any more."""
    for former in _live_tables.former(shell):
        former.close()
    query = sql.strip().rstrip(";")
    if options.where is not None:
        query = with_where(query, options.where)
    bound = bound_statement(query, params, shell.user_ns)
    live = client.live(
        bound.sql, bound.values, namespace=options.namespace, key=options.key or None, max_rows=options.last
    )
    _live_tables.add(shell, live)
    if sources := _sources(replace(bound, pasted=names)):
        display(Note(" · ".join(sources)))
    shown = _chart(live, options.chart) if options.chart else live
    is_over = partial(_has_changed, count=options.count)
    ends = options.seconds is not None or options.count is not None
    if is_followed_in_place(shell):
        watch(live, seconds=options.seconds, is_over=is_over)
        if ends or not options.variable:
            live.close()
        return _keep(shell, options, live.changes() if options.changes else live, None)
    if not ends:
        return _keep(shell, options, live, shown)

    is_static = live_is_static()
    if not is_static:
        display(shown)
    try:
        with suppress(RequestTimeoutError):
            live.wait_for(is_over, timeout=options.seconds)
    except KeyboardInterrupt as exc:
        exc.__notes__ = ["The table is closed; its last rows stay in the notebook."]
        raise
    finally:
        live.close()
        if is_static:
            display(shown)  # What is not live is shown once, as it was at the end.
    changes = live.changes() if options.changes else None
    return _keep(shell, options, live if changes is None else changes, changes)


def _has_changed(live: LiveTable, count: int | None) -> bool:
    """Whether so many changes have come; never for None."""
    return count is not None and changes_of(live) >= count


def _chart(live: LiveTable, names: Sequence[str]) -> LiveChart:
    try:
        return live.chart(x=names[0], y=names[1:])
    except ConfigError:
        live.close()  # Nobody would see it.
        raise


def _show_each(results: Iterable[QueryResult]) -> QueryResult | Note | None:
    """Show results as they come, also those before an error; the last one is for the cell to return."""
    last = None
    try:
        for result in results:
            if last is not None:
                display(last)
            last = Note(_plan(result), aligned=True) if _is_plan(result) else result
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


def _summary(variable: str, result: QueryResult, sources: Sequence[str]) -> str:
    shape = f"{result.row_count:,} rows × {len(result.columns)} columns"
    facts = (str(result.completeness or "as the server sent it"), *sources)
    return f"{variable}: {shape} · {' · '.join(facts)}"


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
                _tell_place(error, number, len(statements))
            if error is exc:
                raise
            raise error from None
        yield from found


def _tell_place(error: KalamError, number: int, total: int) -> None:
    """Say which statement of the cell it was; the server has counted the one that it was sent."""
    if isinstance(error, ServerError) and failed_statement(error.message) == 1:
        error.message = told_as(f"{number} of {total}", error.message)
        error.add_note("Those before it have taken effect.")
    else:
        error.add_note(f"This was statement {number} of {total}; those before it have taken effect.")


def _run_one(client: Client, bound: Bound, options: CellOptions) -> list[QueryResult]:
    statement = explained(bound.sql) if options.explain else bound.sql
    if options.as_user is None:
        return _send(client, statement, bound, options)
    try:
        return _send(client, as_user(statement, options.as_user), bound, options)
    except QueryError as exc:
        if exc.code not in _NOT_UNDERSTOOD:
            raise
        with suppress(QueryError):  # Of the other form this server knows nothing either.
            return _send(client, as_user(statement, options.as_user, is_later=True), bound, options)
        raise


def _send(client: Client, statement: str, bound: Bound, options: CellOptions) -> list[QueryResult]:
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
                allow_unsafe=options.allow_unsafe,
            )
        return [_for_reader(result, _sources(bound))]
    done = client.execute_query(statement, bound.values, namespace=options.namespace, allow_unsafe=options.allow_unsafe)
    return [replace(result, _foot=_sources(bound)) for result in done]


def _for_reader(result: QueryResult, sources: tuple[str, ...]) -> QueryResult:
    """A result whose advice is that for a magic, and whose foot tells what was put into the SQL."""
    known, notices = result.completeness, tuple(map(for_magic, result.notices))
    known = known and replace(known, text=for_magic(known.text))
    foot = (*result._foot, *sources)
    return replace(result, completeness=known, notices=notices, _foot=foot, _door="--browse shows all")


def _sources(bound: Bound) -> tuple[str, ...]:
    """Which values came from where nobody wrote it."""
    facts = []
    if bound.is_from_variables:
        facts.append(", ".join(f"${name}" for name in bound.names) + " from variables")
    if bound.pasted:
        facts.append(", ".join(f"{{{{{name}}}}}" for name in bound.pasted) + " pasted into the SQL")
    return tuple(facts)


def _is_plan(result: QueryResult) -> bool:
    return [column.name for column in result.columns] == ["plan_type", "plan"]


def _plan(result: QueryResult) -> str:
    """The server's plans as text, a line for each step."""
    return "\n\n".join(f"{row['plan_type']}\n{row['plan'].rstrip()}" for row in result.arrow().to_pylist())
