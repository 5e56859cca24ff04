"""Every kind of parameter: bound, never pasted into the text."""

import datetime as dt
from decimal import Decimal

import kalam_notebook as kalam

kalam.connect("sandbox")
kalam.execute_query("CREATE NAMESPACE app")
kalam.execute_query(
    "CREATE TABLE app.things (id BIGINT PRIMARY KEY, name TEXT, price DECIMAL(10, 2), at TIMESTAMP, day DATE,"
    " ok BOOLEAN, weight DOUBLE, tags JSON) WITH (TYPE = 'SHARED')"
)
values = [1, "O'Neil; DROP", Decimal("9.90"), dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), dt.date(2026, 1, 2), True, 0.5]
columns = "id, name, price, at, day, ok, weight, tags"
kalam.execute_query(
    f"INSERT INTO app.things ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", [*values, {"a": [1, 2]}]
)
kalam.execute_query("INSERT INTO app.things (id, name) VALUES ($1, $2)", [2, None])  # None is NULL

print(kalam.query("SELECT id, price FROM app.things WHERE name = $1", ["O'Neil; DROP"]))
print(kalam.query("SELECT id FROM app.things WHERE id IN ($1)", [[1, 2, 3]]))  # a list stands for its items
print(kalam.query("SELECT id FROM app.things WHERE at >= CAST($1 AS TIMESTAMP)", [dt.datetime(2026, 1, 1)]))
print(kalam.query("SELECT id FROM app.things WHERE day = CAST($1 AS DATE)", [dt.date(2026, 1, 2)]))
print(kalam.query("SELECT id FROM app.things WHERE name IS NULL"))  # `= $1` with None finds nothing, as in any SQL
kalam.close()
