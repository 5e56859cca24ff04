"""The connection that the module's own functions use: ``kalam.connect(...)``, then ``kalam.query(...)``.

Each function of the module is the method of that name on the default client. Also the one place that starts the
embedded sandbox server for a user; client and sandbox know nothing of each other.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kalam_notebook.callers import fails_shortly
from kalam_notebook.client.client import Client
from kalam_notebook.errors import AuthError, ConfigError, KalamError
from kalam_notebook.settings import MAX_RESULT_BYTES, Secret, Timeouts
from kalam_notebook.texts import did_you_mean
from kalam_notebook.wire.arguments import check_text

if TYPE_CHECKING:
    from kalam_sandbox.launcher import SandboxServer

__all__ = ["close", "connect", "connections", "current", "existing", "function", "named", "use"]

_lock = threading.RLock()
_client: Client | None = None
#: All connections that ``connect`` made, by name, in the order of their making.
_connections: dict[str, Client] = {}
_sandbox: SandboxServer | None = None


@fails_shortly
def connect(
    url: str | None = None,
    *,
    user: str | None = None,
    password: str | None = None,
    token: str | None = None,
    token_provider: Callable[[], str] | None = None,
    profile: str | None = None,
    namespace: str | None = None,
    timeout: float = 30.0,
    max_retries: int = 3,
    timeouts: Timeouts | None = None,
    max_result_bytes: int | None = MAX_RESULT_BYTES,
    name: str | None = None,
) -> Client:
    """Connect to a server and make it the default for the module's functions and the magics.

    The login is checked at once. The connection before it stays usable by whoever holds it.

    Args:
        url: ``http(s)://host:port``, or ``sandbox`` for the embedded server, which starts at the first such call and
            ends with this process. None looks in ``KALAMDB_SERVER_URL``, ``KALAMDB_URL`` and the logins saved by the
            KalamDB CLI.
        user: As for ``Client``; so are the others.
        password: Password of ``user``.
        token: An access token instead of user and password.
        token_provider: A function that returns an access token whenever one is needed.
        profile: Name of a login saved by the KalamDB CLI.
        namespace: Namespace of table names that have none.
        timeout: Seconds of silence after which a request is given up.
        max_retries: Repeats of requests that change nothing.
        timeouts: Every phase on its own; replaces ``timeout``.
        max_result_bytes: Bytes of one answer that are read into memory at most, 2 GB by default; None for any number.
        name: Name by which ``use`` comes back to it; None for that of the saved login, ``sandbox``, or host and port. A
            connection of this name takes the place of the one before.

    Returns:
        The client.

    Raises:
        ConfigError: No server is named, or the arguments contradict each other.
        AuthError: The server refuses the login.
        ConnectError: The server cannot be reached.
        MissingDependencyError: The sandbox is not installed.
    """
    global _client
    if name is not None:
        check_text("name", name)
    elif url == "sandbox" or profile is not None:
        name = url if url == "sandbox" else profile

    if url == "sandbox":
        server = _start_sandbox()
        url, user, password = server.url, user or "root", password or server.root_password

    secrets = [None if value is None else Secret(value) for value in (password, token)]
    password = token = None  # A verbose traceback shows the locals of this frame.
    client = Client(
        url,
        user=user,
        password=secrets[0],
        token=secrets[1],
        token_provider=token_provider,
        profile=profile,
        namespace=namespace,
        timeout=timeout,
        max_retries=max_retries,
        timeouts=timeouts,
        max_result_bytes=max_result_bytes,
    )

    try:
        client.check_login()
    except AuthError as exc:
        waits = _waits_for_setup(client)
        client.close()
        if waits:
            raise AuthError(_SET_UP.format(url=client.url), "setup_required", exc.status) from None
        raise
    except BaseException:
        client.close()
        raise
    chosen = name or urlsplit(client.url).netloc
    client._name_beside_others = partial(_name_of, weakref.ref(client), chosen)

    with _lock:
        _client = client
        _connections[chosen] = client
    atexit.unregister(close)
    atexit.register(close)
    return client


_SET_UP = """\
The server at {url} is new: root has no password yet.
In a notebook %kalam setup {url} asks for the passwords and sets it up. In Python:
kalam.Client('{url}', user='root', password=ROOT_PASSWORD).server_setup('admin', ADMIN_PASSWORD, ROOT_PASSWORD)"""


def _name_of(client: weakref.ref[Client], name: str) -> str | None:
    """The name of a connection, where there are others."""
    known = connections()
    return name if len(known) > 1 and known.get(name) is client() else None


def _waits_for_setup(client: Client) -> bool:
    """Whether the server wants to be set up first; it tells that to its own machine only."""
    try:
        return client.check_setup_status().needs_setup
    except KalamError:
        return False


def current() -> Client:
    """The default client; without one, a connection is made from the environment or the saved logins.

    Raises:
        ConfigError: No server is named anywhere.
    """
    with _lock:
        return _client if _client is not None else connect()


def existing() -> Client | None:
    """The default client, if there is one; nothing is connected for it."""
    return _client


def connections() -> dict[str, Client]:
    """All connections that ``connect`` made and ``close`` has not closed, by name, the oldest first."""
    with _lock:
        return dict(_connections)


@fails_shortly
def use(name: str) -> Client:
    """Make another connection the default for the module's functions and the magics.

    Args:
        name: As given to ``connect``; ``connections()`` has all names.

    Returns:
        The client.

    Raises:
        ConfigError: There is no connection of this name.
    """
    global _client
    client = named(name)
    with _lock:
        _client = client
    return client


def named(name: str) -> Client:
    """The connection of a name; the default stays what it is.

    Raises:
        ConfigError: There is none.
    """
    with _lock:
        known = dict(_connections)
    if name in known:
        return known[name]
    meant = did_you_mean(name, known, write=repr)
    raise ConfigError(f"There is no connection {name!r} (there are: {', '.join(known) or 'none'}).{meant}")


def close() -> None:
    """Close the connections that ``connect`` made and stop the embedded server, if there are any."""
    global _client, _sandbox
    with _lock:
        clients = list(dict.fromkeys([*_connections.values(), *filter(None, [_client])]))
        server, _client, _sandbox = _sandbox, None, None
        _connections.clear()
    for client in clients:
        client.close()
    if server is not None:
        server.stop()


def function(name: str) -> Callable[..., Any]:
    """The module's function for a method of the default client, with its signature and docstring."""
    method = getattr(Client, name)
    signature = inspect.signature(method)
    parameters = list(signature.parameters.values())[1:]
    secret = {
        key
        for at, parameter in enumerate(parameters)
        if "Secret" in parameter.annotation
        for key in (at, parameter.name)
    }

    @fails_shortly
    @functools.wraps(method)
    def call(*args: object, **options: object) -> object:
        if secret:  # A verbose traceback shows the locals of this frame.
            args = tuple(_hidden(value) if at in secret else value for at, value in enumerate(args))
            options = {key: _hidden(value) if key in secret else value for key, value in options.items()}
        return getattr(current(), name)(*args, **options)

    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def _hidden(value: object) -> object:
    return Secret(value) if isinstance(value, str) else value


def _start_sandbox() -> SandboxServer:
    from kalam_sandbox.launcher import start

    global _sandbox
    with _lock:
        if _sandbox is None:
            _sandbox = start()
        return _sandbox
