"""The documentation as a site: it is built strictly, so a link or an anchor that leads nowhere fails.

What the generator does not look at, pictures and the navigation, is looked at here.
"""

import ast
import inspect
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import kalam_notebook
from kalam_notebook import dbapi, errors
from kalam_notebook.live_queries.events import messages as events

ROOT = Path(__file__).parents[2]
CONFIG = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
PACKAGE = ROOT / "kalam_notebook"
PAGES = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")}


def build(folder):
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=folder, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def small_site(folder, text):
    """A site of two pages with the settings of ours."""
    (folder / "mkdocs.yml").write_text(CONFIG.split("nav:")[0], encoding="utf-8")
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text(f"# Start\n\n{text}\n", encoding="utf-8")
    (folder / "docs" / "other.md").write_text("# Other\n\n## Here\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as users see it, built from a copy of the pages."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    code, said = build(folder)
    assert code == 0, said
    return folder / "build" / "docs"


@pytest.mark.slow
def test_every_page_is_in_the_navigation_and_built(site):
    named = re.findall(r": (\S+\.md)$", CONFIG, re.M)
    assert sorted(named) == sorted(PAGES)
    for page in PAGES:
        name = page.removesuffix(".md").removesuffix("index")
        assert (site / name / "index.html").is_file(), page


@pytest.mark.slow
def test_a_good_link_is_built(tmp_path):
    code, said = build(small_site(tmp_path, "[good](other.md#here), [own](#start)"))
    assert code == 0, said


@pytest.mark.parametrize("link", ["[x](nope.md)", "[x](other.md#nope)", "[x](#nope)"])
@pytest.mark.slow
def test_a_link_that_leads_nowhere_fails(tmp_path, link):
    code, said = build(small_site(tmp_path, link))
    assert code != 0
    assert "does not exist" in said


def described(site):
    """Names that the generated reference has an anchor for."""
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(inventory).decode().splitlines()}


def public_names():
    """What a user may write, by its public name: classes, their methods and properties, functions of the module."""
    for module in (kalam_notebook, errors, events):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                yield f"{module.__name__}.{name}"
                members = vars(value).items()
                of_its_own = (member for member, what in members if callable(what) or isinstance(what, property))
                yield from (f"{module.__name__}.{name}.{member}" for member in of_its_own if not member.startswith("_"))
            elif inspect.isfunction(value) and value is not kalam_notebook.sandbox:  # Described by hand.
                method = hasattr(kalam_notebook.Client, name) and name != "close"
                yield f"{module.__name__}.Client.{name}" if method else f"{module.__name__}.{name}"


@pytest.mark.slow
def test_the_reference_has_every_public_name(site):
    assert sorted(set(public_names()) - described(site)) == []


def classes_of(path):
    """The classes that a module defines, and those that it imports from this package, with the modules of these."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield node.name, ".".join(path.relative_to(ROOT).with_suffix("").parts)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("kalam_notebook"):
            yield from ((alias.name, node.module) for alias in node.names)


def returned_types():
    """Classes of this package that public calls return, or that fields of such classes hold."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    waiting = [getattr(module, name) for module in (kalam_notebook, dbapi, events) for name in module.__all__]
    seen = set()
    while waiting:
        value = waiting.pop()
        if value in seen or not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        seen.add(value)
        for part in getattr(value, "__mro__", [value]):
            if not part.__module__.startswith("kalam_notebook"):
                continue
            own = dict(classes_of(modules[part.__module__])) if part.__module__ in modules else {}
            for word in re.findall(r"(?<![.\w])\w+", " ".join(told_by(part))):
                found = getattr(sys.modules.get(own.get(word, "")), word, None)
                if inspect.isclass(found):
                    yield f"{found.__module__}.{found.__name__}"
                    waiting.append(found)


def told_by(part):
    """The annotations of what a function returns, or of a class's public fields, properties and methods."""
    if inspect.isfunction(part):
        return [str(part.__annotations__.get("return", ""))]
    fields = [str(kind) for name, kind in inspect.get_annotations(part).items() if not name.startswith("_")]
    members = [what for name, what in vars(part).items() if not name.startswith("_")]
    functions = [what.fget if isinstance(what, property) else what for what in members]
    return fields + [str(what.__annotations__.get("return", "")) for what in functions if inspect.isfunction(what)]


@pytest.mark.slow
def test_the_reference_has_what_calls_return_and_the_whole_of_dbapi(site):
    named = described(site)
    names = {name.rpartition(".")[2] for name in named}
    missing = {name for name in returned_types() if name not in named and name.rpartition(".")[2] not in names}
    assert missing == set()
    assert {name for name in dbapi.__all__ if name not in names} == set()


def public_functions():
    for module in (kalam_notebook, errors, events):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield name, value
            if inspect.isclass(value):
                members = vars(value).items()
                yield from (
                    (f"{name}.{member}", what) for member, what in members if member[0] != "_" and callable(what)
                )


@pytest.mark.parametrize(("name", "function"), sorted(public_functions(), key=lambda one: one[0]))
def test_a_docstring_says_what_to_expect(name, function):
    """It begins with a verb. What a function takes is told, unless the docstring says whose it is, too."""
    text = inspect.getdoc(function)
    assert text
    assert not re.match(r"(The|A|An|What|This)\b", text), text.splitlines()[0]
    if "wise as ``" not in text and not text.startswith("See ``"):
        assert [
            given for given in inspect.signature(function).parameters if given != "self" and given not in text
        ] == []


@pytest.mark.slow
def test_the_reference_names_every_function_of_the_module(site):
    page = (site / "api" / "index.html").read_text(encoding="utf-8")
    missing = [name for name in kalam_notebook.__all__ if not re.search(rf"\b{name}\b", page)]
    classes = [name for name in missing if inspect.isclass(getattr(kalam_notebook, name))]
    assert missing == classes


@pytest.mark.slow
def test_the_reference_names_every_field(site):
    pages = "".join(page.read_text(encoding="utf-8") for page in (site / "api").rglob("*.html"))
    for name in kalam_notebook.__all__:
        for field in getattr(getattr(kalam_notebook, name), "__dataclass_fields__", ()):
            if not field.startswith("_"):
                assert f'title="kalam_notebook.{name}.{field}"' in pages, (name, field)


def test_pictures_are_there():
    """A missing one is no error to the generator."""
    for page in PAGES:
        path = ROOT / "docs" / page
        for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / picture).is_file(), (page, picture)
