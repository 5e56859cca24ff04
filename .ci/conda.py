"""Build a recipe of conda from packages that stand in for those of a channel, and run the tests of what was built.

Each stands for one that this environment has, by its name and version, and is empty; that of Python is an environment
which sees what is installed here. So the builder solves what the recipe requires, builds and tests as it does anywhere.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name
from rattler_build import Package, Stage0Recipe, ToolConfiguration, assemble_package

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def main(recipe: Path, output: Path) -> None:
    """Build a recipe into a folder."""
    channel = output / "channel"
    make_channel(channel)
    output_of_build = Stage0Recipe.from_file(recipe).run_build(
        tool_config=ToolConfiguration(test_strategy="skip"), output_dir=output, channels=[channel.as_uri()]
    )
    (path,) = (path for result in output_of_build for path in result.packages)
    built = Package.from_file(path)
    found = built.run_tests(channel=[channel.as_uri()])
    for number, test in enumerate(found, 1):
        print(f"test {number} of {built.name} {built.version}: {'ok' if test.success else 'FAILED'}")
    if not found or not all(test.success for test in found):
        raise SystemExit("\n".join(line for test in found for line in test.output))


def make_channel(channel: Path) -> None:
    """Write a channel with a package for Python and for each of what is installed here."""
    empty = channel / "empty"
    empty.mkdir(parents=True)
    (empty / "stand-in").touch()
    python = assemble(channel, "python", platform.python_version(), environment(channel / "python"))
    others = [assemble(channel, canonicalize_name(one.name), one.version, empty) for one in distributions()]
    told = {"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": dict([python, *others])}
    (channel / "noarch" / "repodata.json").write_text(json.dumps(told))


def environment(folder: Path) -> Path:
    """Make the files of an environment of Python that sees what is installed here."""
    site = folder / "lib" / PYTHON / "site-packages"
    site.mkdir(parents=True)
    (site / "stand-in.pth").write_text(sysconfig.get_path("purelib"))
    base = Path(sys.base_prefix) / "bin"
    (folder / "pyvenv.cfg").write_text(f"home = {base}\n")
    (folder / "bin").mkdir()
    (folder / "bin" / PYTHON).symlink_to(base / PYTHON)
    (folder / "bin" / "python").symlink_to(PYTHON)
    return folder


def assemble(channel: Path, name: str, version: str, files: Path) -> tuple[str, dict[str, object]]:
    """Make a package; return its file's name and what the channel says of it."""
    made = assemble_package(name, version, "noarch", "0", channel / "noarch", files_dir=files, noarch="generic")
    content = made.path.read_bytes()
    told = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": [], "subdir": "noarch"}
    digest = hashlib.sha256(content).hexdigest()
    return made.path.name, {**told, "noarch": "generic", "size": len(content), "sha256": digest}


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
