"""A web service over KalamDB, with one client for all its requests."""

from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.testclient import TestClient

import kalam_notebook as kalam

server = kalam.sandbox()


@asynccontextmanager
async def lifespan(app):
    async with kalam.AsyncClient(server.url, user="root", password=server.root_password) as client:
        await client.execute_query("CREATE NAMESPACE app")
        await client.execute_query("CREATE TABLE app.rooms (id INT PRIMARY KEY, name TEXT) WITH (TYPE = 'SHARED')")
        await client.execute_query("INSERT INTO app.rooms (id, name) VALUES (1, 'general'), (2, 'random')")
        app.state.kalam = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/rooms/{room}")
async def room(room: int):
    table = await app.state.kalam.query_arrow("SELECT id, name FROM app.rooms WHERE id = $1", [room])
    return table.to_pylist()


# Instead of the next lines: uvicorn fastapi_service:app
with TestClient(app) as browser:
    assert browser.get("/rooms/2").json() == [{"id": 2, "name": "random"}]
server.stop()
