"""Which proxy a server is reached through: one choice, for HTTP and for the WebSocket.

The environment is read as httpx reads it, and two things beside: this machine itself is never reached through a proxy,
which would be sent the password of a server that it cannot reach; and ``NO_PROXY`` may name networks (``10.0.0.0/8``).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
from dataclasses import dataclass
from functools import cache
from urllib.request import getproxies

import httpx

from kalam_notebook.errors import ConfigError, MissingDependencyError
from kalam_notebook.http.connections import Transport
from kalam_notebook.settings import Secret

__all__ = ["Proxy", "open_transport", "proxy_for", "through", "unusable_proxy", "without_socks"]

#: httpx and websockets open a WebSocket of ``ws`` and ``wss`` where HTTP has these.
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy before a server.

    Attributes:
        url: Its address, with the user and password that it may want.
        name: Its address without them, for messages.
        server: Host name of the server.
    """

    url: Secret
    name: str
    server: str

    @property
    def advice(self) -> str:
        """What to do where it is in the way."""
        return f"Check the proxy, or go without it: set NO_PROXY={self.server} in the environment."

    @property
    def hint(self) -> str:
        """What to say of an answer that is not of the server's form."""
        return f"This may be an answer of the proxy {self.name}. {self.advice}"


def proxy_for(url: str) -> Proxy | None:
    """Choose the proxy for a server; None where it is reached without one.

    Args:
        url: The server, or its WebSocket.

    Raises:
        ConfigError: What the environment names is no address.
    """
    server = httpx.URL(url)
    if _is_this_machine(server.host):
        return None

    # Without variables in the environment, macOS and Windows tell those of the system.
    named = getproxies()
    scheme = _HTTP_SCHEMES.get(server.scheme, server.scheme)
    address = named.get(scheme) or named.get("all")
    if not address or any(_leaves_out(entry.strip(), scheme, server) for entry in named.get("no", "").split(",")):
        return None

    if "://" not in address:
        address = f"http://{address}"
    try:
        parsed = httpx.URL(address)
        name = str(parsed.copy_with(userinfo=b"", path="/")).rstrip("/")
    except httpx.InvalidURL:  # Its text may hold a part of the password.
        raise ConfigError(
            "The environment names a proxy that is no address. "
            "Correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY: http://host:port."
        ) from None
    return Proxy(Secret(address, in_messages=bool(parsed.userinfo)), name, server.host)


def open_transport(proxy: Proxy | None) -> Transport:
    """Return sockets for HTTP, which take nothing more from the environment about proxies.

    Raises:
        ConfigError: The proxy is of no kind that httpx knows.
        MissingDependencyError: It is a SOCKS proxy, and the packages for those are missing.
    """
    trusted = _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    if proxy is None:
        return Transport(verify=trusted)
    try:
        return Transport(verify=trusted, proxy=proxy.url.reveal())
    except ImportError:
        raise without_socks(proxy) from None
    except ValueError:
        raise unusable_proxy(proxy, "its kind is not known") from None


@cache
def _trusted(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    """The certificates that httpx trusts with these variables; to read them is nearly all that a client costs."""
    return httpx.create_ssl_context()


def through(proxy: Proxy | None) -> str:
    """Name the proxy, to be put behind the server's name in a message; empty without one."""
    return "" if proxy is None else f" (through the proxy {proxy.name})"


def without_socks(proxy: Proxy) -> MissingDependencyError:
    """Make the error for a SOCKS proxy where the packages for those are missing."""
    return MissingDependencyError(
        f"The proxy {proxy.name} needs more packages. Install them with: pip install 'httpx[socks]' python-socks\n"
        f"{proxy.advice}"
    )


def unusable_proxy(proxy: Proxy, reason: str) -> ConfigError:
    """Make the error for a proxy whose address cannot be used."""
    return ConfigError(f"The proxy {proxy.name} cannot be used: {reason}.\n{proxy.advice}")


def _is_this_machine(host: str) -> bool:
    address = _ip(host)
    return host == "localhost" if address is None else address.is_loopback


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _leaves_out(entry: str, scheme: str, server: httpx.URL) -> bool:
    """Whether an entry of ``NO_PROXY`` means the server."""
    if not entry or entry == "*":
        return bool(entry)

    wanted, separator, place = entry.rpartition("://")
    if wanted not in {"", "all", scheme}:
        return False
    with contextlib.suppress(ValueError):  # It is no address, and no network.
        network = ipaddress.ip_network(place.strip("[]"), strict=False)
        address = _ip(server.host)
        return address is not None and address in network

    host, _, port = place.lower().partition(":")
    if port and port != str(server.port):
        return False
    if separator:  # Written as an address, it means this host alone.
        return server.host == host
    return server.host == host or server.host.endswith(f".{host.removeprefix('.')}")
