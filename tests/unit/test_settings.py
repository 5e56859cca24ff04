"""Which server and who asks: what wins, and what is said when nothing is named."""

import importlib
import io
import pickle
import sys

import pytest
from frames_of_errors import frames_that_show

from kalam_notebook.errors import ConfigError
from kalam_notebook.settings import Secret, check_url, live_is_static, read_saved_logins, resolve

LOGINS = """
[instances.local]
jwt_token = "token-local"
user = "alice"
server_url = "http://localhost:3000"
refresh_token = "refresh-local"

[instances.prod]
jwt_token = "token-prod"
user = "admin"
server_url = "https://db.example.com/"
"""


@pytest.fixture
def environ(tmp_path):
    path = tmp_path / "credentials.toml"
    path.write_text(LOGINS)
    return {"KALAMDB_CREDENTIALS_PATH": str(path)}


def never(text):
    raise AssertionError(f"asked: {text}")


def test_an_argument_wins_over_everything(environ):
    environ |= {"KALAMDB_SERVER_URL": "http://env:1", "KALAMDB_ROOT_PASSWORD": "env"}
    settings = resolve("http://arg:2/", user="bob", password=Secret("pw"), environ=environ, prompt=never)
    assert settings.url == "http://arg:2"
    assert settings.credentials.user == "bob"
    assert settings.credentials.password.reveal() == "pw"


def test_the_environment_wins_over_saved_logins(environ):
    environ |= {"KALAMDB_SERVER_URL": "http://env:1", "KALAMDB_ROOT_PASSWORD": "env"}
    settings = resolve(environ=environ, prompt=never)
    assert settings.url == "http://env:1"
    assert (settings.credentials.user, settings.credentials.password.reveal()) == ("root", "env")
    assert "KALAMDB_SERVER_URL" in settings.source


def test_names_of_the_documentation(environ):
    environ |= {"KALAMDB_URL": "http://docs:1", "KALAMDB_USERNAME": "agent", "KALAMDB_PASSWORD": "of-agent"}
    settings = resolve(environ=environ, prompt=never)
    assert settings.url == "http://docs:1"
    assert "KALAMDB_URL" in settings.source
    assert (settings.credentials.user, settings.credentials.password.reveal()) == ("agent", "of-agent")
    environ |= {"KALAMDB_SERVER_URL": "http://cli:1", "KALAMDB_ROOT_PASSWORD": "of-root"}
    settings = resolve(environ=environ, prompt=never)
    assert (settings.url, settings.credentials.user) == ("http://cli:1", "agent")
    assert resolve(user="root", environ=environ, prompt=never).credentials.password.reveal() == "of-root"
    assert resolve(user="bob", environ=environ, prompt=lambda text: "typed").credentials.password.reveal() == "typed"
    del environ["KALAMDB_USERNAME"], environ["KALAMDB_ROOT_PASSWORD"]
    credentials = resolve(environ=environ, prompt=never).credentials
    assert (credentials.user, credentials.password.reveal()) == ("root", "of-agent")


def test_the_keyring_is_asked_before_the_person(tmp_path, monkeypatch):
    import keyring
    from keyring.backend import KeyringBackend

    class Kept(KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            if username == "broken@http://h:1":
                raise RuntimeError("locked")
            return "kept" if (service, username) == ("kalamdb", "bob@http://h:1") else None

        def set_password(self, service, username, password):
            raise AssertionError

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    environ = {"KALAMDB_CREDENTIALS_PATH": str(tmp_path / "none.toml")}
    try:
        found = resolve("http://h:1", user="bob", environ=environ, prompt=never)
        assert found.credentials.password.reveal() == "kept"
        for user in ("alice", "broken"):
            asked = resolve("http://h:1", user=user, environ=environ, prompt=lambda text: "typed")
            assert asked.credentials.password.reveal() == "typed"
    finally:
        keyring.set_keyring(before)
    monkeypatch.setitem(sys.modules, "keyring", None)  # As without the extra.
    assert resolve("http://h:1", user="bob", environ=environ, prompt=lambda text: "typed").credentials.user == "bob"


def test_the_saved_login_of_the_cli(environ):
    settings = resolve(environ=environ, prompt=never)
    assert settings.url == "http://localhost:3000"
    assert settings.credentials.token.reveal() == "token-local"
    assert settings.credentials.refresh_token.reveal() == "refresh-local"
    named = resolve(profile="prod", environ=environ, prompt=never)
    assert named.url == "https://db.example.com"
    assert named.credentials.token.reveal() == "token-prod"


def test_a_url_finds_its_saved_login(environ):
    assert resolve("https://db.example.com", environ=environ, prompt=never).credentials.user == "admin"


def test_an_unknown_login_names_those_there_are(environ):
    with pytest.raises(ConfigError, match=r"'dev' is not in .* \(found: local, prod\)"):
        resolve(profile="dev", environ=environ)


def test_nothing_named_says_what_to_type(tmp_path):
    with pytest.raises(ConfigError) as caught:
        resolve(environ={"KALAMDB_CREDENTIALS_PATH": str(tmp_path / "none.toml")})
    text = str(caught.value)
    assert "KALAMDB_SERVER_URL" in text
    assert "kalam.connect('sandbox')" in text
    assert len(text.splitlines()) <= 3


def test_the_password_is_asked_for_at_last(tmp_path):
    asked = []
    environ = {"KALAMDB_CREDENTIALS_PATH": str(tmp_path / "none.toml")}

    def prompt(text):
        asked.append(text)
        return "typed"

    settings = resolve("http://h:1", user="bob", environ=environ, prompt=prompt)
    assert settings.credentials.password.reveal() == "typed"
    assert asked == ["Password of bob at http://h:1: "]


def test_nobody_to_ask(tmp_path, monkeypatch):
    importlib.import_module("ipykernel.kernelapp")  # Something loads it, and this is no kernel.
    monkeypatch.setattr("sys.stdin", io.StringIO())
    environ = {"KALAMDB_CREDENTIALS_PATH": str(tmp_path / "none.toml")}
    with pytest.raises(ConfigError, match="KALAMDB_ROOT_PASSWORD"):
        resolve("http://h:1", environ=environ)


@pytest.mark.parametrize("text", ["not [ toml token-local", "instances = 5"])
def test_a_damaged_login_file_is_said_without_its_content(tmp_path, text):
    path = tmp_path / "credentials.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="damaged") as caught:
        resolve(environ={"KALAMDB_CREDENTIALS_PATH": str(path)})
    assert "token-local" not in str(caught.value)
    assert caught.value.__cause__ is None
    # A call that names everything does not even look.
    assert resolve("http://h:1", token=Secret("t"), environ={"KALAMDB_CREDENTIALS_PATH": str(path)}).url == "http://h:1"


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("[instances.bad]\nuser = 'token-bad'", "it has no jwt_token"),
        ("[instances.bad]\njwt_token = 5\nuser = 'token-bad'", "jwt_token is no text"),
        ("[instances.bad]\njwt_token = 'token-bad'\nserver_url = ['http://h']", "server_url is no text"),
        ("[instances]\nbad = 'token-bad'", "it is no table of names and values"),
    ],
)
def test_an_entry_that_cannot_be_used_leaves_the_others(tmp_path, entry, fault):
    path = tmp_path / "credentials.toml"
    path.write_text(entry)
    environ = {"KALAMDB_CREDENTIALS_PATH": str(path)}
    for profile in ("bad", None):  # Also where it is the only one.
        with pytest.raises(ConfigError, match=rf"'bad' in .* cannot be used: {fault}\.\n.*--instance bad$") as caught:
            resolve(profile=profile, environ=environ)
        assert "token-bad" not in str(caught.value)

    path.write_text(f"{entry}\n[instances.good]\njwt_token = 'token'\nserver_url = 'http://h:2'\nusername = 'carol'\n")
    assert list(read_saved_logins(path)) == ["good"]
    for profile in ("good", None):
        settings = resolve(profile=profile, environ=environ)
        assert (settings.url, settings.credentials.user) == ("http://h:2", "carol")


def test_an_unreadable_login_file(tmp_path):
    with pytest.raises(ConfigError, match="Cannot read the saved logins"):
        resolve(environ={"KALAMDB_CREDENTIALS_PATH": str(tmp_path)})


def test_two_ways_to_log_in():
    with pytest.raises(ConfigError, match="not several"):
        resolve("http://h:1", password=Secret("a"), token=Secret("b"), environ={})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:2900", "not a server URL"),
        ("ftp://host", "not a server URL"),
        ("http://", "not a server URL"),
        ("http://host:port", "not a server URL"),
        ("http://root:hunter2@host", "user or password"),
        ("http://host/?a=1", "query or fragment"),
    ],
)
def test_bad_urls(url, words):
    with pytest.raises(ConfigError, match=words) as caught:
        check_url(url)
    assert "hunter2" not in str(caught.value)


def test_a_secret_does_not_show():
    secret = Secret("hunter2")
    settings = resolve("http://h:1", password=secret, environ={})
    for shown in (repr(secret), str(secret), f"{secret}", repr(settings), repr(settings.credentials)):
        assert "hunter2" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_no_frame_of_a_failure_holds_a_secret(tmp_path, monkeypatch):
    path = tmp_path / "logins.toml"
    monkeypatch.setenv("KALAMDB_CREDENTIALS_PATH", str(path))
    monkeypatch.setenv("KALAMDB_ROOT_PASSWORD", "root-hunter2")
    monkeypatch.setenv("KEY_OF_SOMETHING_ELSE", "other-hunter2")

    def failure(*args, **options):
        with pytest.raises(ConfigError) as caught:
            resolve(*args, **options)
        return frames_that_show(caught.value, "hunter2")

    assert failure() == []  # No server is named.
    assert failure("http://h:1", profile="prod") == []
    assert failure("nonsense") == []
    assert failure("http://h:1", user="bob") == []  # Nobody can be asked for a password.
    path.write_text('[instances.a]\njwt_token = "token-hunter2"\n[instances.b]\nname = "no token"\n')
    assert failure() == []
    path.write_text('[instances.a]\njwt_token = "token-hunter2"\nnonsense')
    assert failure() == []


def test_static_live_tables_are_asked_for_by_one_word():
    assert [live_is_static({"KALAM_LIVE": value}) for value in ("static", " static ", "")] == [True, True, False]
    assert not live_is_static({})
    with pytest.raises(ConfigError, match="KALAM_LIVE is 'off'"):
        live_is_static({"KALAM_LIVE": "off"})
