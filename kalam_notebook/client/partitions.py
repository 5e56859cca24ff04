"""A query over a large table in parts, for many processes: picklable, without a secret, each read exactly."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, overload

import pyarrow as pa

from kalam_notebook.callers import short_failures
from kalam_notebook.client.exporting import ExportCalls
from kalam_notebook.client.reading import DEFAULT_BATCH_ROWS, tell
from kalam_notebook.errors import AuthError, ConfigError, MissingDependencyError
from kalam_notebook.reading.parts import Part
from kalam_notebook.results.batches import QueryBatches
from kalam_notebook.results.frames import to_pandas
from kalam_notebook.results.results import Completeness, QueryResult
from kalam_notebook.sql.tables import bound_table
from kalam_notebook.wire.arguments import check_function, check_number
from kalam_notebook.wire.types import Column, arrow_schema

if TYPE_CHECKING:
    import dask.dataframe as dd
    import pandas as pd

__all__ = ["Partition", "PartitionCalls", "Partitions"]

#: Some hundred megabytes of ten columns as a frame: what a worker holds at a time.
_ROWS = 1_000_000

_LOGIN_ADVICE = (
    "A process that reads a partition finds its login as kalam.connect does: set KALAMDB_ROOT_PASSWORD there, save a "
    "login with the KalamDB CLI, or give partitions(…, token_provider=function of a module)."
)

_lock = threading.Lock()
#: The clients of this process, by what they are made of.
_clients: dict[bytes, Any] = {}


@dataclass(frozen=True, slots=True)
class Partition:
    """Some rows of a query. It can be pickled and read in any process that reaches the server.

    Attributes:
        url: The server.
        user: As whom it is read; the process that reads it finds the password or token itself.
        token_provider: Gives access tokens there, in the place of a password; None where that is not needed.
        columns: The columns of the rows.
        number: Its place among the partitions, from 0.
        count: How many there are.
    """

    url: str
    user: str | None
    token_provider: Callable[[], str] | None = field(repr=False)
    columns: tuple[Column, ...]
    number: int
    count: int
    _part: Part = field(repr=False)
    _bind: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        """Rows that are looked through; as many as it has, but for those that do not match or were deleted."""
        return self._part.rows

    def batches(self, client: Any = None, *, batch_rows: int = DEFAULT_BATCH_ROWS) -> QueryBatches:  # noqa: ANN401
        """Read the rows in record batches, in the memory of one; in that of all, with ``strict=True``.

        Args:
            client: Asks the server; None for a client of this process that finds its login itself, and is kept for
                the next partition.
            batch_rows: Rows of a batch, at most: 50,000.

        Raises:
            KalamError: As ``query_batches``, also while batches are taken.
        """
        check_number("batch_rows", batch_rows)
        reader = (client or self._client())._reader
        return QueryBatches(
            reader.read_part(self._part, batch_rows=batch_rows),
            on_end=lambda completeness: None,
            find_schema=lambda: arrow_schema(self.columns),
        )

    def read(self, client: Any = None) -> QueryResult:  # noqa: ANN401 - a client, which stands above.
        """Read all rows, as they were when the partitions were made.

        A row that was changed after that and before it was read is as it is now, and one that was deleted is missing;
        ``completeness`` tells how many. With ``strict=True`` all rows are then as they were at one later moment.

        Args:
            client: As for ``batches``.

        Raises:
            ResultError: Rows of a strict partition changed each time that it was read.
            KalamError: As ``query_batches``.
        """
        batches = self.batches(client)
        table = pa.Table.from_batches(list(batches), arrow_schema(self.columns))
        return QueryResult(
            self.columns, table.num_rows, completeness=batches.completeness, _table=table, _bind=self._bind
        )

    def _client(self) -> Any:  # noqa: ANN401
        from kalam_notebook.client.client import Client

        source = pickle.dumps((self.url, self.user, self.token_provider))
        with _lock:
            if source not in _clients:
                try:
                    client = Client(self.url, user=self.user, token_provider=self.token_provider)
                    client.check_login()
                except (ConfigError, AuthError) as exc:
                    exc.add_note(_LOGIN_ADVICE)
                    raise
                _clients[source] = client
            return _clients[source]


class Partitions(Sequence[Partition]):
    """The partitions of a query, in order.

    Attributes:
        schema: The Arrow schema of all.
        completeness: What is known of all of them together, before they are read.
    """

    def __init__(self, parts: Sequence[Partition], completeness: Completeness) -> None:
        self._parts = tuple(parts)
        self.schema: pa.Schema = arrow_schema(parts[0].columns)
        self.completeness = completeness

    @property
    def key(self) -> str | None:
        """The primary key, where it is among the columns."""
        return next((column.name for column in self._parts[0].columns if column.is_primary_key), None)

    @property
    def divisions(self) -> tuple[int | str, ...] | None:
        """The least key of each partition and the greatest of the last, as Dask has them.

        None where the keys of partitions overlap, or have no order that is known here.
        """
        found: list[Any] = [(part._part.first_key, part._part.last_key) for part in self._parts]
        if any(None in ends for ends in found):
            return None
        if any(last >= first for (_, last), (first, _) in pairwise(found)):
            return None
        return (*(first for first, _ in found), found[-1][1])

    @overload
    def __getitem__(self, index: int) -> Partition: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Partition]: ...
    def __getitem__(self, index: int | slice) -> Partition | Sequence[Partition]:
        return self._parts[index]

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Partition]:
        return iter(self._parts)

    def __repr__(self) -> str:
        rows = sum(part.rows for part in self._parts)
        return f"<Partitions {len(self)} of {rows:,} rows, {self.completeness}>"


@short_failures
class PartitionCalls(ExportCalls):
    """Tables beyond one machine."""

    def partitions(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        rows: int | None = None,
        n: int | None = None,
        by: Literal["version", "key"] = "version",
        strict: bool = False,
        token_provider: Callable[[], str] | None = None,
    ) -> Partitions:
        """Cut ``SELECT columns FROM table [WHERE …]`` into partitions that other processes read, each row in one.

        The keys of the table are read for that, in the memory of all keys. They tell the version of each row at one
        moment; partitions hold these, an address and the name of a user, and no secret.

        Args:
            sql: The query, over one table.
            params: Values for ``$1 …``; see ``execute_query``.
            namespace: Namespace of table names that have none; None for the client's.
            rows: Rows of a partition, at most; a million, unless ``n`` is given.
            n: How many partitions.
            by: ``version`` for rows that were written one after the other, which costs the server least; ``key`` for
                rows whose keys lie beside each other.
            strict: Raise when it cannot be made sure that the partitions are complete, instead of warning; and read a
                partition again whose rows changed before they were read, up to three times, so that all of it is of
                one moment.
            token_provider: A function of a module that gives access tokens in the process that reads; None where a
                process finds its login as ``kalam.connect`` does.

        Returns:
            At least one partition.

        Warns:
            IncompleteResultWarning: The server has damaged a column of the table.

        Raises:
            ConfigError: The arguments contradict each other, or no other process could log in as this user.
            ResultError: The query is another one.
            KalamError: As ``query``.
        """
        if rows is not None and n is not None:
            raise ConfigError("Give rows=… or n=…, not both.")
        size = check_number("rows", _ROWS if rows is None else rows)
        if n is not None:
            check_number("n", n)
        if by not in ("version", "key"):
            raise ConfigError(f"by is 'version' or 'key', not {by!r}.")
        provider = token_provider or self._settings.credentials.token_provider
        self._check_source(provider)

        qualified, values = self._bound(sql, params, namespace, allow_unsafe=False)
        with self._running(qualified):
            columns, parts, damage = self._reader.read_parts(qualified, values, rows=size, count=n, by_key=by == "key")
        reason = f"in {len(parts)} partitions by {parts[0].plan.version.name} up to {parts[0].upto}"
        text = f"not certain: {damage}" if damage else f"complete ({reason})"
        completeness = Completeness(damage is None, text, method="pages", reason=damage or reason)
        tell(completeness, strict=strict)

        user, bind = self.user, bound_table(qualified)
        found = [
            Partition(
                self.url, user, provider, columns, number, len(parts), replace(part, is_strict=bool(strict)), bind
            )
            for number, part in enumerate(parts)
        ]
        return Partitions(found, completeness)

    def to_dask(
        self,
        sql: str,
        params: Sequence[Any] | None = None,
        *,
        namespace: str | None = None,
        rows: int | None = None,
        n: int | None = None,
        by: Literal["version", "key"] = "version",
        strict: bool = False,
        token_provider: Callable[[], str] | None = None,
    ) -> dd.DataFrame:
        """Make a Dask DataFrame of ``partitions``, whose workers read from the server themselves.

        Where the keys of partitions follow each other, as with ``by="key"`` and in tables that were written in the
        order of their keys, the key is the index, with known divisions. The arguments are those of ``partitions``.

        Returns:
            A frame with the types of ``kalam.query``; nothing but keys is read before it is computed.

        Raises:
            MissingDependencyError: Dask is not installed.
            KalamError: Otherwise as ``partitions``.
        """
        try:
            import dask.dataframe as dd
        except ImportError:
            raise MissingDependencyError(
                "Dask is not installed. Install it with: pip install 'kalam-notebook[dask]'"
            ) from None
        parts = self.partitions(
            sql,
            params,
            namespace=namespace,
            rows=rows,
            n=n,
            by=by,
            strict=strict,
            token_provider=token_provider,
        )
        divisions = parts.divisions if parts.key is not None else None
        index = parts.key if divisions is not None else None
        meta = _indexed(to_pandas(parts.schema.empty_table()), index)
        frame: dd.DataFrame = dd.from_map(  # type: ignore[no-untyped-call]
            _read_frame, list(parts), index=index, meta=meta, divisions=divisions, label="kalam"
        )
        return frame

    def _check_source(self, provider: Callable[[], str] | None) -> None:
        """See that another process can log in, before it tries."""
        check_function("token_provider", provider)
        if provider is None:
            if self.user is None:
                raise ConfigError(f"It is not known as whom another process shall log in.\n{_LOGIN_ADVICE}")
            return
        try:
            pickle.dumps(provider)
        except Exception:  # Pickling runs code of others.
            raise ConfigError(
                "token_provider cannot be sent to another process. Give a function that a module defines, and that "
                "reads the token where it is called."
            ) from None


def _read_frame(partition: Partition, index: str | None) -> pd.DataFrame:
    return _indexed(partition.read().df(), index)


def _indexed(frame: pd.DataFrame, index: str | None) -> pd.DataFrame:
    return frame if index is None else frame.set_index(index).sort_index()
