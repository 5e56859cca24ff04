"""Subscribe, next page, unsubscribe: the server's side of a live query's life (protocol/live.md#subscriptions).

Requests of one connection are worked off one after the other, and while a snapshot is being read the
connection sends nothing else; `session` sees to that by awaiting each call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from kalam_sandbox.backend import (
    Caller,
    LiveBackend,
    SelectRows,
    SqlFailed,
    TableInfo,
    Unencodable,
)
from kalam_sandbox.ids import version_name
from kalam_sandbox.live import frames
from kalam_sandbox.live.connection import Connection
from kalam_sandbox.live.messages import NextBatch, Subscribe, Unsubscribe
from kalam_sandbox.live.query import InvalidQuery, LiveQuery, parse_live_query
from kalam_sandbox.live.registry import LiveRegistry
from kalam_sandbox.live.replay import Resume, Scope
from kalam_sandbox.live.row_filter import RefusedFilter
from kalam_sandbox.live.snapshot import (
    Page,
    PageRequest,
    batch_size,
    boundary_sql,
    deleted_rows_sql,
    first_page,
    has_bare_or,
    page_of,
    page_sql,
    with_deleted,
)
from kalam_sandbox.live.subscription import Subscription
from kalam_sandbox.options import Options

Send = Callable[[frames.Message], Awaitable[None]]

_ADMINS = ("dba", "system")


class _Refused(Exception):
    """A request that gets an ``error`` message."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class LiveQueries:
    """The live queries of one authenticated connection."""

    def __init__(
        self,
        connection: Connection,
        registry: LiveRegistry,
        backend: LiveBackend,
        *,
        options: Options,
        send: Send,
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._backend = backend
        self._options = options
        self._send = send

    async def subscribe(self, caller: Caller, request: Subscribe) -> None:
        """Check a live query, register it, and send its ack and first page."""
        if not request.id.strip():
            text = "Subscription ID cannot be empty"
            await self._send(frames.error("invalid_subscription", "INVALID_SUBSCRIPTION_ID", text))
            return
        try:
            if self._options.refuse_used_ids and request.id in self._connection.subscriptions:
                raise _Refused("ALREADY_EXISTS", f"Subscription already exists: {request.id}")
            subscription = await self._admit(caller, request)
            self._connection.add(subscription)
            if not await self._resume(caller, subscription):
                await self._start(caller, subscription)
        except _Refused as refusal:
            await self._send(frames.error(request.id, refusal.code, refusal.text))

    async def next_batch(self, caller: Caller, request: NextBatch) -> None:
        """Send the page behind a cursor; the cursor is all the server knows of the client's progress."""
        try:
            subscription = self._connection.subscriptions.get(request.subscription_id)
            if subscription is None:
                text = f"Not found: Subscription not found: {request.subscription_id}"
                raise _Refused("BATCH_FETCH_FAILED", text)
            page = await self._next_page(caller, subscription, request)
        except _Refused as refusal:
            await self._send(frames.error(request.subscription_id, refusal.code, refusal.text))
            return
        subscription.batch_num += 1
        await self._send_page(subscription, page)

    def unsubscribe(self, caller: Caller, request: Unsubscribe) -> None:
        """Forget a live query; there is no answer, and unknown ids lower the user's count all the same."""
        prefix = self._connection.live_id("")
        full = self._connection.subscriptions.get(request.subscription_id.removeprefix(prefix))
        if request.subscription_id.startswith(prefix) and full is not None:
            # The server-wide id takes the query off the list, but its events keep coming (protocol/live.md#ids).
            full.is_listed = False
        else:
            self._connection.remove(request.subscription_id)
        self._registry.counter.add(caller.user_id, -1)

    async def _admit(self, caller: Caller, request: Subscribe) -> Subscription:
        """Run the server's checks in the server's order."""
        if self._registry.counter.of(caller.user_id) >= self._options.subscriptions_per_user:
            raise _Refused("SUBSCRIPTION_LIMIT_EXCEEDED", "Maximum subscriptions reached")
        size = batch_size(request.options)
        last_rows = request.options.last_rows if request.options is not None else None
        if last_rows is not None and last_rows > size:
            raise _Refused(
                "UNSUPPORTED",
                f"last_rows ({last_rows}) cannot exceed batch_size ({size}); "
                "paginated last_rows replay is not supported",
            )
        try:
            version = version_name(by_log=self._options.log_versions)
            query = parse_live_query(request.sql, version, is_plain=self._options.plain_live_queries)
        except InvalidQuery as error:
            raise _Refused("INVALID_SQL", str(error)) from None
        table = await self._readable_table(caller, query)
        _check_domain(request, table)
        most = self._options.subscriptions_per_connection
        if len(self._connection.subscriptions) >= most:
            text = f"Invalid operation: Maximum subscriptions ({most}) per connection exceeded"
            raise _Refused("UNSUPPORTED", text)
        try:
            return Subscription(request, query, table, caller=caller, options=self._options)
        except RefusedFilter as refused:
            raise _Refused("UNSUPPORTED", f"Unsupported operation: {refused}") from None

    async def _readable_table(self, caller: Caller, query: LiveQuery) -> TableInfo:
        table_id = f"{query.namespace}:{query.table}"
        if query.namespace == "system" and caller.role not in _ADMINS:
            text = (
                f"Permission denied: Cannot subscribe to system table '{table_id}': insufficient privileges. "
                "Only DBA and system roles can subscribe to system tables."
            )
            raise _Refused("UNAUTHORIZED", text)
        try:
            table = await asyncio.to_thread(self._backend.describe, caller, query.namespace, query.table)
        except SqlFailed as error:
            text = f"Permission denied: {error.message.removeprefix('Permission denied: ')}"
            raise _Refused("UNAUTHORIZED", text) from None
        if table is None:
            raise _Refused("NOT_FOUND", f"Not found: Table not found: {table_id}")
        return table

    async def _resume(self, caller: Caller, subscription: Subscription) -> bool:
        """Go on from a cursor by the log of changes; False where there is none to go on from, or it is too old."""
        replay, options = self._registry.replay, subscription.request.options
        if replay is None or options is None or options.from_seq is None:
            return False
        scope, cursor = _scope(caller, subscription), options.from_seq
        outcome = replay.outcome(scope, cursor)
        if outcome is Resume.SNAPSHOT:
            return False
        if outcome is Resume.EXPIRED:
            self._connection.remove(subscription.request.id)
            raise _Refused(*frames.EXPIRED)
        subscription.boundary = cursor
        control = self._control(subscription, has_more=False, last_seq_id=cursor)
        await self._send_ack(subscription, control)
        await self._send(frames.initial_data_batch(subscription.request.id, [], control))
        self._registry.counter.add(caller.user_id, 1)
        changes = replay.after(scope, cursor)
        # What came meanwhile is in the log as well.
        subscription.finish_loading()
        if changes is None:
            self._connection.cut(subscription)
        else:
            messages = [message for change in changes if (message := subscription.message_for(change)) is not None]
            self._connection.offer_all(subscription, messages)
        return True

    async def _send_ack(self, subscription: Subscription, control: frames.Message) -> None:
        schema = frames.schema_of(subscription.table.columns, subscription.query.columns)
        await self._send(frames.subscription_ack(subscription.request.id, control, schema))

    async def _start(self, caller: Caller, subscription: Subscription) -> None:
        """Read the first page, where one is wanted, and send ack and page."""
        id, options = subscription.request.id, subscription.request.options
        page, failure = None, None
        if options is not None:
            try:
                page, failure = await self._first_page(caller, subscription, first_page(options))
            except SqlFailed as error:
                self._connection.remove(id)
                raise _Refused("SUBSCRIPTION_FAILED", f"Execution error: {error.message}") from None
        has_more, last_seq_id = (page.has_more, page.last_seq_id) if page else (False, None)
        control = self._control(subscription, has_more, last_seq_id)
        await self._send_ack(subscription, control)
        if failure is not None:
            self._connection.remove(id)
            raise _Refused("CONVERSION_ERROR", f"Failed to convert row data: {failure}")
        self._registry.counter.add(caller.user_id, 1)
        if page is not None:
            await self._send_page(subscription, page)

    async def _first_page(
        self, caller: Caller, subscription: Subscription, request: PageRequest
    ) -> tuple[Page, str | None]:
        """Read the first page; the text says why its values cannot be sent, although the ack can."""
        if self._registry.replay is not None:
            self._registry.replay.begin(_scope(caller, subscription))
        request = await self._with_boundary(caller, subscription, request)
        if self._registry.replay is not None:
            self._registry.replay.note(_scope(caller, subscription), subscription.boundary)
        try:
            return await self._page(caller, subscription, request), None
        except Unencodable as error:
            return await self._page(caller, subscription, request, keys_only=True), error.message

    async def _with_boundary(self, caller: Caller, subscription: Subscription, request: PageRequest) -> PageRequest:
        """Fix the snapshot's end: the greatest version of the rows that match now."""
        answer = await self._select(caller, boundary_sql(subscription.query, request))
        greatest = answer.rows[0][0]
        subscription.boundary = 0 if greatest is None else int(str(greatest))
        return PageRequest(request.limit, request.after, subscription.boundary, request.newest)

    async def _next_page(self, caller: Caller, subscription: Subscription, request: NextBatch) -> Page:
        if subscription.request.options is None:
            text = f"Subscription {request.subscription_id} was created without initial data loading"
            raise _Refused("BATCH_FETCH_FAILED", f"Invalid operation: {text}")
        namespace, table = subscription.table_key
        try:
            if await asyncio.to_thread(self._backend.describe, caller, namespace, table) is None:
                text = f"Not found: Table {namespace}:{table} not found for batch fetch"
                raise _Refused("BATCH_FETCH_FAILED", text)
            size = batch_size(subscription.request.options)
            page = PageRequest(size, after=request.last_seq_id, until=subscription.boundary)
            return await self._page(caller, subscription, page)
        except SqlFailed as error:
            raise _Refused("BATCH_FETCH_FAILED", f"Execution error: {error.message}") from None
        except Unencodable as error:
            raise _Refused("CONVERSION_ERROR", f"Failed to convert row data: {error.message}") from None

    async def _page(
        self, caller: Caller, subscription: Subscription, request: PageRequest, *, keys_only: bool = False
    ) -> Page:
        if request.limit == 0:
            return Page([], has_more=False)
        columns = subscription.selected_key if keys_only else None
        answer = await self._select(caller, page_sql(subscription.query, request, columns))
        if has_bare_or(subscription.query):
            deleted = await self._select(caller, deleted_rows_sql(subscription.query, request, columns))
            answer = with_deleted(answer, deleted, request, subscription.key, subscription.query.version)
        version = subscription.query.version
        return page_of(answer, request, version, in_version_order=self._options.page_by_version)

    async def _select(self, caller: Caller, sql: str) -> SelectRows:
        return await asyncio.to_thread(self._backend.select, caller, sql)

    def _control(self, subscription: Subscription, has_more: bool, last_seq_id: int | None) -> frames.Message:
        """Describe the page that is sent next, or the first one in the ack."""
        return frames.batch_control(
            subscription.batch_num,
            has_more,
            last_seq_id,
            as_text=self._options.text_cursors,
            domain=subscription.table.domain if subscription.batch_num == 0 else None,
        )

    async def _send_page(self, subscription: Subscription, page: Page) -> None:
        control = self._control(subscription, page.has_more, page.last_seq_id)
        await self._send(frames.initial_data_batch(subscription.request.id, page.rows, control))
        if not page.has_more:
            self._connection.finish_loading(subscription)


def _check_domain(request: Subscribe, table: TableInfo) -> None:
    """Refuse a cursor of another history: without the domain that was told, or with another one."""
    given = request.options
    if given is None:
        return
    is_missing = given.from_seq is not None and table.domain is not None and given.version_domain is None
    is_other = given.version_domain is not None and given.version_domain != table.domain
    if is_missing or is_other:
        raise _Refused(*frames.EXPIRED)


def _scope(caller: Caller, subscription: Subscription) -> Scope:
    """Return whose changes of which table a live query hears of."""
    owner = None if subscription.table.kind == "shared" else caller.user_id
    return owner, *subscription.table_key
