"""Promises about the package as a whole: what imports what, what an import loads, what is public."""

import ast
import inspect
import pickle
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

import kalam_notebook
from kalam_notebook import errors
from kalam_notebook.client.async_client import AsyncClient
from kalam_notebook.client.client import Client

PACKAGE = Path(kalam_notebook.__file__).parent
ROOT = Path(__file__).parents[2]
SANDBOX = PACKAGE.parent / "kalam_sandbox"
HEAVY = ("httpx", "websockets", "orjson", "pyarrow", "pandas", "IPython", "ipywidgets", "anywidget", "nest_asyncio")

#: The rooms from the ground up; one may import what stands below it. Those in one entry stand side by side.
LEVELS = [
    {"_version", "advice", "chance", "partfiles", "texts", "threads"},
    {"callers"},
    {"errors"},
    {"settings", "wire"},
    {"sql", "results"},
    {"http"},
    {"reading", "topics"},
    {"writing", "live_queries"},
    {"files"},
    {"client"},
    {"notebook", "dbapi"},
    {"cli"},
]
#: The rooms inside of one, in the same way.
INSIDE = {
    "live_queries": [
        {"rows", "threads", "lifetime", "display"},
        {"connection"},
        {"following"},
        {"recording", "events", "source", "batches", "past", "derived", "narrowing", "topic", "chart", "perspective"},
        {"table"},
        {"opening", "replay"},
    ],
    "notebook": [
        {"assigned", "page", "nested", "note", "values"},
        {"options", "session", "statements"},
        {"completion", "commands"},
        {"terminal"},
        {"magics"},
    ],
}
#: What a room may use of the outside, where that is limited.
PURE = {"httpx", "websockets", "IPython", "asyncio", "threading", "socket", "time", "random", "ipywidgets"}
FORBIDDEN = {
    "wire": PURE,
    "sql": PURE,
    "live_queries.rows": PURE,
    "live_queries": {"IPython", "ipywidgets", "anywidget"},
    "http": {"IPython", "ipywidgets", "anywidget"},
}
#: The one module that starts the sandbox for a user, and the package's face.
SANDBOX_STARTERS = {"default", "__init__"}
#: What a live table returns names it in annotations alone; docs/design.md says why.
RETURNED_BY_TABLES = {"live_queries.batches", "live_queries.chart", "live_queries.perspective"}


@lru_cache
def modules():
    paths = sorted(PACKAGE.rglob("*.py"))
    return [(path.relative_to(PACKAGE), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def imported(tree, *, types_too):
    """Names of imported modules; imports for type checkers only if asked for."""
    skipped = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not types_too:
            skipped.update(ast.walk(node))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            if node.module == "kalam_notebook":
                yield from (f"kalam_notebook.{alias.name}" for alias in node.names)


def level(levels, room):
    return next(number for number, rooms in enumerate(levels) if room in rooms)


def module_of(path):
    """The parts of a module's name, without that of the package."""
    return [*path.parts[:-1], path.stem]


def imports_down(source, target):
    """Whether a module stands above another, or both are of one room."""
    levels = LEVELS
    for name, other in zip(source, target, strict=False):
        if name != other:
            return level(levels, name) > level(levels, other)
        if name not in INSIDE:
            return True
        levels = INSIDE[name]
    return True


@pytest.mark.parametrize(("path", "tree"), modules(), ids=lambda value: str(value) if isinstance(value, Path) else "")
def test_arrows_point_down(path, tree):
    source = module_of(path)
    forbidden = FORBIDDEN.get(source[0], set()) | FORBIDDEN.get(".".join(source[:2]), set())
    for name in imported(tree, types_too=False):
        package, *target = name.split(".")
        if package in forbidden:
            pytest.fail(f"{path} imports {name}")
        if package == "kalam_sandbox":
            assert path.stem in SANDBOX_STARTERS, f"{path} imports {name}"
    at_runtime = set(imported(tree, types_too=False))
    for name in imported(tree, types_too=True):
        package, *target = name.split(".")
        if target == ["live_queries", "table"] and ".".join(source) in RETURNED_BY_TABLES and name not in at_runtime:
            continue
        if package != "kalam_notebook" or not target or source == ["__init__"] or target == ["__version__"]:
            continue
        assert imports_down(source, target), f"{path} imports {name}, which does not stand below it"


def test_the_sandbox_knows_nothing_of_the_client():
    for path in sorted(SANDBOX.rglob("*.py")):
        names = imported(ast.parse(path.read_text(encoding="utf-8")), types_too=True)
        assert not [name for name in names if name.split(".")[0] == "kalam_notebook"], path


def test_every_room_has_a_level():
    found = {module_of(path)[0] for path, _ in modules()} - {"__init__"}
    assert found == set().union(*LEVELS)
    for name, levels in INSIDE.items():
        inside = {module_of(path)[1] for path, _ in modules() if module_of(path)[0] == name}
        assert inside - {"__init__"} == set().union(*levels)
    folders = {path.parts[0] for path, _ in modules() if len(path.parts) > 1}
    assert len([rooms for rooms in LEVELS if rooms & folders]) <= 10


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_loads_none_of_its_dependencies():
    code = f"import sys, kalam_notebook; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert run(code) == "[]"


@pytest.mark.slow
def test_importing_touches_no_log_of_a_library():
    code = (
        "import logging, kalam_notebook.http.client, kalam_notebook.client.client;"
        "print([name for name, log in logging.root.manager.loggerDict.items() if getattr(log, 'filters', None)])"
    )
    assert run(code) == "[]"


def test_logs_have_the_names_that_users_know():
    texts = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    names = {name for text in texts for name in re.findall(r'getLogger\("(kalam_notebook[\w.]*)"\)', text)}
    assert names == {"kalam_notebook", "kalam_notebook.live", "kalam_notebook.live.websockets"}


@pytest.mark.slow
def test_a_client_loads_no_notebook_library_and_no_pandas():
    code = (
        "import sys, kalam_notebook as k; k.Client('http://h:1', token='t').close();"
        "names = ('IPython', 'ipywidgets', 'anywidget', 'pandas', 'nest_asyncio', 'websockets');"
        "print([name for name in names if name in sys.modules])"
    )
    assert run(code) == "[]"


def test_public_names_exist_and_the_stub_names_the_same():
    for name in kalam_notebook.__all__:
        assert getattr(kalam_notebook, name) is not None
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    named = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    named |= {target.id for node in stub.body if isinstance(node, ast.Assign) for target in node.targets}
    assert {name for name in named - {None} if not name.startswith("_") or name == "__version__"} == set(
        kalam_notebook.__all__
    )
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = kalam_notebook.nope


def test_every_all_names_what_the_module_has():
    for path, tree in modules():
        if path.name == "__main__.py":
            continue
        exported = [
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__" and path.name != "__init__.py"
        ]
        defined = {
            node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        }
        defined |= {
            ast.unparse(target) for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
        }
        defined |= {ast.unparse(node.target) for node in tree.body if isinstance(node, ast.AnnAssign)}
        defined |= {alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}
        for name in exported[0] if exported else ():
            assert name in defined, f"{path}: {name}"


def public_methods(kind):
    names = [name for name in dir(kind) if not name.startswith("_")]
    return {name: getattr(kind, name) for name in names if callable(getattr(kind, name))}


def test_both_clients_offer_the_same():
    sync, other = public_methods(Client), public_methods(AsyncClient)
    assert set(sync) == set(other)
    for name, method in sync.items():
        assert inspect.iscoroutinefunction(other[name]), name
        assert inspect.signature(method) == inspect.signature(other[name]), name
    assert inspect.signature(Client) == inspect.signature(AsyncClient)


def test_module_functions_have_the_signature_of_the_methods():
    signature = inspect.signature(kalam_notebook.query)
    assert list(signature.parameters) == [
        "sql",
        "params",
        "namespace",
        "max_rows",
        "engine",
        "strict",
        "progress",
        "allow_unsafe",
    ]
    assert "Run one query" in kalam_notebook.query.__doc__


#: Classes whose many methods are the public interface.
INTERFACES = {"Client", "AsyncClient", "LiveTable"}
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match, ast.AsyncFor, ast.AsyncWith)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def levels_of(node):
    """How deep blocks lie in each other; what is asked by ``elif`` lies no deeper than the ``if``."""
    found = 0
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
                is_elif = (
                    isinstance(node, ast.If) and name == "orelse" and isinstance(child, ast.If) and len(value) == 1
                )
                found = max(found, levels_of(child) + (isinstance(child, BLOCKS) and not is_elif))
    return found


@pytest.mark.parametrize("path", sorted([*PACKAGE.rglob("*.py"), *SANDBOX.rglob("*.py")]), ids=str)
def test_what_has_to_be_read_at_once_is_small(path):
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and node.name not in INTERFACES:
            assert sum(isinstance(member, FUNCTIONS) for member in node.body) <= 25, node.name
        elif isinstance(node, FUNCTIONS):
            assert levels_of(node) <= 4, node.name


@pytest.mark.parametrize("folder", ["kalam_notebook", "kalam_sandbox", "js/src", "js/tests", "tests", "benchmarks"])
def test_no_module_is_long(folder):
    paths = [path for suffix in ("py", "ts") for path in (ROOT / folder).rglob(f"*.{suffix}")]
    assert paths
    assert [str(path) for path in paths if path.read_text(encoding="utf-8").count("\n") > 600] == []


#: Statements of the client without docstrings, at most; docs/design.md says why.
MOST_STATEMENTS = 21_750
DOCS = ROOT / "docs"


def statements(tree):
    nodes = list(ast.walk(tree))
    documented = [node for node in nodes if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS))]
    docstrings = sum(ast.get_docstring(node, clean=False) is not None for node in documented)
    return sum(isinstance(node, ast.stmt) for node in nodes) - docstrings


def test_the_client_stays_as_small_as_it_is():
    assert f"at most {MOST_STATEMENTS:,}" in (DOCS / "design.md").read_text(encoding="utf-8")
    assert sum(statements(tree) for _, tree in modules()) <= MOST_STATEMENTS


def looked_up():
    """Question, answer, and where to look, of docs/how-it-works.md."""
    text = (DOCS / "how-it-works.md").read_text(encoding="utf-8").partition("{ #where }")[2]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [row for row in rows[1:] if row[0].strip("- ")]


@pytest.mark.parametrize(("question", "answer", "place"), looked_up(), ids=lambda text: text[:30])
def test_where_to_look_exists(question, answer, place):
    every = [str(path.relative_to(PACKAGE.parent)) for path in PACKAGE.rglob("*.py")]
    rooms = re.findall(r"`([\w/]+)`", place)
    inside = [name for name in every if any(f"kalam_notebook/{room.rstrip('/')}" in name for room in rooms)]
    assert rooms
    assert inside, place
    texts = "\n".join((PACKAGE.parent / name).read_text(encoding="utf-8") for name in inside)
    for name in re.findall(r"`([\w/]+(?:\.\w+)?)`", answer):
        if "/" in name:
            is_module = any(path.endswith(f"/{name}.py") for path in every)
            assert is_module or (PACKAGE.parent / name).is_file(), name
            continue
        owner, _, member = name.rpartition(".")
        is_module = any(path.endswith(f"/{name}.py") for path in inside)
        assert is_module or re.search(rf"def {member}\b", texts), name
        assert not owner or f"class {owner}" in texts, name


def test_no_condition_is_asked_inside_of_another():
    nested = [
        f"{path}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.IfExp)
        and any(isinstance(inner, ast.IfExp) for inner in ast.walk(node) if inner is not node)
    ]
    assert nested == []


def test_no_room_has_the_name_of_a_public_function():
    rooms = {module_of(path)[0] for path, _ in modules()}
    assert not rooms & set(kalam_notebook._METHODS)


@pytest.mark.parametrize(
    "error",
    [
        errors.ServerError("CODE", "m", 400, "SELECT 1", "hint"),
        errors.AuthError("m", "c", 401, "s"),
        errors.DecodeError("a", "INT", 3, "'x'", "why"),
        errors.ParameterError("$1", "why"),
        errors.SubscriptionError("CODE", "m", "SELECT 1"),
        errors.SlowConsumerError(11, 10, 5),
        errors.ConfigError("m"),
        errors.RateLimitError("CODE", "m", 429),
        errors.RecordingError("x.arrows", "why"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_pickle(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


def test_the_error_tree_is_drawn_whole():
    for name in errors.__all__:
        value = getattr(errors, name)
        if isinstance(value, type):
            assert issubclass(value, errors.KalamError)
            assert name in errors.__doc__


def test_options_of_the_sandbox_command_are_its_own(monkeypatch):
    from kalam_notebook import cli

    started = []

    class _StartedError(Exception):
        """In the place of another program."""

    def execv(program, arguments):
        started.append(arguments[3:])
        raise _StartedError

    monkeypatch.setattr(cli.os, "execv", execv)
    for given in (["--port", "0"], ["--help"], []):
        with pytest.raises(_StartedError):
            cli.main(["sandbox", *given])
    assert started == [["--port", "0"], ["--help"], []]
