"""Logins that are written for the KalamDB CLI: only the one that is meant changes, and nobody else reads the file."""

import os
import stat
import tomllib

import pytest
from frames_of_errors import frames_that_show

from kalam_notebook.client.saved_logins import entry_of, write_login
from kalam_notebook.errors import ConfigError
from kalam_notebook.settings import Secret, read_saved_logins, resolve

OTHERS = """\
# Mine.
version = 2

[instances.local]   # the one at home
jwt_token = "token-local"
user = "alice"

[instances."a b"]
jwt_token = 'token-ab'
anything = [1, 2]

[something.else]
text = "[instances.prod]"
"""


def entry(token="token-new", user="bob"):
    return entry_of(
        url="http://h:1", user=user, token=Secret(token), expires_at=1_800_000_000.5, refresh_token=Secret("again")
    )


def parsed(path):
    return tomllib.loads(path.read_text())


def test_a_new_file_is_as_the_cli_writes_it_and_its_owners_alone(tmp_path):
    path = tmp_path / "new" / "credentials.toml"
    write_login(path, "prod", entry())
    assert parsed(path)["instances"] == {
        "prod": {
            "jwt_token": "token-new",
            "server_url": "http://h:1",
            "user": "bob",
            "expires_at": "2027-01-15T08:00:00Z",
            "refresh_token": "again",
        }
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["credentials.toml"]
    settings = resolve(profile="prod", environ={"KALAMDB_CREDENTIALS_PATH": str(path)})
    assert (settings.url, settings.credentials.user) == ("http://h:1", "bob")
    assert settings.credentials.refresh_token.reveal() == "again"


@pytest.mark.parametrize("name", ["prod", "local", "a b", 'x"]\n[instances.y', "Grüße"])
def test_others_stay_as_they_are(tmp_path, name):
    path = tmp_path / "credentials.toml"
    path.write_text(OTHERS)
    path.chmod(0o644)
    before = parsed(path)
    for token in ("one", "two"):
        write_login(path, name, entry(token))
        after = parsed(path)
        assert after["instances"].pop(name)["jwt_token"] == token
        kept = {key: value for key, value in before["instances"].items() if key != name}
        assert after == {**before, "instances": kept}
    assert path.read_text().startswith("# Mine.\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert name in read_saved_logins(path)


@pytest.mark.parametrize(
    "text",
    [
        "instances = {prod = {jwt_token = 'x'}}\n",
        "[instances]\nprod.jwt_token = 'token-hunter2'\n",
        "[instances.prod]\ntext = '''\n[instances.other]\n'''\njwt_token = 'token-hunter2'\n",
        "not toml",
    ],
)
def test_what_cannot_be_changed_is_left_alone(tmp_path, text):
    path = tmp_path / "credentials.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="cannot be added to") as caught:
        write_login(path, "prod", entry("token-hunter2"))
    assert path.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == ["credentials.toml"]
    assert "hunter2" not in str(caught.value)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be saved in") as caught:
        write_login(tmp_path / "file" / "credentials.toml", "prod", entry("token-hunter2"))
    assert frames_that_show(caught.value, "hunter2") == []


def test_a_link_stays_one(tmp_path):
    link, path = tmp_path / "link.toml", tmp_path / "real.toml"
    path.write_text(OTHERS)
    os.symlink(path, link)
    write_login(link, "prod", entry())
    assert link.is_symlink()
    assert "prod" in parsed(path)["instances"]
