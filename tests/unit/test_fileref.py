"""FileRef: stored names as the server makes them, safe local names, addresses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalam_notebook.errors import ConfigError
from kalam_notebook.wire.fileref import FileRef, parse_file_ref


def ref(name: str) -> FileRef:
    return FileRef("123", "f0001", name, 1, "text/plain", "00")


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("My Document.pdf", "123-my-document.pdf"),
        ("文档.pdf", "123.pdf"),
        ("README", "123-readme.bin"),
        ("archive.tar.gz", "123-archivetar.gz"),
        ("a__b--c (1).PNG", "123-a-b-c-1.png"),
        ("x.", "123-x."),
        ("x.verylongextension", "123-x.bin"),
        ("a" * 60 + ".txt", f"123-{'a' * 50}.txt"),
    ],
)
def test_stored_names_are_those_of_the_server(name, stored):
    assert ref(name).stored_name == stored


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\evil.exe", "evil.exe"),
        ("..", "123.bin"),
        ("", "123.bin"),
        ("/", "123.bin"),
        (".bashrc", "bashrc"),
        ("a\x00b\nc.txt", "a_b_c.txt"),
        ("文档.pdf", "文档.pdf"),
    ],
)
def test_local_names_stay_inside_the_folder(name, safe):
    assert ref(name).safe_name == safe


@given(st.text(max_size=300))
def test_any_name_becomes_one_safe_part(name):
    safe = ref(name).safe_name
    assert safe
    assert safe not in {".", ".."}
    assert not set(safe) & set("/\\\x00")
    assert not safe.startswith(".")


def test_address_is_encoded_and_needs_a_table():
    bound = ref("a b.txt").bind("app", "my/docs")
    assert bound.path() == "/v1/files/app/my%2Fdocs/f0001/123-a-b.txt"
    assert ref("a.txt").path("x", "y") == "/v1/files/x/y/f0001/123-a.txt"
    with pytest.raises(ConfigError, match="not bound to a table"):
        ref("a.txt").path()


def test_cells():
    original = ref("My Report.pdf")
    assert parse_file_ref(original.to_json()) == original
    assert parse_file_ref(None) is None
    for text in ("plain text", "{}", "[]", '{"id": 1}', "null"):
        assert parse_file_ref(text) is None
