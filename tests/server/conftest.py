"""Servers for the tests of the sandbox's SQL part."""

import pytest
from serving import serving


@pytest.fixture
def served():
    """A fresh server with the namespace ``app``."""
    with serving() as server:
        server.sql("CREATE NAMESPACE app")
        yield server
