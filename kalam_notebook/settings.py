"""Where the server is and who asks: arguments, environment and the saved logins of the KalamDB CLI.

One place decides what wins: an argument, then the environment, then the saved login, else an error that says what to
type. Pure but for reading the environment, the login file and, as the last resort, a prompt; called by ``connect``.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from kalam_notebook.errors import ConfigError
from kalam_notebook.texts import hide_in_messages

__all__ = [
    "Credentials", "SavedLogin", "Secret", "Settings", "Timeouts", "ask_password", "logins_path", "read_saved_logins",
    "resolve",
]  # fmt: skip

#: Environment variables, named as the KalamDB CLI and server name them, and as KalamDB's documentation does.
URL_VARIABLE = "KALAMDB_SERVER_URL"
PASSWORD_VARIABLE = "KALAMDB_ROOT_PASSWORD"
LOGINS_VARIABLE = "KALAMDB_CREDENTIALS_PATH"
OTHER_URL_VARIABLE = "KALAMDB_URL"
USER_VARIABLE = "KALAMDB_USERNAME"
USER_PASSWORD_VARIABLE = "KALAMDB_PASSWORD"
LIVE_VARIABLE = "KALAM_LIVE"

#: Under which passwords stand in the keyring of the operating system, each as ``user@url``.
KEYRING_SERVICE = "kalamdb"

#: Bytes of one answer that are read into memory, unless told otherwise.
MAX_RESULT_BYTES = 2_000_000_000

#: The CLI's instance when none is named.
DEFAULT_PROFILE = "local"


class Secret:
    """A text that does not show itself: neither repr nor str nor pickle nor any message give it away.

    Args:
        value: The text.
        in_messages: Whether messages leave it out, whoever writes it into them; not what is only near a secret.
    """

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str, *, in_messages: bool = True) -> None:
        self._value = value
        if in_messages:
            hide_in_messages(self)

    @classmethod
    def of(cls, value: str | Secret) -> Secret:
        """A text made a secret, or the secret that it is already.

        Raises:
            ConfigError: It is no text.
        """
        if not isinstance(value, (str, Secret)):
            raise ConfigError(f"A password or token is text, not {type(value).__name__}.")
        return value if isinstance(value, Secret) else cls(value)

    def reveal(self) -> str:
        """The text."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("A secret is not pickled.")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait in each phase, in seconds; 0 waits for ever.

    Attributes:
        connect: Opening a connection, for HTTP and WebSocket.
        receive: Silence while an answer is awaited or read.
        send: Silence while a request is sent.
        auth: Login, and the WebSocket's ``auth_success``.
        subscribe: Acknowledgement of a live query.
        pong: Answer to a WebSocket ping. The server works a statement on the thread that serves connections, too, so a
            long INSERT keeps it silent for seconds; what it gives up itself it closes after 10 to 15 s.
        keepalive: Between two WebSocket pings. The server hangs up after 10 s of silence, so stay below 5.
        total: All of a request with its repeats, up to the last byte of the answer; 0, as it is, for any time as long
            as something comes. Logins and health answers have a minute in any case.
    """

    connect: float = 10.0
    receive: float = 30.0
    send: float = 10.0
    auth: float = 5.0
    subscribe: float = 5.0
    pong: float = 15.0
    keepalive: float = 4.0
    total: float = 0.0

    @classmethod
    def fast(cls) -> Timeouts:
        """Give times for a server nearby: what takes longer is soon told."""
        return cls(connect=2.0, receive=10.0, send=5.0, auth=2.0, subscribe=2.0, pong=5.0)

    @classmethod
    def relaxed(cls) -> Timeouts:
        """Give times for a slow network or a busy server. Pings are not slower: the server hangs up without them."""
        return cls(connect=60.0, receive=120.0, send=60.0, auth=30.0, subscribe=30.0, pong=60.0)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who asks. Exactly one way is set: user with password, a token, or a provider of tokens.

    Attributes:
        user: User id.
        password: Its password.
        token: An access token.
        refresh_token: Renews ``token``.
        token_provider: Called without arguments whenever a token is needed; returns an access token.
    """

    user: str | None = None
    password: Secret | None = None
    token: Secret | None = None
    refresh_token: Secret | None = None
    token_provider: Callable[[], str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """A server and who asks it.

    Attributes:
        url: ``http(s)://host[:port][/prefix]`` without a slash at the end.
        credentials: Who asks.
        source: Where the URL came from, in words, for messages.
    """

    url: str
    credentials: Credentials
    source: str


@dataclass(frozen=True, slots=True)
class SavedLogin:
    """One instance of the CLI's login file.

    Attributes:
        name: Instance name.
        url: Server URL, or None.
        user: User id, or None.
        token: Access token.
        refresh_token: Renews it; None in older files.
    """

    name: str
    url: str | None
    user: str | None
    token: Secret
    refresh_token: Secret | None


@dataclass(frozen=True, slots=True)
class _Environment:
    """The variables that matter, so that no frame holds the others: a verbose traceback shows locals."""

    url: str
    url_variable: str
    logins: Path
    user: str | None
    passwords: dict[str, Secret]


def _read_environment(environ: Mapping[str, str]) -> _Environment:
    url_variable = next((name for name in (URL_VARIABLE, OTHER_URL_VARIABLE) if environ.get(name, "").strip()), "")
    user = environ.get(USER_VARIABLE, "").strip() or None
    passwords = {}
    if environ.get(USER_PASSWORD_VARIABLE):
        passwords[user or "root"] = Secret(environ[USER_PASSWORD_VARIABLE])
    if environ.get(PASSWORD_VARIABLE):
        passwords.setdefault("root", Secret(environ[PASSWORD_VARIABLE]))
    return _Environment(
        url=environ.get(url_variable, "").strip(),
        url_variable=url_variable,
        logins=logins_path(environ),
        user=user,
        passwords=passwords,
    )


def live_is_static(environ: Mapping[str, str] | None = None) -> bool:
    """Whether ``KALAM_LIVE=static`` wants live tables shown as rows, once: for notebooks that run without a reader.

    Args:
        environ: The environment; for tests.

    Raises:
        ConfigError: The variable holds something else.
    """
    told = (os.environ if environ is None else environ).get(LIVE_VARIABLE, "").strip()
    if told not in ("", "static"):
        raise ConfigError(f"{LIVE_VARIABLE} is {told!r}. It takes static, or nothing.")
    return told == "static"


def logins_path(environ: Mapping[str, str]) -> Path:
    """Where the CLI keeps its logins."""
    named = environ.get(LOGINS_VARIABLE, "").strip()
    return Path(named).expanduser() if named else Path.home() / ".kalam" / "credentials.toml"


def read_saved_logins(path: Path) -> dict[str, SavedLogin]:
    """Read the CLI's login file; no file is no logins, and an entry that cannot be used is left out.

    Raises:
        ConfigError: The file cannot be read, or is not what the CLI writes.
    """
    return _read_logins(path)[0]


def _read_logins(path: Path) -> tuple[dict[str, SavedLogin], dict[str, str]]:
    """The logins of a file by name, and what is wrong with its other entries."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("instances", {}).items()
    except FileNotFoundError:
        return {}, {}
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it is not text"
        raise ConfigError(f"Cannot read the saved logins in {path}: {reason}.\n{_ADVICE}") from None
    except (tomllib.TOMLDecodeError, AttributeError):
        # The cause could quote a line that holds a token, and its frames hold them all.
        raise ConfigError(
            f"The saved logins in {path} are damaged. Log in again with: kalam login\n{_ADVICE}"
        ) from None
    faults = {name: fault for name, entry in entries if (fault := _fault(entry))}
    return {name: _saved_login(name, entry) for name, entry in entries if name not in faults}, faults


_ADVICE = "Or name the server: kalam.connect('http://localhost:2900', user='root', password=...)."
#: What a saved login is made of.
_OF_LOGIN = ("jwt_token", "server_url", "user", "username", "refresh_token")


def _fault(entry: object) -> str:
    """What keeps an entry of the file from being a login; empty for nothing."""
    if not isinstance(entry, dict):
        return "it is no table of names and values"
    if "jwt_token" not in entry:
        return "it has no jwt_token"
    wrong = [name for name in _OF_LOGIN if not isinstance(entry.get(name, ""), str)]
    return f"{wrong[0]} is no text" if wrong else ""


def _saved_login(name: str, entry: Mapping[str, str]) -> SavedLogin:
    refresh = entry.get("refresh_token")
    return SavedLogin(
        name=name,
        url=entry.get("server_url"),
        user=entry.get("user") or entry.get("username"),
        token=Secret(entry["jwt_token"]),
        refresh_token=Secret(refresh) if refresh else None,
    )


def resolve(
    url: str | None = None,
    *,
    user: str | None = None,
    password: Secret | None = None,
    token: Secret | None = None,
    token_provider: Callable[[], str] | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    prompt: Callable[[str], str] | None = None,
) -> Settings:
    """Decide which server to use, and as whom.

    Args:
        url: The server; None looks in ``KALAMDB_SERVER_URL``, ``KALAMDB_URL`` and then in the saved logins.
        user: User id; with no other credentials its password is looked for and, at last, asked for.
        password: Its password.
        token: An access token instead of user and password.
        token_provider: A function that returns access tokens.
        profile: Name of a saved login.
        environ: The environment; for tests.
        prompt: Asks for a password without echo; for tests.

    Raises:
        ConfigError: No server is named, two ways to log in are given, or no password can be had.
    """
    environment, environ = _read_environment(os.environ if environ is None else environ), None
    if sum(given is not None for given in (password, token, token_provider)) > 1:
        raise ConfigError("Give one of password, token and token_provider, not several.")
    is_wanted = url is None or (user, password, token, token_provider) == (None,) * 4
    saved, faults = _saved(profile, environment, wanted=is_wanted)
    named_url, source = _find_url(url, profile, saved, faults, environment)
    clean = check_url(named_url)
    if password is None and token is None and token_provider is None:
        credentials = _find_credentials(clean, user, profile, saved, environment, prompt)
    else:
        who = user if token is None and token_provider is None else None
        credentials = Credentials(who or ("root" if password else None), password, token, None, token_provider)
    return Settings(clean, credentials, source)


def _saved(
    profile: str | None, environment: _Environment, *, wanted: bool
) -> tuple[dict[str, SavedLogin], dict[str, str]]:
    """The saved logins, if they can matter: a damaged file must not stop a call that names everything."""
    if profile is None and not wanted:
        return {}, {}
    path = environment.logins
    logins, faults = _read_logins(path)
    if profile in faults:
        raise _unusable(profile, faults[profile], path)
    if profile is not None and profile not in logins:
        found = ", ".join(sorted(logins)) or "none"
        raise ConfigError(
            f"Login {profile!r} is not in {path} (found: {found}).\nSave it with: kalam login --instance {profile}"
        )
    return logins, faults


def _unusable(name: str, fault: str, path: Path) -> ConfigError:
    return ConfigError(
        f"The saved login {name!r} in {path} cannot be used: {fault}.\nSave it anew: kalam login --instance {name}"
    )


def _find_url(
    url: str | None,
    profile: str | None,
    saved: Mapping[str, SavedLogin],
    faults: Mapping[str, str],
    environment: _Environment,
) -> tuple[str, str]:
    if url is not None:
        return url, "the argument"
    if profile is None and environment.url:
        return environment.url, f"the environment variable {environment.url_variable}"
    login = saved.get(profile or DEFAULT_PROFILE) or (next(iter(saved.values())) if len(saved) == 1 else None)
    if login is not None and login.url:
        return login.url, f"the saved login {login.name!r}"
    if faults:
        name = DEFAULT_PROFILE if DEFAULT_PROFILE in faults else next(iter(faults))
        raise _unusable(name, faults[name], environment.logins)
    raise ConfigError(
        "No KalamDB server is named.\n"
        f"Type kalam.connect('http://localhost:2900', user='root', password=...), set {URL_VARIABLE}, "
        "or log in with the KalamDB CLI (kalam login).\n"
        "To try it without a server: kalam.connect('sandbox')."
    )


def _find_credentials(
    url: str,
    user: str | None,
    profile: str | None,
    saved: Mapping[str, SavedLogin],
    environment: _Environment,
    prompt: Callable[[str], str] | None,
) -> Credentials:
    if profile is None:
        named = [user] if user is not None else [environment.user, "root"]
        for name in named:
            if name in environment.passwords:
                return Credentials(name, environment.passwords[name])
    for login in [saved[profile]] if profile else saved.values():
        same_server = login.url is not None and login.url.rstrip("/") == url
        if same_server and user in (None, login.user):
            return Credentials(login.user, None, login.token, login.refresh_token)
    name = user or environment.user or "root"
    kept = _kept_password(name, url)
    return Credentials(name, kept or Secret((prompt or ask_password)(f"Password of {name} at {url}: ")))


def _kept_password(user: str, url: str) -> Secret | None:
    """The password that the keyring of the operating system has; None without one, or without the extra ``keyring``."""
    try:
        import keyring
    except ImportError:
        return None
    try:
        found = keyring.get_password(KEYRING_SERVICE, f"{user}@{url}")
    except Exception:  # Its back ends raise what they like where there is no keyring, as on a server.
        return None
    return Secret(found) if found else None


def ask_password(text: str) -> str:
    """Ask without echo, in a terminal or in a notebook that can ask."""
    from getpass import getpass

    kernel = sys.modules.get("ipykernel.kernelapp")  # Others may have loaded it without being one.
    if (kernel is not None and kernel.IPKernelApp.initialized()) or sys.stdin.isatty():
        try:
            return getpass(text)
        except (EOFError, OSError, RuntimeError, NotImplementedError):
            pass  # A kernel without a front end that can ask.
    raise ConfigError(
        f"A password is needed and nobody can be asked here ({text.rstrip(': ')}).\n"
        f"Pass password=..., or set {PASSWORD_VARIABLE} (user root) or {USER_VARIABLE} and {USER_PASSWORD_VARIABLE}."
    )


def _meant_url(url: str) -> str:
    """What was probably meant by something that is no URL."""
    if url.strip().lower() == "sandbox":
        return "Did you mean kalam.connect('sandbox')?"
    if re.fullmatch(r"[\w.-]+(:\d{1,5})?", url.strip()):
        host = url.strip() if ":" in url else f"{url.strip()}:2900"
        return f"Did you mean http://{host}?"
    return "Write it like http://localhost:2900."


def check_url(url: str) -> str:
    """Check a server URL and return it without a slash at the end.

    Raises:
        ConfigError: It is not an http(s) URL, or it carries a password, a query or a fragment.
    """
    try:
        parts = urlsplit(url.strip())
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        parts, valid = None, False
    # Where the address cannot be read, what stands before an @ may be a password all the same.
    if "@" in url or (parts is not None and (parts.username or parts.password)):
        raise ConfigError(
            "The URL carries a user or password. Pass them as user=... and password=..., so that they stay out of logs."
        )
    if parts is None or not valid:
        raise ConfigError(f"{url!r} is not a server URL. {_meant_url(url)}")
    if (at := parts.path.find("/v1")) >= 0:
        base = f"{parts.scheme}://{parts.netloc}{parts.path[:at]}"
        raise ConfigError(f"The URL names a route of the server's. Write where the server is: {base}")
    if parts.query or parts.fragment:
        raise ConfigError(f"The URL has a query or fragment. Use {parts.scheme}://{parts.netloc}.")
    return url.strip().rstrip("/")
