"""KalamDB in Jupyter: complete results, exact types, live tables that stay true.

``import kalam_notebook as kalam`` loads no library; every name is loaded when it is first used. The
functions act on the connection made by ``kalam.connect``; ``Client`` and ``AsyncClient`` are connections of their own.
Types stand in ``__init__.pyi``; a test compares the two.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from kalam_notebook._version import __version__

#: Where each public name lives.
_HOMES = {
    "AsyncClient": "client.async_client",
    "Client": "client.client",
    "Column": "wire.types",
    "CommitResult": "topics.consumer",
    "Completeness": "results.results",
    "Consumer": "topics.consumer",
    "FileRef": "wire.fileref",
    "IncompleteResultWarning": "results.results",
    "LiveEvents": "live.events.live_events",
    "LiveRecorder": "live.recording.recorder",
    "LiveTable": "live.table",
    "QueryBatches": "results.batches",
    "QueryResponse": "results.results",
    "QueryResult": "results.results",
    "Timeouts": "settings",
    "TopicMessage": "wire.topics",
    "TopicWarning": "topics.consumer",
    "allow_nested_run": "notebook.nested",
    "WriteReport": "writing.report",
    "close": "client.default",
    "connect": "client.default",
    "replay": "live.replay",
}
#: Modules that are public as a whole.
_MODULES = {"errors": "errors", "events": "live.events.messages"}
#: Methods of the default connection.
_METHODS = (
    "check_setup_status", "cluster_health_check", "consumer", "download", "download_bound_file", "download_file",
    "execute_query", "execute_with_files", "health_check", "live", "live_events", "login", "query", "query_arrow",
    "query_batches", "query_polars", "query_result", "refresh_access_token", "server_setup", "write",
)  # fmt: skip

__all__ = ["__version__", "sandbox", *sorted((*_HOMES, *_MODULES, *_METHODS))]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name.
    from importlib import import_module

    if name in _HOMES:
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    elif name == "sandbox":
        value = import_module("kalam_sandbox").start
    elif name in _METHODS:
        value = import_module(f"{__name__}.client.default").function(name)
    elif name in _MODULES:
        value = import_module(f"{__name__}.{_MODULES[name]}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


class _Package(ModuleType):
    """Keeps ``kalam.live`` the function: importing the package of that name would put itself in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _METHODS or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __dir__() -> list[str]:
    return sorted(__all__)


def _show_live_tables() -> None:
    # Only here: before ``_Package`` guards the names, the package ``live`` would stand in the place of the function.
    from kalam_notebook.live.display import register_display

    def show(live: Any) -> None:  # noqa: ANN401 - a live table.
        from kalam_notebook.notebook.page.live_view import display_live

        display_live(live)

    register_display(show)


_show_live_tables()


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 - IPython's shell has no types.
    """Register ``%kalam`` and ``%%kalam``; called by ``%load_ext kalam_notebook``."""
    from kalam_notebook.notebook.magics import register

    register(shell)


def unload_ipython_extension(shell: Any) -> None:  # noqa: ANN401
    """Remove the magics again; called by ``%unload_ext kalam_notebook``."""
    from kalam_notebook.notebook.magics import unregister

    unregister(shell)
