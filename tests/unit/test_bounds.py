"""Answers without an end, and answers that unpack to any size: reading stops, with an error that says where."""

import gzip
from itertools import count

import httpx
import pytest

from kalam_notebook.errors import DownloadError, ProtocolError, ResultError, TransportError
from kalam_notebook.http.client import HttpTransport, Request
from kalam_notebook.http.downloads import Downloads
from kalam_notebook.http.endpoint import SqlEndpoint
from kalam_notebook.http.session import Session
from kalam_notebook.settings import Credentials, Secret, Timeouts
from kalam_notebook.wire.fileref import FileRef

HEALTH = Request("GET", "/v1/api/healthcheck")
BEGIN = b'{"status":"success","results":[{"schema":[{"name":"t","data_type":"Text"}],"rows":['


class Endless(httpx.SyncByteStream):
    """A body that goes on and on, and notes how far it was read."""

    def __init__(self, chunk, begin=b""):
        self.chunk, self.begin, self.given = chunk, begin, 0
        self.is_closed = False

    def __iter__(self):
        yield self.begin
        for number in count():
            assert number < 10_000, "nobody stopped reading"
            self.given += len(self.chunk)
            yield self.chunk

    def close(self):
        self.is_closed = True


def transport(body, status=200, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = httpx.MockTransport(lambda request: httpx.Response(status, headers=named, stream=body))
    return HttpTransport("http://server:1", timeouts=Timeouts(), max_retries=0, transport=answer)


def endpoint(http, **options):
    return SqlEndpoint(http, Session(http, Credentials(token=Secret("t"))), **options)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_small_answer_without_an_end(status):
    body = Endless(b" " * 100_000)
    with pytest.raises(ProtocolError, match="more than 10,000,000 bytes, where some hundred"):
        transport(body, status).send(HEALTH)
    assert body.given < 11_000_000
    assert body.is_closed


@pytest.mark.parametrize("call", ["execute", "execute_row", "execute_lists"])
def test_a_result_without_an_end(call):
    body = Endless(b'["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],' * 1_000, BEGIN)
    asking = endpoint(transport(body), max_bytes=1_000_000)
    arguments = ([], []) if call == "execute_lists" else ()
    with pytest.raises((ResultError, ProtocolError)) as caught:
        getattr(asking, call)("SELECT t", *arguments)
    assert body.given < 1_100_000
    assert body.is_closed
    if call != "execute_lists":  # Which is told before that there are more results than were asked for.
        assert "more than 1,000,000 bytes" in str(caught.value)
        assert "max_result_bytes" in str(caught.value)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP, identity", "zstd"])
@pytest.mark.parametrize("status", [200, 400])
def test_a_packed_answer_is_not_unpacked(encoding, status):
    body = Endless(gzip.compress(bytes(1_000_000)))
    with pytest.raises(ProtocolError, match=r"packed .* which was not asked for"):
        transport(body, status, content_encoding=encoding).send(HEALTH)
    assert body.given == 0
    assert body.is_closed


def test_identity_is_no_packing():
    body = httpx.ByteStream(b"{}")
    assert transport(body, content_encoding="Identity").send(HEALTH).content == b"{}"


def test_a_download_stops_at_the_size_of_its_reference(tmp_path):
    body = Endless(b"x" * 1_000)
    http = transport(body)
    ref = FileRef("1", "f0001", "a.txt", 5_000, "text/plain", "0" * 64)
    with pytest.raises(DownloadError, match="should have 5,000 bytes and more came"):
        Downloads(http, endpoint(http)).to_disk(ref, "/v1/files/a/b/f0001/x", to=tmp_path)
    assert body.given == 6_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "location", ["http://[", "http://root:hunter2@h\x7f/", "http://root:hunter2@[/", "http://h:99999999/", "\u202e"]
)
def test_a_redirect_to_what_is_no_address(location):
    answer = transport(httpx.ByteStream(b""), 302, location=location.encode())
    with pytest.raises((ProtocolError, TransportError)) as caught:  # Some are refused by httpx.
        answer.send(HEALTH)
    assert "hunter2" not in str(caught.value)
