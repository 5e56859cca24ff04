"""What describes the project elsewhere says the same as pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

import kalam_notebook
from kalam_notebook import cli

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
#: Names that conda-forge spells otherwise.
CONDA_NAMES = {"nest_asyncio": "nest-asyncio"}


def in_yaml(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def parsed(requirement):
    """The name of a requirement and its bounds, without extras and spaces."""
    name, bounds = re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])? ?(.*)", requirement).groups()
    return CONDA_NAMES.get(name, name), bounds


def test_the_recipe_of_conda_needs_what_the_package_needs():
    recipe = in_yaml("conda/recipe.yaml")
    python, *run = recipe["requirements"]["run"]
    assert python == f"python {PROJECT['requires-python']}"
    assert dict(map(parsed, run)) == dict(map(parsed, PROJECT["dependencies"]))
    offered = [one for name in ("sandbox", "local", "polars", "dask", "sqlalchemy", "keyring") for one in EXTRAS[name]]
    assert dict(map(parsed, recipe["requirements"]["run_constraints"])) == dict(map(parsed, offered))
    assert recipe["context"]["version"] == kalam_notebook.__version__
    assert recipe["about"]["license"] == PROJECT["license"]
    (script,) = recipe["build"]["python"]["entry_points"]
    assert dict([script.split(" = ")]) == PROJECT["scripts"]


def test_the_citation_is_of_this_version():
    citation = in_yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # What the format requires.
    assert (citation["version"], citation["license"]) == (kalam_notebook.__version__, PROJECT["license"])
    assert citation["title"] == PROJECT["name"]
    assert citation["authors"] == PROJECT["authors"]


def test_the_demo_of_the_wheel_is_the_quickstart():
    with (ROOT / "pyproject.toml").open("rb") as file:
        built = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]
    ((source, packed),) = built["wheel"]["force-include"].items()
    assert cli._quickstart() == ROOT / source
    assert packed == f"kalam_notebook/{Path(source).name}"
    assert "/notebooks" in built["sdist"]["include"]  # Of which the wheel is built.


def test_all_extras_are_in_all():
    (everything,) = EXTRAS["all"]
    assert set(re.search(r"\[(.+)\]", everything)[1].split(",")) == set(EXTRAS) - {"all"}


def test_a_release_needs_no_token_and_is_attested():
    workflow = in_yaml(".github/workflows/release.yml")
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert workflow["permissions"] == {}
    build, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert publish["needs"] == "build"
    assert publish["permissions"] == {"id-token": "write"}
    assert [step for step in build["steps"] if step.get("uses", "").startswith("actions/attest-build-provenance")]
    assert [step for step in publish["steps"] if step["uses"].startswith("pypa/gh-action-pypi-publish")]
    for job in (build, publish):
        for step in job["steps"]:
            # What comes from outside reaches a shell as a variable, never as a part of the script.
            assert "${{" not in step.get("run", "")


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"all", "lab"}))
def test_an_extra_is_named_where_it_is_missed(extra):
    code = (path for package in ("kalam_notebook", "kalam_sandbox") for path in (ROOT / package).rglob("*.py"))
    is_told = any(f"kalam-notebook[{extra}]" in path.read_text(encoding="utf-8") for path in code)
    # Who misses the first has no ``create_engine`` to call; without the second, passwords are found elsewhere.
    assert is_told or extra in {"sqlalchemy", "keyring"}
    assert f"`{extra}`" in (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
