"""What fits on the line of a magic: commands, options and their values, files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from kalam_notebook.notebook.completion.candidates import Candidate, Offer
from kalam_notebook.notebook.options import CHOICES, FLAGS

__all__ = ["LineNames", "line_offer", "path_offer"]


@dataclass(frozen=True, slots=True)
class LineNames:
    """Names that options and commands take.

    Attributes:
        options: What the magic or command takes, with what each is for.
        values: Names that an option's value is chosen from, by option.
        words: What can stand on the line besides, as kind and name.
    """

    options: Mapping[str, str]
    values: Mapping[str, Collection[str]]
    words: Collection[tuple[str, str]] = ()


def line_offer(line: str, names: LineNames) -> Offer:
    """Find what fits at the end of a line.

    Args:
        line: What stands behind the magic's or the command's name, up to the cursor.
        names: What there is to choose from.
    """
    given = re.findall(r"(?:^|\s)(--[\w-]+)", line)
    fragment = re.findall(r"\S*$", line)[0]
    if fragment.startswith("--") and "=" not in fragment:
        return _fitting(fragment, _options(names, given[:-1]))

    valued = re.search(r"(?:^|\s)(--[\w-]+)(?:\s*=\s*|\s+)(\[[^\]]*|\{[^}]*|\S*)$", line)
    if valued is not None and valued[1] in names.options and valued[1] not in FLAGS:
        return _fitting(re.findall(r"[\w.-]*$", valued[2])[0], _values(names, valued[1]))

    is_first = line.strip() == fragment
    words = [Candidate(name, kind) for kind, name in names.words] if is_first else []
    return _fitting(fragment, (*words, *_options(names, given)))


def path_offer(fragment: str) -> Offer:
    """Find the files and folders that begin so; those with blanks are left out, which a line takes in quotes only."""
    found = sorted(glob.glob(f"{glob.escape(os.path.expanduser(fragment))}*"))
    home = os.path.expanduser("~")
    paths = []
    for path in found:
        typed = path.replace(home, "~", 1) if fragment.startswith("~") else path
        paths.append(f"{typed}{os.sep}" if os.path.isdir(path) else typed)
    return Offer(fragment, tuple(Candidate(path, "path") for path in paths if " " not in path))


def _options(names: LineNames, given: Collection[str]) -> list[Candidate]:
    return [Candidate(name, "option") for name in names.options if name not in given]


def _values(names: LineNames, option: str) -> list[Candidate]:
    return [Candidate(value, "value") for value in names.values.get(option, CHOICES.get(option, ()))]


def _fitting(fragment: str, candidates: Iterable[Candidate]) -> Offer:
    return Offer(fragment, tuple(candidate for candidate in candidates if candidate.text.startswith(fragment)))
