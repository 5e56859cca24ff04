"""Many files: up, down, again, a bad one among them, an interrupt in between; and references that fetch themselves."""

import asyncio
import copy
import gc
import os
import pickle
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from IPython.core.formatters import DisplayFormatter
from scripted_server import ScriptedServer, answer

import kalam_notebook as kalam
from kalam_notebook.errors import ConfigError, ConnectError, DownloadError, FrameError, NotFoundError, QueryError
from kalam_notebook.http.downloads import Downloads
from kalam_notebook.notebook.page.questions import answer as page_answer
from kalam_notebook.notebook.page.ranges import Ranges

pytestmark = pytest.mark.contract
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


@pytest.fixture
def pictures(client, namespace):
    client.execute_query(
        f"CREATE TABLE {namespace}.pictures (id TEXT PRIMARY KEY, body FILE, note TEXT) WITH (TYPE = 'USER')"
    )
    return f"{namespace}.pictures"


@pytest.fixture
def folder(tmp_path):
    """Twenty small files."""
    path = tmp_path / "mine"
    path.mkdir()
    for number in range(20):
        (path / f"{number:02}.png").write_bytes(PNG + bytes([number]) * number)
    return path


def refs(client, table):
    return client.query(f"SELECT id, body FROM {table} ORDER BY id").set_index("id")["body"]


def test_twenty_files_up_and_down_and_again(client, pictures, folder, tmp_path):
    report = client.upload(folder, pictures)
    assert report["result"].tolist() == ["uploaded"] * 20
    assert report["key"].tolist() == [f"{number:02}.png" for number in range(20)]
    assert report["bytes"].tolist() == [len(PNG) + number for number in range(20)]
    assert set(client.upload(folder, pictures)["result"]) == {"already there"}

    down = client.download(refs(client, pictures), to=tmp_path / "down")
    assert down.index.tolist() == report["key"].tolist()
    assert set(down["result"]) == {"downloaded"}
    assert [path.read_bytes() for path in down["path"]] == [path.read_bytes() for path in sorted(folder.iterdir())]
    (tmp_path / "down" / "03.png").write_bytes(b"damaged")
    again = client.download(refs(client, pictures), to=tmp_path / "down")
    assert again["result"].value_counts().to_dict() == {"already there": 19, "downloaded": 1}
    assert again.loc["03.png", "path"].name == "03 (2).png"


def test_what_is_there_is_not_asked_for(tmp_path):
    content = b"abc"
    ref = kalam.FileRef("1", "f0001", "a.txt", 3, "text/plain", "", "app", "docs")
    ref = replace(ref, sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    with ScriptedServer(answer(content, kind="text/plain")) as server, kalam.Client(server.url, token="t") as client:
        assert client.download([ref], to=tmp_path)["result"].tolist() == ["downloaded"]
        assert client.download([ref], to=tmp_path)["result"].tolist() == ["already there"]
        assert len(server.requests) == 1


def test_a_frame_and_a_mapping(client, pictures, folder):
    frame = pd.DataFrame({"id": ["a", "b"], "note": ["x", None], "body": [folder / "01.png", None]}, index=[7, 9])
    report = client.upload(frame, pictures)
    assert report["result"].to_dict() == {7: "uploaded", 9: "no file"}
    assert client.upload(pl.DataFrame({"id": ["p"], "body": [b"raw"]}), pictures)["result"].tolist() == ["uploaded"]
    assert client.upload({"m": ("named.txt", b"abc")}, pictures, column="body")["name"].tolist() == ["named.txt"]
    rows = client.query(f"SELECT id, note, body FROM {pictures} ORDER BY id")
    assert rows["id"].tolist() == ["a", "m", "p"]
    assert rows["note"].fillna("").tolist() == ["x", "", ""]


def test_a_bad_file_does_not_lose_the_others(client, pictures, folder, tmp_path):
    sources = {"a": folder / "01.png", "b": folder / "nowhere.png", "c": b"x" * 11_000_000, "d": b"d", "e": 5}
    with pytest.warns(kalam.FilesWarning, match=r"3 of 5 files were not uploaded\. 'nowhere\.png': Cannot read"):
        report = client.upload(sources, pictures).set_index("key")
    assert report["result"].to_dict() == {"a": "uploaded", "b": "failed", "c": "failed", "d": "uploaded", "e": "failed"}
    assert "10 MiB" in report.loc["c", "error"]

    cells = refs(client, pictures)
    cells["gone"], cells["null"], cells["text"] = replace(cells["a"], id="1", sha256="0" * 64), None, "plain text"
    cells["nan"] = float("nan")
    with pytest.warns(kalam.FilesWarning, match=r"2 of 6 files were not downloaded.*\n.*report\['result'\]"):
        down = client.download(cells, to=tmp_path / "down")
    assert down["result"].to_dict() == {
        "a": "downloaded", "d": "downloaded", "gone": "failed", "null": "no file", "text": "failed", "nan": "no file",
    }  # fmt: skip
    assert "FILE_NOT_FOUND" in down.loc["gone", "error"]
    assert sorted(path.name for path in (tmp_path / "down").iterdir()) == ["01.png", "file"]


def test_another_file_of_a_row_is_replaced_only_when_asked_for(client, pictures):
    client.upload({"a": ("x.txt", b"old")}, pictures)
    with pytest.warns(kalam.FilesWarning, match=r"The row has another file: 'x\.txt', 3 bytes\. replace=True"):
        client.upload({"a": ("x.txt", b"new")}, pictures)
    assert refs(client, pictures)["a"].read() == b"old"
    assert client.upload({"a": ("x.txt", b"new")}, pictures, replace=True)["result"].tolist() == ["uploaded"]
    assert refs(client, pictures)["a"].read() == b"new"


def test_a_row_without_a_file_gets_one(client, pictures):
    client.execute_query(f"INSERT INTO {pictures} (id, note) VALUES ('a', 'kept')")
    client.upload({"a": ("x.txt", b"new")}, pictures)
    row = client.query(f"SELECT note, body FROM {pictures}").loc[0]
    assert (row["note"], row["body"].read()) == ("kept", b"new")


def test_tables_and_files_that_do_not_fit(client, pictures, namespace, folder):
    with pytest.raises(ConfigError, match=r"files cannot be read: File name too long\."):
        client.upload("x" * 10_000, pictures)
    with pytest.raises(QueryError, match=f"There is no table {pictures}x. Did you mean {pictures}"):
        client.upload(folder, f"{pictures}x")
    with pytest.raises(ConfigError, match="files is bytes"):
        client.upload(b"x", pictures)
    with pytest.raises(ConfigError, match=r"column names a FILE column of .*: body"):
        client.upload({}, pictures, column="note")
    with pytest.raises(FrameError, match="no column 'body' with the files"):
        client.upload(pd.DataFrame({"id": ["a"]}), pictures)
    with pytest.raises(FrameError, match="has no column nope"):
        client.upload(pd.DataFrame({"id": ["a"], "body": [b""], "nope": [1]}), pictures)
    with pytest.raises(FrameError, match="lacks id, the key"):
        client.upload(pd.DataFrame({"body": [b""]}), pictures)
    with pytest.raises(FrameError, match=r"Two of the files would have the key '01\.png'"):
        client.upload([folder / "01.png", folder / "01.png"], pictures)
    assert refs(client, pictures).empty
    client.execute_query(f"CREATE TABLE {namespace}.numbered (id BIGINT PRIMARY KEY, f FILE) WITH (TYPE = 'SHARED')")
    with pytest.raises(ConfigError, match=r"id is BIGINT.\nGive the keys: upload\(\{1:"):
        client.upload(folder, f"{namespace}.numbered")
    report = client.upload(pd.DataFrame({"id": np.array([1, 2]), "f": [b"a", b"b"]}), f"{namespace}.numbered")
    assert report["result"].tolist() == ["uploaded", "uploaded"]
    assert set(client.upload({1: b"a", 2: b"b"}, f"{namespace}.numbered")["result"]) == {"already there"}
    client.execute_query(f"CREATE TABLE {namespace}.plain (id BIGINT PRIMARY KEY) WITH (TYPE = 'SHARED')")
    with pytest.raises(ConfigError, match=r"no FILE column\. Add one: ALTER TABLE"):
        client.upload({1: b"a"}, f"{namespace}.plain")


def test_many_files_need_a_folder(client, pictures, folder):
    client.upload({"a": b"a"}, pictures)
    with pytest.raises(DownloadError, match="is a file; many files need a folder"):
        client.download(refs(client, pictures), to=folder / "01.png")
    with pytest.raises(DownloadError, match="to cannot be looked at: File name too long"):
        client.download(refs(client, pictures), to="x" * 10_000)


def test_no_files_at_all(client, pictures, tmp_path):
    assert client.upload([], pictures).empty
    assert client.download([], to=tmp_path / "down").columns.tolist() == ["name", "bytes", "result", "path", "error"]


def test_names_that_two_downloads_want_at_once(client, pictures, tmp_path):
    client.upload({str(number): ("same.txt", b"%d" % number) for number in range(8)}, pictures)
    report = client.download(refs(client, pictures), to=tmp_path / "down", parallel=8)
    assert sorted(path.read_bytes() for path in report["path"]) == [b"%d" % number for number in range(8)]
    assert len(set(report["path"])) == 8
    assert len(list((tmp_path / "down").iterdir())) == 8


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_taken_while_the_file_comes(client, pictures, tmp_path, monkeypatch, links):
    client.upload({"a": ("same.txt", b"a"), "b": ("same.txt", b"b")}, pictures)
    a, b = refs(client, pictures)
    if not links:
        monkeypatch.setattr("os.link", lambda *paths: (_ for _ in ()).throw(PermissionError(1, "no links here")))
    find = Downloads.to_disk

    def meanwhile(self, ref, path, **options):
        if ref == a:
            create = monkeypatch.setattr
            create("kalam_notebook.http.downloads._create", lambda path, real=_create: (find_b(), real(path))[1])
        return find(self, ref, path, **options)

    from kalam_notebook.http.downloads import _create

    def find_b():
        monkeypatch.setattr("kalam_notebook.http.downloads._create", _create)
        find(client._downloads, b, b.path(), to=tmp_path)

    monkeypatch.setattr(Downloads, "to_disk", meanwhile)
    assert client.download(a, to=tmp_path).read_bytes() == b"a"
    assert sorted(path.read_bytes() for path in tmp_path.glob("same*")) == [b"a", b"b"]


def test_a_server_that_is_gone_ends_all(client, pictures, closed_port, tmp_path):
    client.upload({"a": b"a"}, pictures)
    cells = list(refs(client, pictures)) * 50
    began = time.monotonic()
    with (
        kalam.Client(f"http://127.0.0.1:{closed_port}", token="t", max_retries=0) as other,
        pytest.raises(ConnectError),
    ):
        other.download(cells, to=tmp_path)
    assert time.monotonic() - began < 5


def test_an_interrupt_ends_at_once_and_leaves_nothing(tmp_path):
    ref = kalam.FileRef("1", "f0001", "x.txt", 3, "text/plain", "0" * 64, "app", "docs")
    cells = [replace(ref, id=str(number)) for number in range(100)]
    # Each answer begins, and goes on for ever.
    with (
        ScriptedServer(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na", hold=True) as server,
        kalam.Client(server.url, token="t") as client,
    ):
        interrupt = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        interrupt.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt) as caught:
            client.download(cells, to=tmp_path)
        assert time.monotonic() - began < 2.5
    assert caught.value.__notes__ == ["No file had been downloaded. The same call goes on with the others."]
    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "kalam-files"]


def test_async(server, client, pictures, tmp_path):
    async def main():
        async with kalam.AsyncClient(server.url, token=server.token) as other:
            await other.upload({"a": b"a"}, pictures)
            return await other.download(refs(client, pictures), to=tmp_path)

    assert asyncio.run(main())["result"].tolist() == ["downloaded"]


# References ---------------------------------------------------------------------------------------------------------


def test_a_reference_reads_opens_and_asks(client, pictures):
    client.upload({"a": ("x.txt", b"line 1\nline 2\n")}, pictures)
    ref = refs(client, pictures)["a"]
    assert ref.read() == b"line 1\nline 2\n"
    with ref.open() as file:
        assert pd.read_csv(file, header=None)[0].tolist() == ["line 1", "line 2"]
    assert ref.exists()
    assert not replace(ref, id="1").exists()
    with pytest.raises(NotFoundError):
        replace(ref, id="1").read()
    with pytest.raises(DownloadError, match=r"should have 3 bytes and more came\. Nothing of it was kept"):
        replace(ref, size=3).read()
    assert client.execute_query(f"SELECT body FROM {pictures}").rows.df().loc[0, "body"].size == 14
    with client.live(f"SELECT id, body FROM {pictures}") as live:
        assert live.df().loc[0, "body"].read() == ref.read()


def test_a_reference_holds_no_client_and_no_secret(server, client, pictures):
    client.upload({"a": b"a"}, pictures)
    other = kalam.Client(server.url, token=server.token)
    ref = refs(other, pictures)["a"]
    copied, pickled = copy.deepcopy(ref), pickle.loads(pickle.dumps(ref))
    assert ref == copied == pickled
    assert copied.read() == b"a"
    assert server.token.encode() not in pickle.dumps(ref)
    assert server.token not in repr(ref)
    with pytest.raises(ConfigError, match=r"not there any more\.\n.*kalam\.download"):
        pickled.read()
    other.close()
    with pytest.raises(ConfigError, match="closed"):
        ref.read()
    del other
    gc.collect()
    with pytest.raises(ConfigError, match="not there any more"):
        ref.read()


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("a.png", b"\xff\xd8\xff\xe0jpeg", "image/jpeg"),
        ("a.gif", b"GIF89a...", "image/gif"),
        ("a.webp", b"RIFF\0\0\0\0WEBP", "image/webp"),
        ("a.png", b"<svg onload='alert(1)'>", None),
        ("a.svg", b"<svg onload='alert(1)'>", None),
        ("a.txt", PNG, None),
    ],
)
def test_an_image_shows_itself(client, pictures, name, content, kind):
    client.upload({"a": (name, content)}, pictures)
    ref = refs(client, pictures)["a"]
    data, _ = DisplayFormatter().format(ref)
    assert data["text/plain"].startswith("FileRef(")
    assert set(data) - {"text/plain"} == ({kind} if kind else set())


def test_the_page_is_given_an_image_that_it_asks_for(client, pictures):
    client.upload({"a": ("a.png", PNG), "b": ("b.txt", b"no image"), "c": ("c.png", b"<svg>")}, pictures)
    with client.live(f"SELECT id, body FROM {pictures}") as live:
        live.verify()
        ranges = Ranges(live)
        rows = dict(zip(live.arrow().column("id").to_pylist(), live.delta(-1).row_ids, strict=True))
        told = {name: page_answer(live, {"about": "row", "row": row}, ranges).content for name, row in rows.items()}
        assert told["a"]["images"] == {1: refs(client, pictures)["a"].id}
        assert told["b"]["images"] == {}

        asked = {name: {"about": "image", "row": row, "column": 1, "name": "body"} for name, row in rows.items()}
        image = page_answer(live, asked["a"], ranges)
        assert image.content["type"] == "image/png"
        assert image.buffers == (PNG,)
        for name in ("b", "c"):
            assert "not a PNG, JPEG, GIF or WebP image" in page_answer(live, asked[name], ranges).content["fault"]
        assert "The row is gone" in page_answer(live, {**asked["a"], "row": 99}, ranges).content["fault"]
        assert "columns" in page_answer(live, {**asked["a"], "name": "other"}, ranges).content["fault"]


def test_files_of_rows_as_they_were_can_be_read(client, pictures):
    client.upload({"a": b"a"}, pictures)
    with client.live(f"SELECT id, body FROM {pictures}") as live:
        live.verify()
        assert live.at(live.moments[-1]).df().loc[0, "body"].read() == b"a"


def test_an_image_that_cannot_be_shown(client, pictures):
    client.upload({"a": ("a.png", PNG)}, pictures)
    ref = refs(client, pictures)["a"]
    assert "Too large to be shown" in replace(ref, size=3_000_000)._repr_mimebundle_()["text/plain"]
    assert "cannot be shown: FILE_NOT_FOUND" in replace(ref, id="1")._repr_mimebundle_()["text/plain"]
