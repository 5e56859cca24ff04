"""Uploaded files: references, stored names, bytes in memory (protocol/http.md#uploads).

Nothing removes a file but the upload that failed to use it; UPDATE and DELETE leave it, as on the server.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field

from kalam_sandbox.ids import Snowflakes

_FILES_PER_FOLDER = 5000
_MAGIC = (
    (b"%PDF", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
)
_EXTENSIONS = {
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "css": "text/css",
    "csv": "text/csv",
    "js": "text/javascript",
    "json": "application/json",
    "xml": "text/xml",
    "zip": "application/zip",
    "gz": "application/gzip",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
}
_FALLBACK = "application/octet-stream"
_SUB = re.compile(r"f\d{4}$")


@dataclass(frozen=True, slots=True)
class FileRef:
    """Reference to one stored file, as a FILE column holds it."""

    id: str
    sub: str
    name: str
    size: int
    mime: str
    sha256: str

    @property
    def json(self) -> str:
        """The JSON text of the column's value."""
        members = {name: getattr(self, name) for name in ("id", "sub", "name", "size", "mime", "sha256")}
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"))

    @property
    def stored_name(self) -> str:
        """The last segment of the download path."""
        return stored_name(self.id, self.name)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file part of a request."""

    placeholder: str
    filename: str | None
    content_type: str | None
    content: bytes = field(repr=False)


def stored_name(file_id: str, name: str) -> str:
    """Return ``<id>-<clean>.<ext>`` for an original file name.

    >>> stored_name("123", "My Document.pdf"), stored_name("123", "a__b--c (1).PNG"), stored_name("123", "README")
    ('123-my-document.pdf', '123-a-b-c-1.png', '123-readme.bin')
    """
    stem, dot, ext = name.rpartition(".")
    if not dot:
        stem, ext = name, "bin"
    ext = ext.lower()
    if ext and not (ext.isascii() and ext.isalnum() and len(ext) <= 10):
        ext = "bin"
    mapped = "".join("-" if char in " _-" else char.lower() for char in stem if _kept(char))[:50]
    clean = re.sub("-+", "-", mapped).strip("-")
    return f"{file_id}-{clean}.{ext}" if clean else f"{file_id}.{ext}"


def _kept(char: str) -> bool:
    return char in " _-" or (char.isascii() and char.isalnum())


def guess_type(name: str) -> str:
    """Return the media type that a name's extension suggests."""
    return _EXTENSIONS.get(name.rpartition(".")[2].lower(), _FALLBACK)


def is_safe_path(sub: str, name: str) -> bool:
    """Say whether the last two segments of a download path are well formed."""
    return _SUB.match(sub) is not None and not any(bad in name for bad in ("..", "/", "\\", "\0"))


class FileStore:
    """Bytes of uploaded files, by table, owner, folder and stored name."""

    def __init__(self) -> None:
        self._ids = Snowflakes()
        self._files: dict[tuple[str, str | None, str, str], bytes] = {}
        self._counts: dict[tuple[str, str | None], int] = {}

    def store(self, table: str, owner: str | None, upload: Upload) -> FileRef:
        """Keep a file and return its reference.

        Args:
            table: ``namespace.table``.
            owner: User id for USER tables, None for SHARED ones.
            upload: The part of the request.
        """
        count = self._counts.get((table, owner), 0)
        self._counts[table, owner] = count + 1
        content = upload.content
        name = upload.filename or upload.placeholder
        reference = FileRef(
            id=str(self._ids.next()),
            sub=f"f{count // _FILES_PER_FOLDER + 1:04d}",
            name=name,
            size=len(content),
            mime=upload.content_type or _sniffed(content) or guess_type(name),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        self._files[table, owner, reference.sub, reference.stored_name] = content
        return reference

    def remove(self, table: str, owner: str | None, reference: FileRef) -> None:
        """Forget a file whose statement failed."""
        self._files.pop((table, owner, reference.sub, reference.stored_name), None)

    def load(self, table: str, owner: str | None, sub: str, name: str) -> bytes | None:
        """Return the bytes of a file, None when there is none."""
        return self._files.get((table, owner, sub, name))


def _sniffed(content: bytes) -> str | None:
    return next((mime for magic, mime in _MAGIC if content.startswith(magic)), None)
