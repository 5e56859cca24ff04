"""Write a login into the file of the KalamDB CLI, so that both know it. Its other entries stay as they are."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import tomllib
from pathlib import Path

from kalam_notebook.errors import ConfigError
from kalam_notebook.partfiles import discard, part_beside
from kalam_notebook.settings import Secret

__all__ = ["entry_of", "write_login"]


def entry_of(
    *, url: str, user: str | None, token: Secret, expires_at: float | None, refresh_token: Secret | None
) -> dict[str, Secret]:
    """What the CLI keeps of a login; all of it as secrets, since tracebacks show locals."""
    texts = {"jwt_token": token, "server_url": Secret(url, in_messages=False)}
    if user is not None:
        texts["user"] = Secret(user, in_messages=False)
    if expires_at is not None:
        ends = f"{dt.datetime.fromtimestamp(expires_at, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
        texts["expires_at"] = Secret(ends, in_messages=False)
    if refresh_token is not None:
        texts["refresh_token"] = refresh_token
    return texts


def write_login(path: Path, name: str, entry: dict[str, Secret]) -> None:
    """Put a login into the file, in place of the one of its name.

    The file is replaced at once and as a whole; nobody but its owner may read it.

    Raises:
        ConfigError: The file is damaged or cannot be written; it is as it was then.
    """
    target = path.resolve()  # A link stays one.
    temporary = part_beside(target)
    try:
        text = target.read_text(encoding="utf-8") if target.exists() else ""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(_with_entry(text, name, entry, path))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is not text"
        raise ConfigError(f"The login cannot be saved in {path}: {reason}.") from None
    finally:
        discard(temporary)


def _with_entry(text: str, name: str, entry: dict[str, Secret], path: Path) -> str:
    """The text with this entry in it, and otherwise as it is."""
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
    # A JSON text is one of TOML as well.
    fields = "".join(f"{field} = {json.dumps(value.reveal())}\n" for field, value in entry.items())
    written = f"[instances.{key}]\n{fields}"
    names = "|".join(map(re.escape, (key, json.dumps(name))))
    header = re.compile(rf"[ \t]*\[[ \t]*instances[ \t]*\.[ \t]*(?:{names})[ \t]*\]")

    lines = text.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        if text:
            text += "\n" if text.endswith("\n") else "\n\n"
        changed = f"{text}{written}"
    else:
        after = range(start + 1, len(lines))
        end = next((number for number in after if lines[number].lstrip().startswith("[")), len(lines))
        rest = lines[end:]
        changed = "".join([*lines[:start], written, *(["\n"] if rest else []), *rest])

    if not _is_only_change(text, changed, name, entry):
        raise ConfigError(f"The logins in {path} are written in a way that cannot be added to. Write it by hand.")
    return changed


def _is_only_change(before: str, after: str, name: str, entry: dict[str, Secret]) -> bool:
    try:
        old, new = tomllib.loads(before), tomllib.loads(after)
        wanted = {field: value.reveal() for field, value in entry.items()}
        return new == {**old, "instances": {**old.get("instances", {}), name: wanted}}
    except (tomllib.TOMLDecodeError, TypeError):
        return False
