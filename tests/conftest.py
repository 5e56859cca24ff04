"""Fixtures shared by all tests: one sandbox server for the session, and clients of it.

With ``KALAM_TEST_URL`` and ``KALAM_TEST_ROOT_PASSWORD`` the tests marked ``contract`` run against that server instead,
with ``KALAM_TEST_SANDBOX=0.8`` against a sandbox that plays that one.
"""

import gc
import os
import signal
import socket
import sys
import uuid

import pytest
from hypothesis import settings
from servers import PROFILE, Server, sandbox

import kalam_notebook as kalam

pytest_plugins = ["by_subject"]

# What is slow on a busy machine is no failure.
settings.register_profile("kalam", deadline=None)
settings.load_profile("kalam")

# Bound and not listened to.
_CLOSED = socket.socket()
_CLOSED.bind(("127.0.0.1", 0))


def pytest_configure(config):
    """Have a proxy named that nothing goes through: all tests run as on a machine in a company's network."""
    config.add_cleanup(_CLOSED.close)
    # A script that starts the tests in its background has them ignore Ctrl-C, which many of them send.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Hundreds of processes are started; each would compile all that it imports.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Who reads a failure of these tests wants to see where in the package it came from.
    os.environ["KALAM_TRACEBACK"] = "whole"
    if "KALAM_TEST_URL" in os.environ:  # May be a server that is only reached through this machine's own.
        return
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ[name] = f"http://127.0.0.1:{_CLOSED.getsockname()[1]}"


def pytest_collection_modifyitems(config, items):
    """Leave out what is said of other servers than the sandbox plays: a lie that a later one does not tell."""
    if "KALAM_TEST_URL" in os.environ:
        return
    others = [item for item in items if any(PROFILE not in mark.args for mark in item.iter_markers("servers"))]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def pytest_collection_finish():
    """Leave what is there from now on out of collections of garbage, which many tests ask for."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def closed_port():
    """A port of this machine that refuses connections, and that nobody else is given."""
    return _CLOSED.getsockname()[1]


@pytest.fixture(scope="session")
def sandbox_server():
    """The embedded server, with its default silent limits."""
    with sandbox() as server:
        yield Server(server.url, server.root_password)


@pytest.fixture(scope="session")
def server(request):
    """The server that contract tests talk to: the one named by the environment, else the sandbox."""
    url = os.environ.get("KALAM_TEST_URL")
    if url:
        return Server(url, os.environ["KALAM_TEST_ROOT_PASSWORD"])
    return request.getfixturevalue("sandbox_server")


@pytest.fixture
def client(server):
    """A client of the contract server, as root."""
    with kalam.Client(server.url, token=server.token) as client:
        yield client


@pytest.fixture
def namespace(client):
    """A new namespace, dropped in the end."""
    name = f"t{uuid.uuid4().hex[:12]}"
    client.execute_query(f"CREATE NAMESPACE {name}")
    yield name
    client.execute_query(f"DROP NAMESPACE {name}")


@pytest.fixture(autouse=True)
def no_login_of_this_machine(tmp_path_factory, monkeypatch):
    """Tests see no saved login, no keyring and no server of the person who runs them."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("KALAMDB_CREDENTIALS_PATH", str(tmp_path_factory.getbasetemp() / "no-logins.toml"))
    monkeypatch.delenv("KALAMDB_SERVER_URL", raising=False)
    monkeypatch.delenv("KALAMDB_ROOT_PASSWORD", raising=False)


@pytest.fixture(autouse=True, scope="module")
def no_shell_left():
    """Tests of other modules see no shell of IPython, to which errors and outputs would fit themselves."""
    yield
    module = sys.modules.get("IPython.core.interactiveshell")
    assert module is None or not module.InteractiveShell.initialized()
