"""``FileRef``: what a FILE cell holds, and where the file is found on the server.

Pure: names and paths only; what a reference downloads is fetched by the client that it came from, its ``FileHost``.
Source: protocol/http.md#file-references, #downloads.
"""

from __future__ import annotations

import base64
import math
import re
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol, Self
from urllib.parse import quote

import orjson

from kalam_notebook.callers import short_failures
from kalam_notebook.errors import ConfigError, KalamError, ParameterError
from kalam_notebook.texts import first_line
from kalam_notebook.wire.arguments import check_text

__all__ = [
    "FileHost", "FileRef", "Files", "check_file_ref", "image_of", "is_image", "is_no_file", "parse_file_ref",
    "safe_file_name",
]  # fmt: skip

#: Characters of a part of a path. The server's names have 64 at most.
_MOST_OF_PART = 1_000

#: Bytes of a file's name; common systems allow 255. More characters behind a dot are no extension.
_NAME_BYTES = 200
_EXTENSION_CHARS = 20
_FORBIDDEN = frozenset('<>:"|?*')
#: Names that mean a device on Windows, whatever extension they have.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE)

#: Bytes of an image that is shown, at most: in a cell, it stays in the saved notebook.
_MOST_SHOWN = 2_000_000
#: How files of images begin. SVG is not among them: it can hold programs.
_IMAGES = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


class Files(Protocol):
    """What fetches files; may block and raise ``KalamError``."""

    def open(self, ref: FileRef) -> IO[bytes]:
        """The whole file, checked."""
        ...

    def exists(self, ref: FileRef) -> bool:
        """Whether the server has it."""
        ...


class FileHost:
    """What fetches the files of references, as references know it: weakly, and never in a pickle.

    So a frame that is kept, copied or saved holds no connection open and no secret.

    Args:
        files: What fetches; None for nothing.
    """

    __slots__ = ("_find",)

    def __init__(self, files: Files | None = None) -> None:
        self._find: Callable[[], Files | None] = (lambda: None) if files is None else weakref.ref(files)

    def __reduce__(self) -> tuple[object, ...]:
        return FileHost, ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def files(self, ref: FileRef) -> Files:
        """What fetches.

        Raises:
            ConfigError: It is gone, or there never was any.
        """
        files = self._find()
        if files is None:
            raise ConfigError(
                f"The connection from which {ref.name!r} was read is not there any more.\n"
                "Read the row again with kalam.query(...), or fetch the file: kalam.download(ref, to='folder/')."
            )
        return files


@short_failures
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
    _host: FileHost = field(default=FileHost(), repr=False, compare=False)

    def bind(self, namespace: str, table: str) -> FileRef:
        """Give the same reference, bound to the table it belongs to.

        Args:
            namespace: The table's namespace.
            table: Its name without the namespace.
        """
        return replace(self, namespace=namespace, table=table)

    def from_host(self, host: FileHost) -> FileRef:
        """Give the same reference, which ``host`` fetches the file of."""
        return replace(self, _host=host)

    def read(self) -> bytes:
        """Fetch the file and give its content, checked for size and SHA-256.

        Raises:
            ConfigError: The reference is not bound to a table, or its connection is not there any more.
            NotFoundError: The server has no such file.
            DownloadError: The content differs from the reference.
            KalamError: The server refuses, or cannot be reached.
        """
        with self.open() as file:
            return file.read()

    def open(self) -> IO[bytes]:
        """Fetch the file and give it as an open binary file, for example for ``PIL.Image.open``.

        All of it is there, checked for size and SHA-256: in memory up to 16 MB, beyond that in a nameless file that
        goes away when it is closed.

        Raises:
            KalamError: As ``read``.
        """
        return self._host.files(self).open(self)

    def exists(self) -> bool:
        """Ask whether the server still has the file.

        Raises:
            ConfigError: The reference is not bound to a table, or its connection is not there any more.
            KalamError: The server refuses, or cannot be reached.
        """
        return self._host.files(self).exists(self)

    def _repr_mimebundle_(self, **options: object) -> dict[str, str]:
        """Show a PNG, JPEG, GIF or WebP of up to 2 MB as the image that it is."""
        text = repr(self)
        if not self.mime.startswith("image/"):
            return {"text/plain": text}
        if self.size > _MOST_SHOWN:
            return {"text/plain": f"{text}\nToo large to be shown in a cell: kalam.download(ref, to='folder/')."}
        try:
            image = image_of(self)
        except KalamError as exc:
            return {"text/plain": f"{text}\nThe image cannot be shown: {first_line(exc)}"}
        if image is None:
            return {"text/plain": text}
        kind, content = image
        return {"text/plain": text, kind: base64.b64encode(content).decode()}

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


def is_image(ref: FileRef) -> bool:
    """Whether a file is said to be an image, of a size that is shown."""
    return ref.mime.startswith("image/") and ref.size <= _MOST_SHOWN


def image_of(ref: FileRef) -> tuple[str, bytes] | None:
    """Fetch an image: its media type and its content; None when the content is no PNG, JPEG, GIF or WebP.

    Raises:
        KalamError: As ``FileRef.read``.
    """
    content = ref.read()
    kind = next((kind for kind, begins in _IMAGES.items() if begins.match(content)), None)
    return None if kind is None else (kind, content)


def check_file_ref(value: object) -> FileRef:
    """The value itself when it is a ``FileRef``.

    Raises:
        ParameterError: It is not; says whether it stands for NULL.
    """
    if isinstance(value, FileRef):
        return value
    if is_no_file(value):
        raise ParameterError(
            "ref", "the cell is NULL: there is no file.\nLeave such rows out: SELECT ... WHERE column IS NOT NULL."
        )
    raise ParameterError(
        "ref",
        f"{type(value).__name__} is no FileRef.\n"
        "Pass a cell of a FILE column as query gives it: ref = kalam.query(sql).loc[0, 'column'].",
    )


def is_no_file(value: object) -> bool:
    """Whether a cell stands for NULL."""
    is_nan = isinstance(value, float) and math.isnan(value)
    # pandas' own, without importing it.
    return value is None or is_nan or type(value).__name__ in {"NAType", "NaTType"}


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
