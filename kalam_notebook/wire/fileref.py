"""``FileRef``: what a FILE cell holds, and where the file is found on the server.

Pure: names and paths only; downloading is the transport's work. Source: protocol/http.md#file-references, #downloads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import orjson

from kalam_notebook.errors import ConfigError, ParameterError
from kalam_notebook.wire.arguments import check_text

__all__ = ["FileRef", "check_file_ref", "parse_file_ref", "safe_file_name"]

#: Characters of a part of a path. The server's names have 64 at most.
_MOST_OF_PART = 1_000

#: Bytes of a file's name; common systems allow 255. More characters behind a dot are no extension.
_NAME_BYTES = 200
_EXTENSION_CHARS = 20
_FORBIDDEN = frozenset('<>:"|?*')
#: Names that mean a device on Windows, whatever extension they have.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileRef:
    """A reference to an uploaded file.

    Attributes:
        id: Snowflake id, decimal digits.
        sub: Folder on the server: ``f`` and four digits.
        name: Original file name, unchanged; not safe as a path.
        size: Bytes.
        mime: Media type the file was uploaded with.
        sha256: Lower-case hex digest of the content.
        namespace: Namespace of the table it was read from; None when the reference is not bound to a table.
        table: That table; None when not bound.
    """

    id: str
    sub: str
    name: str
    size: int
    mime: str
    sha256: str
    namespace: str | None = None
    table: str | None = None

    def bind(self, namespace: str, table: str) -> FileRef:
        """Give the same reference, bound to the table it belongs to.

        Args:
            namespace: The table's namespace.
            table: Its name without the namespace.
        """
        return replace(self, namespace=namespace, table=table)

    @property
    def stored_name(self) -> str:
        """The file's name on the server: its id, the cleaned stem and the extension."""
        stem, dot, extension = self.name.rpartition(".")
        if not dot:
            stem, extension = self.name, "bin"
        extension = extension.lower()
        if not re.fullmatch(r"[a-z0-9]{0,10}", extension):
            extension = "bin"
        kept = re.sub(r"[ _-]", "-", re.sub(r"[^A-Za-z0-9 _-]", "", stem)).lower()[:50]
        clean = re.sub(r"-+", "-", kept).strip("-")
        return f"{self.id}-{clean}.{extension}" if clean else f"{self.id}.{extension}"

    @property
    def safe_name(self) -> str:
        """The original name made safe for a local disk; the id in its place where nothing of it is left."""
        return safe_file_name(self.name) or safe_file_name(f"{self.id}.bin") or "file.bin"

    def path(self, namespace: str | None = None, table: str | None = None) -> str:
        """Give the download path ``/v1/files/{namespace}/{table}/{sub}/{stored_name}``, each part percent-encoded.

        Args:
            namespace: Namespace of the table; None for that of the reference.
            table: Its name; None for that of the reference.

        Raises:
            ConfigError: Neither the arguments nor the reference name a table, or a part of the path is none.
        """
        namespace, table = namespace or self.namespace, table or self.table
        if not namespace or not table:
            raise ConfigError(
                f"The file {self.name!r} is not bound to a table, so its address is unknown.\n"
                "Name it: client.download_file(ref, 'namespace', 'table', to=...)."
            )
        parts = {"namespace": namespace, "table": table, "ref.sub": self.sub, "ref.name": self.stored_name}
        return "/v1/files/" + "/".join(_path_part(name, part) for name, part in parts.items())

    def to_json(self) -> str:
        """Give the JSON text that a FILE column stores."""
        fields = ("id", "sub", "name", "size", "mime", "sha256")
        return orjson.dumps({field: getattr(self, field) for field in fields}).decode()


def safe_file_name(text: str) -> str:
    """The name of a file on any system, made of any text; empty where nothing of it is left.

    It has no folders, no characters that are not seen or that mean something to a system, no dots or blanks at its
    ends, no dash at its start (an option of many programs), no name of a Windows device, and some 200 bytes at most.
    """
    last = re.split(r"[/\\]", text)[-1]
    stem, dot, extension = last.rpartition(".")
    if not stem or len(extension) > _EXTENSION_CHARS:
        stem, dot, extension = last, "", ""
    ending = _seen(dot + extension)
    start = _seen(stem[:_NAME_BYTES]).encode()[: _NAME_BYTES - len(ending.encode())].decode(errors="ignore")
    name = f"{start}{ending}".strip(" .")
    return f"_{name}" if name.startswith("-") or _DEVICE.match(name) else name


def _seen(text: str) -> str:
    return "".join(char if char.isprintable() and char not in _FORBIDDEN else "_" for char in text)


def _path_part(name: str, part: str) -> str:
    """A part of a path, percent-encoded; a part of dots would lead to another route of the server."""
    if set(check_text(name, part, most=_MOST_OF_PART)) <= {"."}:
        raise ConfigError(f"{name} is {part!r}, which is no part of a file's address.")
    return quote(part, safe="")


def check_file_ref(value: object) -> FileRef:
    """The value itself when it is a ``FileRef``.

    Raises:
        ParameterError: It is not; says whether it stands for NULL.
    """
    if isinstance(value, FileRef):
        return value
    is_nan = isinstance(value, float) and math.isnan(value)
    if value is None or is_nan or type(value).__name__ in {"NAType", "NaTType"}:  # pandas' own, without importing it.
        raise ParameterError(
            "ref", "the cell is NULL: there is no file.\nLeave such rows out: SELECT ... WHERE column IS NOT NULL."
        )
    raise ParameterError(
        "ref",
        f"{type(value).__name__} is no FileRef.\n"
        "Pass a cell of a FILE column as query gives it: ref = kalam.query(sql).loc[0, 'column'].",
    )


def parse_file_ref(cell: str | Mapping[str, Any] | None) -> FileRef | None:
    """Read a FILE cell; None for NULL and for text that is not a FileRef (the server stores any text)."""
    if cell is None:
        return None
    try:
        raw = orjson.loads(cell) if isinstance(cell, str) else cell
        return FileRef(
            str(raw["id"]), str(raw["sub"]), str(raw["name"]), int(raw["size"]), str(raw["mime"]), str(raw["sha256"])
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
