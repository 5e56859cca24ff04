"""The way of a write: check everything, then send requests.

What the server would damage is refused before anything is sent (truth L8 to L11). Inserts go as many statements of few
rows (truth L20), outside of transactions unless all rows shall be written or none; changes go by key, since the server
drops other conditions (truth L25), and each of their requests is all or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Literal

import pyarrow as pa

from kalam_notebook.errors import ConfigError, FrameError, KalamError, PermissionDeniedError, QueryError
from kalam_notebook.reading.endpoint import Endpoint
from kalam_notebook.sql.hidden import HIDDEN_COLUMNS
from kalam_notebook.sql.hints import rights_hint
from kalam_notebook.wire.arguments import check_function, check_number
from kalam_notebook.writing.create import check_ttl, create_statement, derive_target
from kalam_notebook.writing.existing import count_rows, existing_keys, is_beyond_window, look_up, look_up_settled
from kalam_notebook.writing.frame import renaming, to_arrow, with_index
from kalam_notebook.writing.inserts import Inserts
from kalam_notebook.writing.pace import WritingPace
from kalam_notebook.writing.plan import Plan, Span
from kalam_notebook.writing.problems import Problems
from kalam_notebook.writing.report import WriteReport
from kalam_notebook.writing.requests import request_text
from kalam_notebook.writing.rows import CheckedRows, Row, checked_rows
from kalam_notebook.writing.sending import Sender, ahead
from kalam_notebook.writing.target import Target, exists, match_columns, needs_literal_path, read_target, table_parts

__all__ = ["Kind", "Mode", "Nan", "Progress", "Writer"]

Mode = Literal["insert", "upsert", "update", "delete"]
Kind = Literal["SHARED", "USER", "STREAM"]
Nan = Literal["refuse", "null"]
#: Called with the rows done and the rows of the frame.
Progress = Callable[[int, int], object]

#: Tables and columns of which it is remembered how they are written fastest.
_KEPT_PACES = 100


class Writer:
    """Writes frames.

    Args:
        endpoint: Runs the SQL.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._has_on_conflict: bool | None = None  # None until an upsert has tried.
        self._paces: dict[tuple[object, ...], WritingPace] = {}  # What was found out about the tables written lately.

    def write(
        self,
        frame: object,
        table: str,
        *,
        mode: Mode = "insert",
        key: str | None = None,
        create: bool = False,
        kind: Kind = "SHARED",
        ttl_seconds: int | None = None,
        atomic: bool = False,
        nan: Nan = "refuse",
        chunk_rows: int | None = None,
        count: bool = False,
        on_progress: Progress | None = None,
        on_sent: Callable[[int], object] | None = None,
    ) -> WriteReport:
        """Write the rows of a frame into a table.

        Args:
            frame: A pandas or polars DataFrame, an Arrow table, or anything with ``__arrow_c_stream__``. Its columns
                are matched by name. All of the table's must be there, but for those that have a default; an update or
                delete needs the key alone.
            table: ``namespace.table``.
            mode: ``insert`` new rows; ``update`` rows by their key; ``upsert``: update those that exist and insert the
                rest; ``delete`` rows by their key.
            key: The primary key; needed when the table is created.
            create: Whether to create the table if there is none.
            kind: Of a table that is created.
            ttl_seconds: For how long a STREAM table that is created keeps its rows.
            atomic: Whether all rows are written or none; they must fit into one request then (1 MiB of SQL), and cost
                the server twice as much. Otherwise each statement of an insert, and each request of the other modes,
                is all or nothing.
            nan: ``refuse`` NaN in floating-point columns, or store ``null``.
            chunk_rows: Rows of a statement; None to find out while writing with how many the server is fastest.
            count: Whether to count the table's rows before and after, and tell where the counts do not fit; each count
                is a scan of the whole table.
            on_progress: Called with the rows done and the rows of the frame after each request.
            on_sent: Called with the bytes of each request, before it is sent.

        Returns:
            What was done.

        Raises:
            FrameError: The frame cannot be written as it is; nothing was sent.
            WriteError: A request failed; says what was written.
            KalamError: The table does not exist, or the server cannot be reached.
        """
        _check_options(mode, kind, nan, chunk_rows, ttl_seconds, on_progress)
        namespace, name = table_parts(table)
        is_new = create and not exists(self._endpoint, namespace, name)
        nan_is_null, create_sql, problems = nan == "null", None, Problems()

        if is_new:
            frame, left_out = with_index(frame, [] if key is None else [key])
            given, hidden = _without_hidden(to_arrow(frame, nan_is_null=nan_is_null, problems=problems))
            target = derive_target(
                given, namespace, name, key=key, kind=kind, problems=problems, renaming=partial(renaming, frame)
            )
            columns = target.columns
            create_sql = create_statement(target, ttl_seconds=ttl_seconds)
        else:
            target = read_target(self._endpoint, namespace, name)
            frame, left_out = with_index(frame, [column.name for column in target.columns])
            json_columns = {column.name for column in target.columns if column.type_name == "Json"}
            table_given = to_arrow(frame, json_columns=json_columns, nan_is_null=nan_is_null, problems=problems)
            given, hidden = _without_hidden(table_given)
            matched = match_columns(target, [*given.column_names, *problems.columns], mode=mode, key=key)
            columns = tuple(column for column in matched if column.name not in problems.columns)

        rows = checked_rows(given, target, columns, mode=mode, nan=nan, problems=problems)
        if hidden:
            hidden = f"Left out, for the server sets them itself: {hidden}."
        rows = replace(rows, notices=(*rows.notices, *filter(None, (hidden, left_out))))

        pace = self._pace(rows, chunk_rows)
        plan = Plan(rows, mode, chunk_rows or pace.best.rows, atomic)
        plan.check_atomic()

        if create_sql is not None:
            self._create(create_sql)
        return self._carry_out(plan, pace, create_sql, count, on_progress, on_sent)

    def _create(self, create_sql: str) -> None:
        try:
            self._endpoint.execute(create_sql)
        except PermissionDeniedError as exc:
            exc.hint = rights_hint(create_sql)
            raise

    def _pace(self, rows: CheckedRows, chunk_rows: int | None) -> WritingPace:
        """What is known of the sizes with which these columns are written fastest."""
        known = (rows.head, chunk_rows)
        if known not in self._paces and len(self._paces) >= _KEPT_PACES:
            self._paces.clear()
        return self._paces.setdefault(known, WritingPace(chunk_rows))

    def _carry_out(
        self,
        plan: Plan,
        pace: WritingPace,
        create_sql: str | None,
        count: bool,
        on_progress: Progress | None,
        on_sent: Callable[[int], object] | None,
    ) -> WriteReport:
        target = plan.rows.target
        before = count_rows(self._endpoint, target) if count else None

        has_upsert = target.key is not None and not plan.is_stream
        sender = Sender(
            self._endpoint,
            target.name,
            total=len(plan.rows),
            repeatable=plan.mode != "insert",
            hint=" mode='upsert' writes none of them twice." if has_upsert else "",
            on_progress=on_progress,
            on_sent=on_sent,
        )
        if plan.mode in {"update", "upsert"}:
            self._change_all(plan, sender)
        elif plan.mode == "delete":
            for batch in plan.batches():
                with sender.rows(len(batch)):
                    self._delete(plan, batch, sender)
        elif plan.atomic:
            for batch in plan.batches():
                with sender.rows(len(batch)):
                    self._refuse_taken(target, [row.key for row in batch])
                    sender.send(request_text(plan.inserts(batch)))
        else:
            self._insert_all(plan, pace, sender)

        after = count_rows(self._endpoint, target) if count else None
        return WriteReport(
            target.name,
            plan.mode,
            inserted=sender.counts["inserted"],
            updated=sender.counts["updated"],
            deleted=sender.counts["deleted"],
            unchanged=sender.counts["unchanged"],
            missing=sender.counts["missing"],
            requests=sender.requests,
            seconds=sender.seconds,
            created_sql=create_sql,
            count_before=before,
            count_after=after,
            notices=(*plan.rows.notices, *_notices(plan, sender, before, after)),
            chunks=tuple(sender.chunks),
        )

    def _insert_all(self, plan: Plan, pace: WritingPace, sender: Sender) -> None:
        with closing(ahead(plan.insert_requests(pace))) as requests:
            for request in requests:
                with sender.rows(request.count()):
                    self._refuse_taken(plan.rows.target, request.keys)
                    seconds = sender.insert(request, partial(self._carried_out, plan, request, sender.done))
                if request.is_full:
                    pace.note(request.size, request.count(), seconds)

    def _refuse_taken(self, target: Target, keys: Sequence[str]) -> None:
        """Refuse keys that are taken where the server would not."""
        if not target.replaces_silently or not keys[0]:
            return
        taken = existing_keys(self._endpoint, target, keys)
        if taken:
            raise FrameError(
                f"{target.name} has {len(taken)} of the keys already, for example {next(iter(taken))!r}, and the "
                "server would replace those rows. Use mode='upsert' to do that."
            )

    def _carried_out(self, plan: Plan, request: Inserts, start: int) -> int | None:
        """How many statements of a request whose answer was lost the server has carried out; None for not known."""
        own = plan.rows.target.key
        if plan.is_stream or own is None or own.name not in plan.rows.arrays:
            return None
        try:
            states = look_up_settled(self._endpoint, plan.rows, start, start + request.count())
        except KalamError:
            return None
        return request.written(states)

    def _delete(self, plan: Plan, batch: Sequence[Row], sender: Sender) -> None:
        one_by_one = not plan.is_stream and is_beyond_window(self._endpoint, plan.rows.target)
        done = sender.send(request_text(plan.deletes(batch, one_by_one=one_by_one)))
        sender.counts["missing"] += max(0, len(batch) - done["deleted"])

    def _change_all(self, plan: Plan, sender: Sender) -> None:
        """Write only what differs from the table: reading a row costs far less than an UPDATE that changes nothing."""
        for start, stop in plan.spans():
            with sender.looking(stop - start):
                states = look_up(self._endpoint, plan.rows, start, stop)
            for part in plan.changes(start, states):
                with sender.rows(part.count):
                    self._change(plan, part, sender)

    def _change(self, plan: Plan, part: Span, sender: Sender) -> None:
        """Update the rows that exist; the others are inserted by an upsert, and missing for an update."""
        sender.counts.update(unchanged=part.same, missing=part.missing)
        if not part.new and not part.old:
            return
        if plan.mode == "upsert" and self._has_on_conflict is not False and self._upsert_by_server(plan, part, sender):
            return
        changed = _update_and_insert(plan, part.old, part.new, sender)
        # Others may have written meanwhile, or the values were not known.
        sender.counts["unchanged"] += max(0, len(part.old) - changed)
        if plan.mode == "upsert" and self._has_on_conflict is None:
            self._has_on_conflict = False

    def _upsert_by_server(self, plan: Plan, part: Span, sender: Sender) -> bool:
        """Let the server decide, if it can: before 0.5.4 it refuses ON CONFLICT.

        A refusal may have another reason. Then the statements that do the same are refused as well, and say why.
        """
        try:
            done = sender.send(request_text(plan.inserts([*part.new, *part.old], suffix=plan.on_conflict)))
        except QueryError:
            if self._has_on_conflict:
                raise
            return False
        self._has_on_conflict = True
        # How the server counts rows that were there is not known; those that were, and had other values, are.
        sender.counts.subtract(done)
        sender.counts.update(inserted=len(part.new), updated=len(part.old))
        return True


def _without_hidden(table: pa.Table) -> tuple[pa.Table, str]:
    """A frame without columns that only the server sets, and their names."""
    names = sorted(HIDDEN_COLUMNS.intersection(table.column_names))
    return table.drop_columns(names), ", ".join(names)


def _update_and_insert(plan: Plan, old: Sequence[Row], new: Sequence[Row], sender: Sender) -> int:
    """Send both in one transaction, if both can stand in one.

    Returns:
        How many of the old rows have other values now.
    """
    updates, inserts = plan.updates(old), plan.inserts(new, at_least=2)
    # A single INSERT in a transaction goes the engine's path (protocol/sql.md#insert).
    is_apart = bool(updates) and len(inserts) == 1 and needs_literal_path(plan.rows.target, plan.rows.columns)
    if is_apart and plan.atomic:
        raise FrameError(
            "One row is new among rows to update, and columns of the types UUID, EMBEDDING or BYTES or with a default "
            "keep the server from taking both in one transaction. Leave atomic out."
        )
    requests = [updates, inserts] if is_apart else [[*updates, *inserts]]
    return sum(sender.send(request_text(statements))["updated"] for statements in requests if statements)


def _check_options(
    mode: str, kind: str, nan: str, chunk_rows: int | None, ttl_seconds: int | None, on_progress: Progress | None
) -> None:
    for name, value, allowed in (
        ("mode", mode, ("insert", "upsert", "update", "delete")),
        ("kind", kind, ("SHARED", "USER", "STREAM")),
        ("nan", nan, ("refuse", "null")),
    ):
        if value not in allowed:
            raise ConfigError(f"{name}={value!r} is not possible. Choose one of: {', '.join(allowed)}.")
    if chunk_rows is not None:
        check_number("chunk_rows", chunk_rows)
    check_ttl(ttl_seconds)
    check_function("on_progress", on_progress)


def _notices(plan: Plan, sender: Sender, before: int | None, after: int | None) -> Iterator[str]:
    """What does not fit, in words."""
    target, counts = plan.rows.target, sender.counts
    left_out = sorted(set(target.defaults) - {column.name for column in plan.rows.columns})
    if counts["inserted"] and left_out:
        yield f"The server filled {', '.join(left_out)} with their defaults."
    if counts["missing"]:
        yield f"{counts['missing']:,} rows of the frame have no row in {target.name}; nothing was done for them."
    if plan.mode == "insert" and counts["inserted"] != len(plan.rows):
        yield f"The server says that it inserted {counts['inserted']:,} rows of {len(plan.rows):,}. Look at the table."
    if before is None or after is None:
        return

    expected = before + counts["inserted"] - counts["deleted"]
    # Rows of a STREAM table go by themselves.
    if not plan.is_stream and after != expected:
        yield (
            f"{target.name} has {after:,} rows where {expected:,} were expected ({before:,} before). Someone else may "
            "have written; if not, look at the table."
        )
