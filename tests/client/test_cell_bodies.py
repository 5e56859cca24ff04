"""The body of a cell is SQL and nothing else: what is typed is what is sent."""

import itertools

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import kalam_notebook as kalam
from kalam_notebook.client import default

PIECES = [
    "1 << 2", "'a << b'", "'{x}'", "'{{x}}'", "'{{{ x }}}'", "'%s'", "'%(x)s'", "5 % 3", "'100%'", "id::text", "'a::b'",
    "'$1'", "'$room'", "'cost: $5'", "$$ it's $room $$", "$q$ 'x' -- y $q$", "'--x'", "1 /* ; */", "1 -- ; 'x", "';'",
    "'it''s'", "E'a\\'b'", "E'\\n'", "'\\'", '"Order"', '"a""b"', '"$room"', "'!ls'", "'?'", "'%time'", "'>>> x'",
    "'In [1]: x'", "'Grüße 東京 🙂'", "'\u200b'", "'\ta'", "'@x'", "'#x'", "'a\\\nb'", "json->'a'->>'b'", "'`x`'",
    "'--live'", "'name <<'",
]  # fmt: skip
FRAMES = [
    "SELECT {}",
    "\n\nSELECT {} AS a -- the end\n",
    "SELECT a,\n    {}\nFROM t\n\n\nWHERE b > 1",
    "-- first\nSELECT 'x', {} /* last */",
    "INSERT INTO app.t (a) SELECT {}",
]
TEXTS = [frame.format(piece) for frame, piece in itertools.product(FRAMES, PIECES)]


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "kalam_notebook")
    yield shell
    shell.history_manager.end_session()
    shell.run_line_magic("unload_ext", "kalam_notebook")
    InteractiveShell.clear_instance()


@pytest.fixture
def sent(shell, monkeypatch):
    """The texts that leave the magic, in the place of a server."""
    client, texts = kalam.Client("http://127.0.0.1:9", token="x"), []

    def send(self, sql, params=None, **options):
        texts.append(str(sql))
        raise kalam.errors.ConfigError("taken")

    monkeypatch.setattr(default, "_client", client)
    for method in ("query_result", "execute_query"):
        monkeypatch.setattr(kalam.Client, method, send)
    yield texts
    client.close()


def test_awkward_texts_are_sent_as_they_are_typed(shell, sent):
    assert len(TEXTS) >= 200
    with capture_output():
        for text in TEXTS:
            shell.run_cell(f"%%kalam\n{text}")
    assert sent == [text.strip() for text in TEXTS]


def test_lines_are_sent_as_they_are_typed(shell, sent):
    lines = [f"SELECT {piece} AS a" for piece in PIECES if "\n" not in piece]
    with capture_output():
        for line in lines:
            shell.run_cell(f"x = %kalam {line}")
    assert sent == lines
