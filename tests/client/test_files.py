"""Files: up, down, checked; what differs or does not fit leaves nothing behind."""

import asyncio
import errno
import hashlib
import io
import os
import stat
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from scripted_server import ScriptedServer, answer

import kalam_notebook as kalam
from kalam_notebook.errors import (
    ConfigError,
    DownloadError,
    FileRejectedError,
    NotFoundError,
    ParameterError,
    QueryError,
    RequestTimeoutError,
)

pytestmark = pytest.mark.contract
CONTENT = os.urandom(300_000)


@pytest.fixture
def docs(client, namespace):
    client.execute_query(
        f"CREATE TABLE {namespace}.docs (id TEXT PRIMARY KEY, body FILE, note TEXT) WITH (TYPE = 'USER')"
    )
    return f"{namespace}.docs"


def put(client, docs, key, source):
    sql = f'INSERT INTO {docs} (id, body, note) VALUES ($1, FILE("body"), $2)'
    client.execute_with_files(sql, {"body": source}, [key, "n"])
    return client.query(f"SELECT body FROM {docs} WHERE id = $1", [key]).loc[0, "body"]


def test_up_and_down(client, docs, tmp_path):
    ref = put(client, docs, "a", ("My Report.pdf", CONTENT))
    assert isinstance(ref, kalam.FileRef)
    assert (ref.name, ref.size, ref.sha256) == ("My Report.pdf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    path = client.download(ref, to=tmp_path)
    assert path == tmp_path / "My Report.pdf"
    assert path.read_bytes() == CONTENT
    namespace, table = docs.split(".")
    other = client.download_file(replace(ref, namespace=None), namespace, table, to=tmp_path / "new" / "x.bin")
    assert other.read_bytes() == CONTENT
    assert client.download_bound_file(ref, to=f"{tmp_path}/folder/").parent.name == "folder"
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "My Report.pdf",
        "My Report.pdf",
        "folder",
        "new",
        "x.bin",
    ]


def test_every_kind_of_source(client, docs, tmp_path):
    path = tmp_path / "from disk.txt"
    path.write_bytes(b"disk")
    assert put(client, docs, "path", path).name == "from disk.txt"
    assert put(client, docs, "text", str(path)).size == 4
    assert put(client, docs, "bytes", b"raw").name == "body"
    assert put(client, docs, "open", io.BytesIO(b"open")).size == 4
    assert put(client, docs, "named", ("n.txt", path)).name == "n.txt"


def test_an_upload_tells_how_far_it_is(client, docs, tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(CONTENT)
    told = []

    def tell(*sent):
        told.append(sent)

    sql = f"INSERT INTO {docs} (id, body) VALUES ('a', FILE(\"x\"))"
    client.execute_with_files(sql, {"x": path}, on_progress=tell)
    assert {total for _, total in told} == {len(CONTENT)}
    assert [sent for sent, _ in told] == sorted({sent for sent, _ in told})
    assert len(told) >= 4
    assert told[-1][0] == len(CONTENT)
    assert client.query(f"SELECT body FROM {docs}").loc[0, "body"].read() == CONTENT

    told.clear()
    sql = f"UPDATE {docs} SET body = FILE(\"x\") WHERE id = 'a'"
    client.execute_with_files(sql, {"x": b"small"}, on_progress=tell)
    assert told == [(5, 5)]
    with pytest.raises(ConfigError, match="on_progress is a function, not int"):
        client.execute_with_files(sql, {"x": b"small"}, on_progress=5)


def test_async(server, docs, tmp_path, client):
    ref = put(client, docs, "a", ("x.txt", b"abc"))

    async def main():
        async with kalam.AsyncClient(server.url, token=server.token) as other:
            return await other.download(ref, to=tmp_path)

    assert asyncio.run(main()).read_bytes() == b"abc"


def test_placeholders_and_files_must_match(client, docs):
    sql = f"INSERT INTO {docs} (id, body) VALUES ('a', FILE(\"body\"))"
    with pytest.raises(ParameterError, match="no file is given"):
        client.execute_with_files(sql, {})
    with pytest.raises(ParameterError, match=r'has no FILE\("other"\)'):
        client.execute_with_files(sql, {"body": b"", "other": b""})
    with pytest.raises(ConfigError, match="Cannot read the file"):
        client.execute_with_files(sql, {"body": "/nowhere/file"})
    with pytest.raises(QueryError, match="multipart"):
        client.execute_query(sql)


@pytest.mark.parametrize(
    "source",
    [5, None, ["x"], ("x",), (5, b""), ("x", 5), io.StringIO("text")],
    ids=lambda source: type(source).__name__,
)
def test_what_cannot_be_uploaded(client, docs, source):
    with pytest.raises(ParameterError, match=r"file 'body': \w+ cannot be uploaded\. Give a path, bytes"):
        put(client, docs, "a", source)
    assert client.query(f"SELECT id FROM {docs}").empty


def test_a_file_over_the_limit(client, docs):
    with pytest.raises(FileRejectedError, match="10 MiB"):
        put(client, docs, "big", b"x" * 11_000_000)


def test_files_of_one_name_do_not_replace_each_other(client, docs, tmp_path):
    for number, content in enumerate((b"first", b"other", b"first")):
        sql = f'INSERT INTO {docs} (id, body) VALUES ($1, FILE("x"))'
        client.execute_with_files(sql, {"x": ("report.txt", content)}, [f"same {number}"])
    frame = client.query(f"SELECT id, body FROM {docs} WHERE id LIKE 'same%' ORDER BY id")
    paths = [client.download(ref, to=f"{tmp_path}/all/") for ref in frame["body"]]
    assert [path.name for path in paths] == ["report.txt", "report (2).txt", "report.txt"]
    assert [path.read_bytes() for path in paths] == [b"first", b"other", b"first"]
    # A cell that runs again downloads to the same places.
    assert [client.download(ref, to=f"{tmp_path}/all/") for ref in frame["body"]] == paths


def test_a_name_with_folders_stays_in_the_folder(client, docs, tmp_path):
    ref = put(client, docs, "evil", ("../../evil.txt", b"abc"))
    inside = tmp_path / "in"
    inside.mkdir()
    assert client.download(ref, to=inside).parent == inside
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["evil.txt"]


@pytest.mark.parametrize(
    ("change", "words"), [({"sha256": "0" * 64}, "SHA-256 differs"), ({"size": 5}, "should have 5 bytes")]
)
def test_content_that_differs_is_not_kept(client, docs, tmp_path, change, words):
    ref = put(client, docs, "a", ("x.txt", b"abc"))
    target = tmp_path / "x.txt"
    target.write_bytes(b"older")
    with pytest.raises(DownloadError, match=words):
        client.download(replace(ref, **change), to=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]
    assert target.read_bytes() == b"older"


def test_a_file_that_is_not_there(client, docs, tmp_path):
    ref = put(client, docs, "a", ("x.txt", b"abc"))
    for folder in (tmp_path, f"{tmp_path}/new/below/"):
        with pytest.raises(NotFoundError, match="FILE_NOT_FOUND"):
            client.download(replace(ref, id="1"), to=folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", ".", "...", " . ", "/", "\\", "a/..", "\0", "../../evil", "-rf", "C:x"])
@pytest.mark.parametrize("file_id", ["1", "../../evil", "..", "/evil", "", "..\\evil"])
def test_no_name_leads_out_of_the_folder(tmp_path, name, file_id):
    ref = kalam.FileRef(file_id, "f0001", name, 3, "text/plain", hashlib.sha256(b"abc").hexdigest(), "app", "docs")
    inside = tmp_path / "a" / "in"
    reply = answer(b"abc", kind="text/plain")
    written = []
    # The server's own name for some is made of dots: they have no address.
    refused = suppress(ConfigError) if not set(file_id) - {"."} else nullcontext()
    with ScriptedServer(reply) as server, kalam.Client(server.url, token="t") as client, refused:
        written.append(client.download(ref, to=f"{inside}/"))
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == written
    assert {path.parent for path in written} <= {inside}


def test_a_link_of_the_name_is_replaced_and_not_followed(client, docs, tmp_path):
    ref = put(client, docs, "a", ("x.txt", b"abc"))
    inside, outside = tmp_path / "in", tmp_path / "outside.txt"
    inside.mkdir()
    (inside / "x.txt").symlink_to(outside)
    assert client.download(ref, to=inside) == inside / "x.txt"
    assert not outside.exists()
    assert not (inside / "x.txt").is_symlink()


@pytest.mark.parametrize("to", ["\0", "a\0b/", "~no-such-user/x", b"x", 5, None, object()])
def test_what_is_no_path(client, docs, to):
    ref = put(client, docs, "a", ("x.txt", b"abc"))
    with pytest.raises(ConfigError, match="to is "):
        client.download(ref, to=to)


def test_a_download_ends_where_its_size_does(tmp_path):
    ref = kalam.FileRef("1", "f0001", "x.txt", 3, "text/plain", "0" * 64, "app", "docs")
    # More is promised than ever comes: what is read to the end would wait.
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n" + b"x" * 100_000
    with (
        ScriptedServer(endless, hold=True) as server,
        kalam.Client(server.url, token="t", timeout=5) as client,
        pytest.raises(DownloadError, match="should have 3 bytes and more came"),
    ):
        client.download(ref, to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(client, docs, tmp_path, monkeypatch):
    ref = put(client, docs, "a", ("x.txt", b"abc"))

    def full(path, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr(os, "link", full)
    with pytest.raises(DownloadError, match=r"No space left on device[^$]*to='/another/folder/'"):
        client.download(ref, to=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device /dev/full, which Linux has")
def test_a_disk_that_fills_while_writing(client, docs, tmp_path, monkeypatch):
    ref = put(client, docs, "a", ("x.txt", CONTENT))
    real = os.open

    def on_full_disk(path, flags, mode=0o777, **options):
        opened = real(path, flags, mode, **options)
        if str(path).endswith(".part"):
            full = real("/dev/full", os.O_WRONLY)
            os.dup2(full, opened)
            os.close(full)
        return opened

    monkeypatch.setattr(os, "open", on_full_disk)
    with pytest.raises(DownloadError, match="No space left on device"):
        client.download(ref, to=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(client, docs, tmp_path):
    ref = put(client, docs, "a", ("x.txt", b"abc"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError, match="Cannot write to"):
        client.download(ref, to=tmp_path / "file" / "below" / "x")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, which this system does not have")
@pytest.mark.parametrize("by", ["name", "folder", "link"])
def test_a_pipe_or_device_is_not_replaced(client, docs, tmp_path, by):
    ref = put(client, docs, "a", ("x.txt", b"abc"))
    pipe = tmp_path / "x.txt"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    before = sorted(path.lstat().st_ino for path in tmp_path.iterdir())
    with pytest.raises(DownloadError, match=r"no ordinary file.* to='/another/folder/'"):
        client.download(ref, to={"name": pipe, "folder": tmp_path, "link": tmp_path / "link"}[by])
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert sorted(path.lstat().st_ino for path in tmp_path.iterdir()) == before


def test_a_folder_in_the_place_of_the_file(client, docs, tmp_path):
    ref = put(client, docs, "a", ("x.txt", b"abc"))
    (tmp_path / "x.txt").mkdir()
    with pytest.raises(DownloadError, match="no ordinary file"):
        client.download(ref, to=tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["x.txt"]


def test_a_server_that_stays_silent_is_not_taken_for_a_full_disk(tmp_path):
    ref = kalam.FileRef("1", "f0001", "x.txt", 3, "text/plain", "0" * 64, "app", "docs")
    with (
        ScriptedServer(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na", hold=True) as server,
        kalam.Client(server.url, token="t", timeout=0.2) as client,
        pytest.raises(RequestTimeoutError, match="nothing came for"),
    ):
        client.download(ref, to=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cell", [None, float("nan"), pd.NA, pd.NaT], ids=str)
def test_a_cell_that_is_null(client, cell):
    for call in (client.download, client.download_bound_file, lambda ref: client.download_file(ref, "app", "docs")):
        with pytest.raises(ParameterError, match=r"the cell is NULL: there is no file\.\n.*IS NOT NULL"):
            call(cell)


@pytest.mark.parametrize("cell", ["abc", {"id": "1"}, 7], ids=str)
def test_a_cell_that_is_no_reference(client, cell):
    for call in (client.download, client.download_bound_file, lambda ref: client.download_file(ref, "app", "docs")):
        with pytest.raises(ParameterError, match=rf"{type(cell).__name__} is no FileRef\.\n.*kalam\.query"):
            call(cell)


def test_a_null_cell_as_query_gives_it(client, docs):
    client.execute_query(f"INSERT INTO {docs} (id, note) VALUES ('a', 'n')")
    with pytest.raises(ParameterError, match="the cell is NULL"):
        client.download(client.query(f"SELECT body FROM {docs}").loc[0, "body"])


def test_an_unbound_reference_says_what_to_type(client, docs):
    ref = replace(put(client, docs, "a", ("x.txt", b"abc")), namespace=None)
    with pytest.raises(ConfigError, match=r"download_file\(ref"):
        client.download(ref)
