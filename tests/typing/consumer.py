"""What a user's type checker sees; checked by ``test_typing.py``, never run."""

from collections.abc import Callable
from pathlib import Path
from typing import assert_type

import pandas as pd

import kalam_notebook as kalam
from kalam_notebook.errors import QueryError, ServerError


def sync() -> None:
    client = kalam.connect("sandbox")
    assert_type(client, kalam.Client)
    assert_type(kalam.query("SELECT 1", [1], max_rows=None, engine="local"), pd.DataFrame)
    assert_type(client.query_result("SELECT 1"), kalam.QueryResult)
    assert_type(client.execute_query("SELECT 1"), kalam.QueryResponse)
    assert_type(kalam.execute_query("SELECT 1")[0].message, str | None)
    assert_type(kalam.write(pd.DataFrame(), "app.t", mode="upsert"), kalam.WriteReport)
    ref = kalam.FileRef("1", "f0001", "a", 1, "text/plain", "00")
    assert_type(kalam.download(ref, to=Path()), Path)
    assert_type(client.health_check().version, str | None)
    live = kalam.live("SELECT * FROM app.t")
    assert_type(live, kalam.LiveTable)
    assert_type(live.df(), pd.DataFrame)
    for changes in live.batches():
        assert_type(changes.df(), pd.DataFrame)
    assert_type(live.on_change(lambda table: None), Callable[[], None])
    with kalam.sandbox() as server:
        assert_type(server.url, str)
    try:
        client.query("SELECT", params=("a", 1))
    except QueryError as exc:
        assert_type(exc.code, str)
        error: ServerError = exc
        assert_type(error.status, int)
    kalam.close()


async def awaited() -> None:
    async with kalam.AsyncClient("http://localhost:2900", token="t") as client:
        assert_type(await client.query("SELECT 1"), pd.DataFrame)
        assert_type(await client.live("SELECT * FROM app.t"), kalam.LiveTable)
