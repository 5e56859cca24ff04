"""Every kind of parameter: bound, never pasted into the text."""

import datetime as dt
import math
import uuid
from decimal import Decimal

import pandas as pd
from IPython.core.interactiveshell import InteractiveShell

import kalam_notebook as kalam
from kalam_notebook.errors import ParameterError

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE app")
kalam.execute_query(
    "CREATE TABLE app.things (id BIGINT PRIMARY KEY, name TEXT, price DECIMAL(10, 2), at TIMESTAMP, day DATE,"
    " opens TIME, ok BOOLEAN, weight DOUBLE, tags JSON, code UUID, place EMBEDDING(3), raw BYTES)"
    " WITH (TYPE = 'SHARED')"
)
code, at = uuid.uuid4(), dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC)
values = [1, "O'Neil; DROP", Decimal("9.90"), at, dt.date(2026, 1, 2), dt.time(8, 30), True, 0.5]
columns = "id, name, price, at, day, opens, ok, weight, tags, code, place"
kalam.execute_query(
    f"INSERT INTO app.things ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    [*values, {"a": [1, 2]}, code, [0.5, 0.25, 1.0]],
)
kalam.execute_query("INSERT INTO app.things (id, name) VALUES ($1, $2)", [2, None])  # None is NULL


def ids(condition, value):
    return kalam.query(f"SELECT id FROM app.things WHERE {condition}", [value])["id"].tolist()


assert ids("name = $1", "O'Neil; DROP") == [1]
assert ids("price = $1", Decimal("9.90")) == [1]
assert ids("id IN ($1)", [1, 2, 3]) == [1, 2]  # a list stands for its items
assert ids("at >= CAST($1 AS TIMESTAMP)", dt.datetime(2026, 1, 1)) == [1]
assert ids("day = CAST($1 AS DATE)", dt.date(2026, 1, 2)) == [1]
assert ids("CAST(opens AS TEXT) < $1", "09:00") == [1]  # the server compares no times of day
assert ids("encode(code, 'hex') = $1", code.hex) == [1]  # and no UUIDs
assert ids("cosine_distance(place, $1) < 0.1", [0.5, 0.2, 1.0]) == [1]
assert ids("name = $1", None) == []  # finds nothing, as in any SQL: write `name IS NULL`

# Bytes and NaN are no parameters. In a frame bytes are written, and NaN as NULL when that is asked for.
for value in (b"abc", math.nan):
    try:
        ids("id = $1", value)
    except ParameterError as exc:
        print(exc)
    else:
        raise AssertionError(value)
rest = kalam.query("SELECT * FROM app.things WHERE id = 1").assign(id=3, raw=[b"abc"], weight=[math.nan])
kalam.write(rest, "app.things", nan="null")
stored = kalam.query_arrow("SELECT raw, weight FROM app.things WHERE id = 3").to_pylist()
assert stored == [{"raw": b"abc", "weight": None}]

# In a notebook $name is the variable of that name: `%%kalam` as a cell's first line, here as a script says it.
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "kalam_notebook")
shell.push({"wanted": "O'Neil; DROP", "some": [1, 2, 3]})
shell.run_cell("%%kalam found <<\nSELECT id FROM app.things WHERE name = $wanted AND id IN ($some)").raise_error()
pd.testing.assert_frame_equal(shell.user_ns["found"], pd.DataFrame({"id": [1, 3]}, dtype="Int64"))
kalam.close()
