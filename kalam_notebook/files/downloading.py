"""Many downloads: each file once, and not again what is there already."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalam_notebook.errors import DownloadError, KalamError
from kalam_notebook.files.outcome import OF_ALL, Outcome, failed, report
from kalam_notebook.files.parallel import each_reported
from kalam_notebook.http.client import HttpTransport
from kalam_notebook.http.downloads import Downloads
from kalam_notebook.http.endpoint import SqlEndpoint
from kalam_notebook.results.progress import Meter
from kalam_notebook.wire.arguments import check_path
from kalam_notebook.wire.fileref import check_file_ref, is_no_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["download_many"]


def download_many(
    http: HttpTransport,
    endpoint: SqlEndpoint,
    refs: Sequence[object],
    *,
    to: str | os.PathLike[str],
    parallel: int,
    index: Any,  # noqa: ANN401 - an index of pandas.
    meter: Meter,
) -> pd.DataFrame:
    """Download the files of many cells into one folder.

    Args:
        http: Sends; for these alone, since it is closed when the reader interrupts.
        endpoint: Gives tokens.
        refs: The cells.
        to: The folder; it is made.
        parallel: Files at a time, at most.
        index: The rows' labels.
        meter: Told of each file.

    Returns:
        For each cell ``name``, ``bytes``, ``result``, ``path``, ``error``.

    Raises:
        DownloadError: ``to`` is no folder.
        AuthError: The login is refused.
        ConnectError: The server cannot be reached.
    """
    _, folder = check_path("to", to)
    try:
        is_file = folder.exists() and not folder.is_dir()
    except OSError as exc:
        raise DownloadError(f"to cannot be looked at: {exc.strerror}. Give a folder: to='folder/'.") from None
    if is_file:
        raise DownloadError(f"{folder} is a file; many files need a folder. Give one: to='folder/'.")
    fetch = partial(_fetch, Downloads(http, endpoint), folder=f"{folder}{os.sep}")
    outcomes = each_reported(fetch, refs, done="downloaded", meter=meter, parallel=parallel, give_up=http.close)
    return report(outcomes, index, columns=("name", "bytes", "result", "path", "error"), verb="downloaded")


def _fetch(downloads: Downloads, cell: object, folder: str) -> Outcome:
    if is_no_file(cell):
        return Outcome(None, None, "no file")
    name = size = None
    try:
        ref = check_file_ref(cell)
        name, size = ref.name, ref.size
        if found := downloads.find(ref, folder):
            return _done("already there", name, size, found)
        return _done("downloaded", name, size, downloads.to_disk(ref, ref.path(), to=folder))
    except OF_ALL:
        raise
    except KalamError as exc:
        return failed(exc, name, size)


def _done(result: str, name: str, size: int, path: Path) -> Outcome:
    return Outcome(name, size, result, more={"path": path})
