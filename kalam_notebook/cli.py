"""The command ``kalam-notebook``: ``demo``, ``sandbox`` and ``doctor``. Each imports what it needs when called."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kalam_notebook._version import __version__
from kalam_notebook.errors import ConfigError, KalamError, MissingDependencyError
from kalam_notebook.texts import shown

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments without the program's name; None for those of the process.

    Returns:
        Exit status: 0 when all went well.
    """
    parser = argparse.ArgumentParser("kalam-notebook", description="KalamDB in Jupyter.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="run a notebook in a real kernel and tell what happened")
    demo.add_argument("notebook", type=Path, nargs="?", default=_quickstart(), help="without one the quickstart")
    demo.add_argument("--out", type=Path, default=Path("build"), help="folder for the executed notebook and its html")
    commands.add_parser("sandbox", help="start the sandbox server; options as for python -m kalam_sandbox")

    doctor = commands.add_parser("doctor", help="check the installation and the connection")
    doctor.add_argument("url", nargs="?", help="server; without it as for kalam.connect()")
    doctor.add_argument("--user", help="user id; its password is asked for")
    doctor.add_argument("--profile", help="login saved by the KalamDB CLI")

    given = list(sys.argv[1:] if argv is None else argv)
    # What stands behind it belongs to the sandbox.
    chosen = parser.parse_args(given[:1] if given[:1] == ["sandbox"] else given)

    try:
        if chosen.command == "demo":
            return _demo(chosen.notebook, chosen.out)
        if chosen.command == "sandbox":
            os.execv(sys.executable, [sys.executable, "-m", "kalam_sandbox", *given[1:]])
        return _doctor(chosen.url, chosen.user, chosen.profile)
    except KalamError as exc:
        _say(f"{type(exc).__name__}: {exc}", to_error=True)
        return 1


def _say(text: str, *, to_error: bool = False) -> None:
    (sys.stderr if to_error else sys.stdout).write(shown(text) + "\n")


def _quickstart() -> Path:
    """The notebook that comes with the package; in a checkout it stands among the others."""
    packed = Path(__file__).with_name("quickstart.ipynb")
    return packed if packed.is_file() else Path(__file__).parents[1] / "notebooks" / packed.name


def _demo(path: Path, out: Path) -> int:
    """Execute a notebook, write it and its html, and print what its cells tagged ``report`` printed."""
    try:
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
        from nbconvert import HTMLExporter
    except ImportError as exc:
        raise MissingDependencyError(
            f"The demo needs {exc.name}. Install it with: pip install 'kalam-notebook[lab,sandbox]'"
        ) from None
    if not path.is_file():
        raise ConfigError(f"There is no notebook {path}. Without a name it is the quickstart: kalam-notebook demo")

    started = time.monotonic()
    notebook = nbformat.read(path, as_version=4)
    out.mkdir(parents=True, exist_ok=True)
    _say(f"Running {path} in a kernel …")

    failure = None
    try:
        NotebookClient(
            notebook,
            timeout=120,
            kernel_name="python3",
            resources={"metadata": {"path": str(out)}},
            # Or the kernel warns on stderr that a front end on this machine talks to it unencrypted.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        ).execute()
    except CellExecutionError as exc:
        failure = str(exc)

    executed = out / path.name
    nbformat.write(notebook, executed)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    executed.with_suffix(".html").write_text(html, encoding="utf-8")

    if failure is not None:
        _say(failure, to_error=True)
        return 1
    _say(_report(notebook))
    _say(f"  notebook   {executed} and {executed.with_suffix('.html')}")
    _say(f"  time       {time.monotonic() - started:.1f} s")
    return 0


def _report(notebook: NotebookNode) -> str:
    """What the cells tagged ``report`` printed."""
    outputs = [
        output["text"]
        for cell in notebook.cells
        if "report" in cell.metadata.get("tags", [])
        for output in cell.get("outputs", [])
        if output["output_type"] == "stream"
    ]
    return "".join(outputs).rstrip()


def _doctor(url: str | None, user: str | None, profile: str | None) -> int:
    """Tell what is installed, which server would be used, and how it answers; 1 where something is wrong."""
    from kalam_notebook.client.client import Client
    from kalam_notebook.client.doctor import examine

    status = 0
    with Client(url, user=user, profile=profile) as client:
        for finding in examine(client):
            _say(f"{finding.subject:16} {finding.found}")
            if finding.advice:
                _say(f"{'':16} → {finding.advice}")
                status = 1
    return status
