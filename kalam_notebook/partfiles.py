"""A file that is written beside its place, and takes it when it is whole. Standard library only.

Name it with ``part_beside`` before it is made, have it ``replace`` its target, and ``discard`` it in a ``finally``: so
an error or an interrupt at any moment leaves nothing half written, and nothing beside it.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

__all__ = ["discard", "part_beside"]


def part_beside(target: Path) -> Path:
    """A name in the folder of a file, that no other file has."""
    return target.with_name(f".kalam-{secrets.token_hex(8)}.part")


def discard(part: Path) -> None:
    """Take it away, unless it is in its place or was never made."""
    with suppress(OSError):
        part.unlink()
