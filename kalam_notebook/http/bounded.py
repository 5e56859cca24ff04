"""How much of an answer is read: what a server, or what answers in its place, sends without end comes to one here."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from kalam_notebook.errors import ProtocolError, ResultError

__all__ = ["MAX_SMALL_BYTES", "TooLargeError", "bound"]

#: Bytes of logins, health answers, errors and the like, which have some hundred.
MAX_SMALL_BYTES = 10_000_000


class TooLargeError(ResultError):
    """What a statement returns has more bytes than this client reads into memory."""


def bound(response: httpx.Response, limit: int | None, *, is_result: bool) -> None:
    """Have no more read of an answer than a number of bytes, and nothing that has to be unpacked.

    Args:
        response: An answer whose body has not been read.
        limit: The bytes; None for all.
        is_result: Whether it is what a statement returns, whose size nobody knows before.

    Raises:
        ProtocolError: It is packed, though that was not asked for: a few bytes may unpack to any number.
        TooLargeError: While it is read; ``ProtocolError`` when it is no result.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise ProtocolError(
            f"The answer came packed ({encoding[:40]!r}), which was not asked for; it was not read. "
            "Check what stands between here and the server."
        )
    if limit is not None:
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _Bounded(response.stream, limit, is_result=is_result)


class _Bounded(httpx.SyncByteStream):
    """A body up to a number of bytes."""

    def __init__(self, stream: httpx.SyncByteStream, limit: int, *, is_result: bool) -> None:
        self._stream = stream
        self._limit = limit
        self._is_result = is_result

    def __iter__(self) -> Iterator[bytes]:
        left = self._limit
        for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise _too_large(self._limit, is_result=self._is_result)
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _too_large(limit: int, *, is_result: bool) -> ProtocolError | TooLargeError:
    if not is_result:
        return ProtocolError(
            f"The answer has more than {limit:,} bytes, where some hundred were expected. Check that the URL is the "
            "server's."
        )
    return TooLargeError(
        f"The answer has more than {limit:,} bytes; nothing of it was used.\n"
        "Read it in pieces, for batch in kalam.query_batches(sql), or allow more: "
        "kalam.connect(url, max_result_bytes=...), None for any number."
    )
