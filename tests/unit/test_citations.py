"""What comments, docstrings and pages cite is in the project: truths by number, the protocol by page and anchor.

``truth L3`` is ``docs/server-truths.md#l3``; ``protocol/http.md#caps, #types`` are two sections of a page in docs.
"""

import inspect
import re
from pathlib import Path

import pytest

import kalam_notebook
from kalam_notebook import errors, events

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FOLDERS = ("kalam_notebook", "kalam_sandbox", "docs", "tests", "benchmarks", "notebooks", "js/src")
KINDS = {".py", ".pyi", ".md", ".ipynb", ".ts"}
FILES = [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in KINDS and path != Path(__file__)
]

ANCHOR = re.compile(r"^#+ .*\{ #([\w.-]+) \}$", re.M)
TRUTH = re.compile(r"\b([LR]\d+)\b")
SECTION = re.compile(r"((?:protocol/\w+|server-truths)\.md)((?:(?:, )?#[\w-]+)*)")
#: Between two words of a comment or a docstring.
GAP = r"\s+(?:#:?\s*)?"
OUTSIDE = re.compile(rf"\b(?:HTTP|SQL|live){GAP}reference|\breference,{GAP}section|\btruth,{GAP}section")


def anchors(page):
    return ANCHOR.findall((DOCS / page).read_text(encoding="utf-8"))


def found(pattern):
    """Each match of a pattern, with the file it is in."""
    for path in FILES:
        for match in pattern.finditer(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT), match


def test_the_truths_are_numbered_without_gaps_and_each_has_an_example():
    page = (DOCS / "server-truths.md").read_text(encoding="utf-8")
    entries = re.split(r"^## ", page, flags=re.M)[1:]
    numbered = [entry for entry in entries if TRUTH.match(entry)]
    names = [TRUTH.match(entry)[1] for entry in numbered]
    lies, remedies = ([name for name in names if name[0] == kind] for kind in "LR")
    assert lies == [f"L{number}" for number in range(1, len(lies) + 1)]
    assert remedies == [f"R{number}" for number in range(1, len(remedies) + 1)]
    for name, entry in zip(names, numbered, strict=True):
        assert f"{{ #{name.lower()} }}" in entry.splitlines()[0], name
        assert "```pycon\n>>> " in entry, name


def test_every_truth_that_is_cited_exists():
    known = set(anchors("server-truths.md"))
    unknown = [(str(path), match[1]) for path, match in found(TRUTH) if match[1].lower() not in known]
    assert unknown == []


def test_every_section_that_is_cited_exists():
    known = {page: set(anchors(page)) for page in ("server-truths.md", *protocol_pages())}
    unknown = [
        (str(path), match[0])
        for path, match in found(SECTION)
        if not set(re.findall(r"#([\w-]+)", match[2])) <= known.get(match[1], set()) or match[1] not in known
    ]
    assert unknown == []


def protocol_pages():
    return [f"protocol/{path.name}" for path in sorted((DOCS / "protocol").glob("*.md"))]


@pytest.mark.parametrize("page", protocol_pages())
def test_every_section_of_the_protocol_has_an_anchor_of_its_own(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    assert len(re.findall(r"^## ", text, re.M)) == len(set(anchors(page)))


def test_nothing_is_cited_that_the_project_does_not_hold():
    assert [(str(path), match[0]) for path, match in found(OUTSIDE)] == []


def public_docstrings():
    for module in (kalam_notebook, errors, events):
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value):
                yield name, value.__doc__
            if inspect.isclass(value):
                members = [member for member in vars(value).items() if not member[0].startswith("_")]
                yield from ((f"{name}.{member}", inspect.getdoc(what)) for member, what in members if callable(what))


def test_docstrings_of_public_names_cite_nothing_private():
    private = re.compile(r"\btruth [LR]\d|protocol/\w+\.md|^\s*Source:", re.M)
    cited = {name: private.findall(text) for name, text in public_docstrings() if text and private.search(text)}
    assert cited == {}
