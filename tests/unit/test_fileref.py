"""FileRef: stored names as the server makes them, safe local names, addresses."""

import ntpath
from dataclasses import replace
from pathlib import PurePosixPath, PureWindowsPath

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
        ("...", "123.bin"),
        (". .", "123.bin"),
        ("a/..", "123.bin"),
        ("C:\\Windows\\x.dll", "x.dll"),
        ("C:x.txt", "C_x.txt"),
        ("a.txt:stream", "a.txt_stream"),
        ("a.txt. . ", "a.txt"),
        ("-rf", "_-rf"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("aux .c", "_aux .c"),
        ("COM¹.log", "_COM¹.log"),
        ("lpt9.tar.gz", "_lpt9.tar.gz"),
        ("console.txt", "console.txt"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("a\x9b31m\x85\u2028\u200b.txt", "a_31m___.txt"),
        ("\ud800.txt", "_.txt"),
        ("\ufeff", "_"),
        ("a" * 300 + ".txt", "a" * 196 + ".txt"),
        ("é" * 300 + ".txt", "é" * 98 + ".txt"),
        ("a." + "é" * 300, "a." + "é" * 99),
        ("." + "x" * 300, "x" * 199),
    ],
)
def test_local_names_stay_inside_the_folder(name, safe):
    assert ref(name).safe_name == safe


@given(st.text(max_size=300))
def test_any_name_becomes_one_safe_part(name):
    assert_safe(ref(name).safe_name)
    assert_safe(FileRef(name, "f0001", "..", 1, "", "").safe_name)


def is_reserved(name):
    """Whether Windows takes a name for a device. Until Python 3.12 paths tell it themselves."""
    return ntpath.isreserved(name) if hasattr(ntpath, "isreserved") else PureWindowsPath(name).is_reserved()


def assert_safe(safe):
    assert PurePosixPath("in", safe).parts == ("in", safe)
    assert PureWindowsPath("in", safe).parts == ("in", safe)
    assert not is_reserved(safe)
    assert safe.isprintable()
    assert safe.strip(" .") == safe
    assert safe[0] != "-"
    assert len(safe.encode()) <= 201


@pytest.mark.parametrize("file_id", ["", "..", "../../evil", "/etc/x", "\\\\h\\share", "\0", "con", "x" * 10_000_000])
def test_an_id_is_no_path_either(file_id):
    assert_safe(FileRef(file_id, "f0001", "...", 1, "", "").safe_name)
    assert_safe(FileRef("1", "f0001", file_id, 1, "", "").safe_name)


@pytest.mark.parametrize("part", [".", "..", "", "x" * 2_000, "\ud800", 5])
def test_no_part_of_an_address_leads_elsewhere(part):
    whole = ref("a.txt")
    for bad in (lambda: replace(whole, sub=part).path("a", "b"), lambda: whole.path(part or ".", "b")):
        with pytest.raises(ConfigError):
            bad()
    assert replace(whole, id="../x").path("../y", "b") == "/v1/files/..%2Fy/b/f0001/..%2Fx-a.txt"


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
    huge = original.to_json().replace('"size":1', '"size":1e400')
    for text in ("plain text", "{}", "[]", '{"id": 1}', "null", huge, "\ud800"):
        assert parse_file_ref(text) is None
