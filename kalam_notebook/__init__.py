"""KalamDB in Jupyter: complete results, exact types, live tables that stay true.

``import kalam_notebook as kalam`` loads no library; every name is loaded when it is first used. The
functions act on the connection made by ``kalam.connect``; ``Client`` and ``AsyncClient`` are connections of their own.
Types stand in ``__init__.pyi``; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from kalam_notebook._version import __version__
from kalam_notebook.live_queries.display import register_display, register_host
from kalam_notebook.results.browsing import register_browser

#: Where each public name lives.
_HOMES = {
    "AsyncClient": "client.async_client",
    "Client": "client.client",
    "Column": "wire.types",
    "CommitResult": "topics.consumer",
    "Completeness": "results.results",
    "Consumer": "topics.consumer",
    "ExportReport": "client.exporting",
    "FileRef": "wire.fileref",
    "FilesWarning": "files.outcome",
    "IncompleteResultWarning": "results.results",
    "LiveEvents": "live_queries.events.live_events",
    "LiveRecorder": "live_queries.recording.recorder",
    "LiveTable": "live_queries.table",
    "Partition": "client.partitions",
    "Partitions": "client.partitions",
    "QueryBatches": "results.batches",
    "QueryResponse": "results.results",
    "QueryResult": "results.results",
    "Subscription": "client.live",
    "Timeouts": "settings",
    "TopicMessage": "wire.topics",
    "TopicWarning": "topics.watch",
    "allow_nested_run": "notebook.nested",
    "WriteReport": "writing.report",
    "browse": "notebook.page.browse",
    "close": "client.default",
    "connect": "client.default",
    "connections": "client.default",
    "doctor": "client.doctor",
    "replay": "live_queries.replay",
    "use": "client.default",
}
#: Modules that are public as a whole.
_MODULES = {"errors": "errors", "events": "live_queries.events.messages"}
#: Methods of the default connection.
_METHODS = (
    "check_setup_status", "cluster_health_check", "consumer", "copy", "describe", "download", "download_bound_file",
    "download_file", "execute_query", "execute_with_files", "export", "health_check", "live", "live_events",
    "live_topic", "login", "namespaces", "partitions", "query", "query_arrow", "query_batches", "query_polars",
    "query_result", "refresh_access_token", "server_setup", "subscriptions", "tables", "to_dask", "upload", "write",
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


def __dir__() -> list[str]:
    return sorted(__all__)


def _display_live(live: Any) -> None:  # noqa: ANN401 - a live table or chart.
    from kalam_notebook.live_queries.chart import LiveChart

    if isinstance(live, LiveChart):
        from kalam_notebook.notebook.page.chart import display_chart

        display_chart(live)
    else:
        from kalam_notebook.notebook.page.live_view import display_live

        display_live(live)


def _shown_by_host(live: Any) -> object:  # noqa: ANN401
    from kalam_notebook.live_queries.chart import LiveChart
    from kalam_notebook.notebook.page.live_view import marimo_widget

    if isinstance(live, LiveChart):
        from kalam_notebook.notebook.page.chart import ChartView

        return marimo_widget(live, ChartView)  # type: ignore[arg-type] # It is asked what a live table is asked.
    return marimo_widget(live)


def _browse(result: object) -> None:
    from kalam_notebook.notebook.page.browse import browse

    browse(result)


register_display(_display_live)
register_host(_shown_by_host)
register_browser(_browse)


def load_ipython_extension(shell: Any) -> None:  # noqa: ANN401 - IPython's shell has no types.
    """Register ``%kalam`` and ``%%kalam``; called by ``%load_ext kalam_notebook``."""
    from kalam_notebook.notebook.magics import register

    register(shell)


def unload_ipython_extension(shell: Any) -> None:  # noqa: ANN401
    """Remove the magics again; called by ``%unload_ext kalam_notebook``."""
    from kalam_notebook.notebook.magics import unregister

    unregister(shell)
