"""The lists of the documentation are those of the code: errors, settings, variables."""

import dataclasses
import inspect
import re
from pathlib import Path

import kalam_notebook as kalam
from kalam_notebook import callers, errors, settings

DOCS = Path(__file__).parents[2] / "docs"


def listed(page, heading):
    """The names in the first column of the table that begins so."""
    text = (DOCS / page).read_text(encoding="utf-8")
    rows = text[text.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split(" | ")[0])]


def parameters(call):
    return set(inspect.signature(call).parameters)


def test_every_error():
    public = {name for name in errors.__all__ if isinstance(getattr(errors, name), type)}
    names = listed("errors.md", "| Class |")
    assert sorted(names) == sorted(public - {"KalamError"})


def test_every_setting():
    names = listed("connecting.md", "| Argument |")
    assert sorted(names) == sorted(parameters(kalam.Client) | parameters(kalam.connect))
    at = names.index("compression")
    assert parameters(kalam.Client) - parameters(kalam.connect) == set(names[at:])
    page = (DOCS / "connecting.md").read_text(encoding="utf-8")
    (phases,) = re.findall(r"^\| `timeouts` .*$", page, re.M)
    assert all(f"`{field.name}`" in phases for field in dataclasses.fields(kalam.Timeouts))


def test_every_variable():
    pages = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("connecting.md", "errors.md", "notebook.md"))
    variables = {
        value for module in (settings, callers) for name, value in vars(module).items() if name.endswith("_VARIABLE")
    }
    assert set(re.findall(r"\bKALAM(?:DB)?_[A-Z_]+", pages)) == variables
