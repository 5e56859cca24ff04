"""Reading multipart requests: text parts, file parts, their limits (protocol/http.md#uploads)."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import BodyPartReader, web

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.errors import INVALID_INPUT
from kalam_sandbox.files import Upload

_TEXTS = ("sql", "params", "namespace_id")
_FILE = "file:"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a request that mean something."""

    texts: dict[str, str]
    uploads: tuple[Upload, ...]


async def read_multipart(request: web.Request, *, max_text_bytes: int, max_file_bytes: int, max_files: int) -> Parts:
    """Read all parts into memory; other parts are ignored, of equal names the last one wins.

    Raises:
        SqlFailed: The stream is broken, a file is too large, or there are too many.
    """
    texts: dict[str, str] = {}
    uploads: dict[str, Upload] = {}
    count = 0
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            if part.name in _TEXTS:
                too_long = f"Multipart parse error: field '{part.name}' exceeds maximum size of {max_text_bytes} bytes"
                texts[part.name] = (await _content(part, max_text_bytes, SqlFailed(INVALID_INPUT, too_long))).decode()
            elif part.name.startswith(_FILE):
                count += 1
                if count > max_files:
                    raise SqlFailed("TOO_MANY_FILES", f"Too many files: maximum {max_files} allowed")
                upload = await _file(part, part.name.removeprefix(_FILE), max_file_bytes)
                uploads[upload.placeholder] = upload
    except (ValueError, AssertionError, LookupError) as broken:
        raise SqlFailed(INVALID_INPUT, f"Multipart parse error: {broken}") from None
    return Parts(texts, tuple(uploads.values()))


async def _file(part: BodyPartReader, placeholder: str, max_bytes: int) -> Upload:
    too_large = f"File '{part.filename or placeholder}' exceeds maximum size of {max_bytes} bytes"
    content = await _content(part, max_bytes, SqlFailed("FILE_TOO_LARGE", too_large))
    return Upload(placeholder, part.filename, part.headers.get("Content-Type"), content)


async def _content(part: BodyPartReader, max_bytes: int, too_large: SqlFailed) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk(65_536):
        content += chunk
        if len(content) > max_bytes:
            raise too_large
    return bytes(content)
