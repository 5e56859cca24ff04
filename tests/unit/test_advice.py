"""Advice fits the place: what is read below a magic names no call of Python where a magic does the same."""

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

import kalam_notebook
from kalam_notebook.advice import RULES, for_magic
from kalam_notebook.errors import KalamError

PACKAGE = Path(kalam_notebook.__file__).parent
#: A call or an argument of Python in a text.
PYTHON = re.compile(
    r"\bkalam\.\w+|(?<![\w.{}<%-])[a-z_]{2,}=|\b(query|live|client|write|ref)\w*\(|\b(live|client)\.\w+"
)
#: What no magic reaches.
ELSEWHERE = {
    "cli": "a command of a terminal",
    "dbapi": "other tools' own door",
    "topics": "no magic reads topics",
    "writing": "no magic writes frames; upload looks at tables only",
    "client/exporting": "kalam.copy; an export of a magic makes its own texts",
    "client/partitions": "partitions are read by programs",
    "client/writing": "kalam.write",
    "live_queries/events": "no magic gives events",
    "live_queries/past": "live.at, a method",
    "live_queries/perspective": "live.perspective, a method",
    "live_queries/recording": "live.record, a method",
    "reading/parts": "partitions are read by programs",
    "results/render": "html",
}
#: Texts that stay Python's below a magic, by a piece of them, and why.
STAYS = {
    "timeouts is kalam.Timeouts(...)": "no magic takes timeouts",
    "kalam.Timeouts(auth=30)": "no magic takes the time of a login",
    "max_result_bytes=...": "no magic takes it",
    "kalam.connect(url, token=...)": "tokens stand on no line",
    "token_provider=": "a function stands on no line",
    "group_id=": "no magic reads topics",
    "from_seq=": "of live events",
    "on_full=": "of live events",
    "Give rows=": "partitions",
    "Partitions are for SELECT": "partitions",
    "Use query().": "of execute_query, which magics use for what returns no rows",
    "files=": "execute_with_files",
    "client.download_file(ref": "a method of a FileRef",
    "Too large to be shown in a cell": "a FileRef in a cell of Python",
    "compute with live.df()": "a method of the cell's variable",
    "see live.verify()": "a method of the cell's variable",
    "live.df(), live.polars()": "a method of the cell's variable",
    "live.df().query(": "a method of the cell's variable",
    "kalam.live(…).where(…)": "a method of the cell's variable",
    "live.chart(x, y, kind=": "--chart takes no kind",
    "batches of kalam.query_batches(sql) by hand": "no magic gives batches",
    "call refresh()": "a method of the cell's variable",
    "value.replace(tzinfo=None)": "values are Python's",
    "timestamp[us": "the name of a type",
    "<svg": "html", "<span": "html", "<div": "html", "<text": "html", "<line": "html", "<path": "html", "<rect": "html",
}  # fmt: skip


@lru_cache(maxsize=1)
def all_texts():
    """All texts of the package but those of the rules, with their place; values in them are ``{}``."""
    return [(room, line, text) for room, line, text in texts() if room != "advice"]


def texts():
    for path in sorted(PACKAGE.rglob("*.py")):
        room = str(path.relative_to(PACKAGE).with_suffix(""))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        seen = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # Docstrings.
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) and node not in seen:
                seen.update(node.values)
                yield (
                    room,
                    node.lineno,
                    "".join(
                        getattr(part, "value", "") if isinstance(part, ast.Constant) else "{}" for part in node.values
                    ),
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in seen:
                yield room, node.lineno, node.value


def test_no_advice_below_a_magic_is_pythons_but_where_no_magic_does_it():
    found = [
        f"{room}.py:{line}: {for_magic(text)}"
        for room, line, text in all_texts()
        if " " in text and not room.startswith(tuple(ELSEWHERE))
        if PYTHON.search(for_magic(text)) and not any(piece in for_magic(text) for piece in STAYS)
    ]
    assert not found, "\n".join(found)


def test_nothing_is_listed_that_is_not_there():
    rooms, written = {room for room, _, _ in all_texts()}, [text for _, _, text in all_texts()]
    told = [for_magic(text) for text in written]
    assert [piece for piece in STAYS if not any(piece in text for text in told)] == []
    assert [room for room in ELSEWHERE if not any(one.startswith(room) for one in rooms)] == []
    assert [python for python, _ in RULES if not any(re.search(python, text, re.DOTALL) for text in written)] == []


@pytest.mark.parametrize(
    ("python", "magic"),
    [
        (
            "Type kalam.connect('http://h:1', user='root', password=...), set",
            "Type %kalam connect http://h:1 --user root, set",
        ),
        (
            "user and password: kalam.connect(url, user=..., password=...).",
            "user and password: %kalam connect URL --user USER.",
        ),
        ("Open it again: kalam.connect(…).", "Open it again: %kalam connect URL."),
        ("Did you mean kalam.connect('sandbox')?", "Did you mean %kalam connect sandbox?"),
        ("Allow more: kalam.connect(url, timeout=120).", "Allow more: %%kalam --timeout 600."),
        ("kalam.connect(url, token=...)", "kalam.connect(url, token=...)"),
        ("For a single answer use kalam.query(sql).", "For a single answer leave --live out."),
        ("name the key with key=[…].", "name the key with --key …."),
        ("In a notebook %kalam setup u asks. In Python:\nkalam.Client('u')", "%kalam setup u asks."),
        ("a folder: to='folder/'.", "a folder: %kalam download VARIABLE COLUMN folder/."),
    ],
)
def test_what_advice_becomes(python, magic):
    error = KalamError(python)
    assert str(error) == python
    error.is_of_magic = True
    assert str(error) == magic
