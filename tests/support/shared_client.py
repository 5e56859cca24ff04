"""One client for all tests of a module, which imports the fixture."""

import pytest

import kalam_notebook as kalam


@pytest.fixture(name="client", scope="module")
def shared_client(server):
    """Of the contract server; the process of its local engine is started once."""
    with kalam.Client(server.url, token=server.token) as client:
        yield client
