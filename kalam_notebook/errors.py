"""Every error that the package raises, one tree with ``KalamError`` at the root.

    KalamError
    ├─ ConfigError                  no server, unreadable login file, bad option
    ├─ AuthError                    login refused, token expired and not renewable: .code, .status, .sql
    ├─ TransportError               no answer from the server
    │  ├─ ConnectError              the server cannot be reached
    │  └─ RequestTimeoutError       also TimeoutError
    ├─ ServerError                  the server answered with an error: .code, .status, .sql
    │  ├─ QueryError                SQL refused or failed
    │  ├─ NotFoundError             file, topic or route does not exist
    │  ├─ PermissionDeniedError     the role is too low
    │  ├─ RateLimitError            too many requests: .retry_after
    │  ├─ NotLeaderError            a cluster follower answered
    │  └─ FileRejectedError         upload refused: size, type, number
    ├─ ProtocolError                the server broke the contract
    ├─ DecodeError                  also ValueError: .column, .row, .type_name, .value
    ├─ ParameterError               also ValueError: a value cannot be sent: .parameter
    ├─ FrameError                   also ValueError: a frame cannot be written as it is: .column, .row
    ├─ WriteError                   a request of a write failed: .rows, .kept
    ├─ UnsafeStatementError         the server would do something else than the statement says: .reason, .safe_form
    ├─ ResultError                  a result cannot be what was asked for
    │  └─ NotIterableError          also TypeError: a live table cannot be looped over
    ├─ DownloadError                a file differs from its FileRef, or could not be written
    ├─ LiveError
    │  ├─ SubscriptionError         the server refused a live query: .code
    │  ├─ SlowConsumerError         a bounded queue is full
    │  └─ RecordingError            a recording cannot be written or read: .path, .reason
    ├─ TopicError                   a topic cannot be consumed as asked
    └─ MissingDependencyError       also ImportError: an extra is not installed

Facts are attributes, and the text is made from them. All errors pickle. They show the reader's own lines only; the rest
is in ``%tb`` of IPython, and in scripts with ``KALAM_TRACEBACK=whole``.
"""

from __future__ import annotations

from kalam_notebook.advice import for_magic
from kalam_notebook.callers import short_traceback
from kalam_notebook.texts import shown, without_secrets

__all__ = [
    "AuthError",
    "ConfigError",
    "ConnectError",
    "DecodeError",
    "DownloadError",
    "FileRejectedError",
    "FrameError",
    "KalamError",
    "LiveError",
    "MissingDependencyError",
    "NotFoundError",
    "NotIterableError",
    "NotLeaderError",
    "ParameterError",
    "PermissionDeniedError",
    "ProtocolError",
    "QueryError",
    "RateLimitError",
    "RecordingError",
    "RequestTimeoutError",
    "ResultError",
    "ServerError",
    "SlowConsumerError",
    "SubscriptionError",
    "TopicError",
    "TransportError",
    "UnsafeStatementError",
    "WriteError",
    "server_error",
]


class KalamError(Exception):
    """Root of all errors of this package.

    ``str`` gives a text for people: without secrets and control characters, and cut where nobody would read on. The
    attributes hold all of it.

    Attributes:
        is_of_magic: Whether it is read below a magic, where options are written ``--limit`` and not ``max_rows=``.
    """

    is_of_magic = False

    def __str__(self) -> str:
        text = self._text()
        return shown(without_secrets(for_magic(text) if self.is_of_magic else text))

    def __repr__(self) -> str:
        return without_secrets(super().__repr__())

    def _text(self) -> str:
        return super().__str__()

    def _render_traceback_(self) -> list[str]:  # IPython shows these lines.
        return short_traceback(self)


class ConfigError(KalamError):
    """A setting is missing or cannot be used."""


class AuthError(KalamError):
    """The server does not accept who asks.

    Attributes:
        code: The server's code, for example ``unauthorized`` or ``TOKEN_EXPIRED``; None when no server was asked.
        status: The HTTP status; 0 when no answer to a request was the reason.
        sql: The statement that was not carried out for it; empty when it was not about one.
    """

    def __init__(self, message: str, code: str | None = None, status: int = 0, sql: str = "") -> None:
        super().__init__(message, code, status, sql)
        self.message = message
        self.code = code
        self.status = status
        self.sql = sql

    def _text(self) -> str:
        return self.message


class TransportError(KalamError):
    """The request got no usable answer."""


class ConnectError(TransportError):
    """The server cannot be reached."""


class RequestTimeoutError(TransportError, TimeoutError):
    """The server did not answer in time."""


class ServerError(KalamError):
    """The server answered with an error.

    Attributes:
        code: The server's code, for example ``SQL_EXECUTION_ERROR``; unknown codes are kept as they are.
        message: The server's text.
        status: The HTTP status.
        sql: The statement that failed, as the server or else the caller has it; None where there is none.
        hint: What to do next, in the client's words; may be empty.
        pointer: The line of the statement with a mark below the place, where that is known; may be empty.
    """

    pointer = ""

    def __init__(self, code: str, message: str, status: int, sql: str | None = None, hint: str = "") -> None:
        super().__init__(code, message, status, sql, hint)
        self.code = code
        self.message = message
        self.status = status
        self.sql = sql
        self.hint = hint

    def _text(self) -> str:
        parts = (f"{self.code}: {self.message}", self.pointer, self.hint)
        return "\n".join(part for part in parts if part)


class QueryError(ServerError):
    """A statement was refused, or failed while it ran; whatever its code, where that is not known."""


class NotFoundError(ServerError):
    """What was asked for does not exist."""


class PermissionDeniedError(ServerError):
    """The role of the user is not sufficient."""


class RateLimitError(ServerError):
    """Too many requests.

    Attributes:
        retry_after: Seconds to wait as the server says, or None.
    """

    retry_after: float | None = None


class NotLeaderError(ServerError):
    """A follower of a cluster answered; the text names the leader."""


class FileRejectedError(ServerError):
    """An upload was refused for its size, type or number."""


class ProtocolError(KalamError):
    """The server's answer is not what the protocol promises."""


class DecodeError(KalamError, ValueError):
    """A cell does not fit the type that was announced for its column.

    Attributes:
        column: Name of the column.
        type_name: The announced type.
        row: Row number in the result, from 0; None when unknown.
        value: The start of the offending cell.
    """

    def __init__(self, column: str, type_name: str, row: int | None, value: str, reason: str = "") -> None:
        super().__init__(column, type_name, row, value, reason)
        self.column = column
        self.type_name = type_name
        self.row = row
        self.value = value
        self.reason = reason

    def _text(self) -> str:
        where = "" if self.row is None else f", row {self.row}"
        text = f"Column {self.column!r} ({self.type_name}){where}: cannot read {self.value}"
        text += f" ({self.reason})." if self.reason else "."
        return f"{text}\nThe rows were not used. Cast the column in SQL, for example arrow_cast({self.column}, 'Utf8')."


class ParameterError(KalamError, ValueError):
    """A Python value cannot be sent as a parameter.

    Attributes:
        parameter: The placeholder, for example ``$2``.
    """

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(parameter, reason)
        self.parameter = parameter
        self.reason = reason

    def _text(self) -> str:
        return f"Parameter {self.parameter}: {self.reason}"


#: Problems of a frame that are told one by one.
_MOST_PROBLEMS = 12


class FrameError(KalamError, ValueError):
    """A frame cannot be written as it is; nothing of it was sent.

    Attributes:
        reason: What is wrong, and what to do.
        column: Name of the column, or None when it is not about one.
        row: Row number in the frame, from 0; None when it is not about one.
        value: The start of the offending value; empty when it is not about one.
        others: What else is wrong with the frame.
    """

    def __init__(
        self,
        reason: str,
        *,
        column: str | None = None,
        row: int | None = None,
        value: str = "",
        others: tuple[FrameError, ...] = (),
    ) -> None:
        super().__init__(reason, column, row, value, others)
        self.reason = reason
        self.column = column
        self.row = row
        self.value = value
        self.others = others

    def __reduce__(self) -> tuple[object, ...]:
        return _frame_error, (self.reason, self.column, self.row, self.value, self.others)

    def _text(self) -> str:
        if not self.others:
            return f"{self._line()}\nNothing was sent."
        lines = [f"- {error._line()}" for error in (self, *self.others)]
        more = [f"- and {len(lines) - _MOST_PROBLEMS} more"] if len(lines) > _MOST_PROBLEMS else []
        told = "\n".join([*lines[:_MOST_PROBLEMS], *more])
        return f"{len(lines)} things keep the frame from being written. Nothing was sent.\n{told}"

    def _line(self) -> str:
        column = "" if self.column is None else f"column {self.column!r}"
        row = "" if self.row is None else f"row {self.row}"
        where = ", ".join(part for part in (column, row) if part)
        value = f"{self.value} " if self.value else ""
        return f"{where[:1].upper()}{where[1:]}{': ' if where else ''}{value}{self.reason}"


def _frame_error(
    reason: str, column: str | None, row: int | None, value: str, others: tuple[FrameError, ...]
) -> FrameError:
    return FrameError(reason, column=column, row=row, value=value, others=others)


class WriteError(KalamError):
    """A request of a write failed. The ``__context__`` is the error of that request.

    Attributes:
        table: The table.
        rows: First row of the failed request and the row behind its last one, counted from 0.
        kept: Whether the failed request's rows were written: False when they were not, None when it is not known.
        advice: What to do next.
        failure: First line of the request's error.
    """

    def __init__(self, table: str, rows: tuple[int, int], kept: bool | None, advice: str, failure: str) -> None:
        super().__init__(table, rows, kept, advice, failure)
        self.table = table
        self.rows = rows
        self.kept = kept
        self.advice = advice
        self.failure = failure

    def _text(self) -> str:
        first, behind = self.rows
        fate = "were not written" if self.kept is False else "may have been written or not"
        before = f"; the {first:,} rows before them were" if first else ""
        return f"{self.table}: {self.failure}\nRows {first} to {behind - 1} {fate}{before}.\n{self.advice}"


class UnsafeStatementError(KalamError):
    """A statement was not sent, because the server would do something else than it says.

    Attributes:
        sql: The statement.
        reason: What the server would do.
        safe_form: What to write instead.
    """

    def __init__(self, sql: str, reason: str, safe_form: str) -> None:
        super().__init__(sql, reason, safe_form)
        self.sql = sql
        self.reason = reason
        self.safe_form = safe_form

    def _text(self) -> str:
        return f"{self.reason}\n{self.safe_form}\nallow_unsafe=True sends it as it is."


class ResultError(KalamError):
    """A result cannot be given in the form asked for."""


class NotIterableError(ResultError, TypeError):
    """What was looped over, perhaps by another library, is no iterable."""


class DownloadError(KalamError):
    """A downloaded file is not the one its FileRef describes, or could not be written."""


class LiveError(KalamError):
    """A live query failed."""


class SubscriptionError(LiveError):
    """The server refused a live query.

    Attributes:
        code: The server's code, for example ``SUBSCRIPTION_LIMIT_EXCEEDED``.
        sql: The live query.
        hint: What to do next; may be empty.
    """

    def __init__(self, code: str, message: str, sql: str, hint: str = "") -> None:
        super().__init__(code, message, sql, hint)
        self.code = code
        self.message = message
        self.sql = sql
        self.hint = hint

    def _text(self) -> str:
        text = f"{self.code}: {self.message}"
        return f"{text}\n{self.hint}" if self.hint else text


class SlowConsumerError(LiveError):
    """Events were not taken as fast as they came, the bounded queue was full, and the stream ended there.

    Attributes:
        received: Events that came in all, the one that found no room included.
        max_queue: Events that were waiting.
        last_seq: ``_seq`` behind which the stream can be begun again; None before the last batch of rows.
        num_bytes: Bytes of their messages; no more than 64 MB may wait.
    """

    def __init__(self, received: int, max_queue: int, last_seq: int | None, num_bytes: int = 0) -> None:
        super().__init__(received, max_queue, last_seq, num_bytes)
        self.received = received
        self.max_queue = max_queue
        self.last_seq = last_seq
        self.num_bytes = num_bytes

    def _text(self) -> str:
        again = "" if self.last_seq is None else f", and begin again with from_seq={self.last_seq}"
        size = f" with {self.num_bytes / 1e6:,.0f} MB" if self.num_bytes >= 1e6 else ""
        return (
            f"The queue of live events was full: {self.max_queue:,}{size} waited when event {self.received:,} came. "
            "It and all later ones are lost; what waited was delivered.\n"
            f"Take events faster, raise max_queue or use on_full='block'{again}."
        )


class RecordingError(LiveError):
    """A recording of a live table cannot be written or read.

    Attributes:
        path: The file.
        reason: Why, and what to do.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def _text(self) -> str:
        return f"{self.path}: {self.reason}"


class TopicError(KalamError):
    """A topic cannot be consumed as asked."""


class MissingDependencyError(KalamError, ImportError):
    """A package of an extra is not installed."""


_CLASSES: dict[str, type[ServerError]] = {
    "EMPTY_SQL": QueryError,
    "BATCH_PARSE_ERROR": QueryError,
    "INVALID_SQL": QueryError,
    "INVALID_PARAMETER": QueryError,
    "PARAMS_WITH_BATCH": QueryError,
    "SQL_EXECUTION_ERROR": QueryError,
    "INVALID_INPUT": QueryError,
    "TABLE_NOT_FOUND": QueryError,
    "FILE_NOT_FOUND": NotFoundError,
    "EXPORT_NOT_FOUND": NotFoundError,
    "NOT_FOUND": NotFoundError,
    "PERMISSION_DENIED": PermissionDeniedError,
    "FORBIDDEN": PermissionDeniedError,
    "forbidden": PermissionDeniedError,
    "INSUFFICIENT_PERMISSIONS": PermissionDeniedError,
    "REMOTE_ACCESS_DENIED": PermissionDeniedError,
    "RATE_LIMIT_EXCEEDED": RateLimitError,
    "IP_BANNED": RateLimitError,
    "rate_limited": RateLimitError,
    "NOT_LEADER": NotLeaderError,
    "FILE_TOO_LARGE": FileRejectedError,
    "TOO_MANY_FILES": FileRejectedError,
    "BODY_TOO_LARGE": FileRejectedError,
}

_HINTS: dict[str, str] = {
    "RATE_LIMIT_EXCEEDED": "Nothing was executed. Wait a second and send it again.",
    "PARAMS_WITH_BATCH": "Send the statements one by one; only a single statement takes parameters.",
    "FILE_TOO_LARGE": "The server's limit is files.max_size_bytes. Split the file or raise the limit.",
    "BODY_TOO_LARGE": "The server's limit for a request is rate_limit.request_body_limit_bytes (10 MiB by default).",
    "NOT_LEADER": "Connect to the leader named above.",
}


def server_error(code: str, message: str, status: int, sql: str | None = None) -> ServerError:
    """Make the exception for an error answer.

    Args:
        code: The server's code.
        message: The server's text.
        status: The HTTP status.
        sql: The statement that failed, if there is one.

    Returns:
        The class that belongs to the code; of an unknown one that of the status, and ``QueryError`` for a statement.
    """
    kind = _CLASSES.get(code)
    if kind is None:
        # Codes are an open set (protocol/http.md#later-versions); what comes without one is not about the statement.
        is_refused = sql is not None and 400 <= status < 500 and not code.startswith("HTTP_")
        usual = QueryError if is_refused else ServerError
        kind = {404: NotFoundError, 403: PermissionDeniedError, 429: RateLimitError}.get(status, usual)
    return kind(code, message, status, sql, _HINTS.get(code, ""))
