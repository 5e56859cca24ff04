"""Every type that the server can compute, alone and in a list, NULL and empty: exact in Arrow, pandas, polars and html.

The expressions are those of the server's engine; what is not there cannot be cast to (Time32, for example).
"""

import datetime as dt
import math
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from shared_client import shared_client  # noqa: F401

pytestmark = pytest.mark.contract

UTC = dt.UTC
UUID = "550e8400-e29b-41d4-a716-446655440000"
BYTES = "decode('00ff10', 'hex')"
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)

#: Expression, Arrow type, value.
TYPES = {
    "null": ("NULL", pa.null(), None),
    "boolean": ("true", pa.bool_(), True),
    **{
        f"{sign}int{bits}": (
            f"arrow_cast({value}, '{sign.upper()}Int{bits}')",
            getattr(pa, f"{sign}int{bits}")(),
            value,
        )
        for sign, bits, value in (
            ("", 8, -128), ("", 16, -32768), ("", 32, -(2**31)), ("", 64, 2**53 + 1),
            ("u", 8, 255), ("u", 16, 65535), ("u", 32, 2**32 - 1), ("u", 64, 2**63),
        )
    },
    "float16": ("arrow_cast(1.5, 'Float16')", pa.float16(), 1.5),
    "float32": ("CAST('0.1' AS FLOAT)", pa.float32(), 0.10000000149011612),
    "float64": ("CAST('-0.0' AS DOUBLE)", pa.float64(), -0.0),
    "nan": ("CAST('NaN' AS DOUBLE)", pa.float64(), math.nan),
    "infinity": ("CAST('-inf' AS DOUBLE)", pa.float64(), -math.inf),
    "decimal32": ("arrow_cast(-0.25, 'Decimal32(5, 2)')", pa.decimal128(5, 2), Decimal("-0.25")),
    "decimal64": ("arrow_cast(-0.25, 'Decimal64(12, 2)')", pa.decimal128(12, 2), Decimal("-0.25")),
    "decimal128": ("CAST('-0.25' AS DECIMAL(38, 2))", pa.decimal128(38, 2), Decimal("-0.25")),
    "decimal256": ("arrow_cast('-0.25', 'Decimal256(50, 2)')", pa.decimal256(50, 2), Decimal("-0.25")),
    "text": ("'ä\"'", pa.string(), 'ä"'),
    "large text": ("arrow_cast('x', 'LargeUtf8')", pa.large_string(), "x"),
    "a view of text": ("arrow_cast('x', 'Utf8View')", pa.string(), "x"),
    "dictionary": ("arrow_cast('x', 'Dictionary(Int32, Utf8)')", pa.string(), "x"),
    "dictionary of numbers": ("arrow_cast(arrow_cast(7, 'Int64'), 'Dictionary(Int8, Int64)')", pa.int64(), 7),
    "bytes": (BYTES, pa.binary(), b"\x00\xff\x10"),
    "large bytes": (f"arrow_cast({BYTES}, 'LargeBinary')", pa.large_binary(), b"\x00\xff\x10"),
    "a view of bytes": (f"arrow_cast({BYTES}, 'BinaryView')", pa.binary(), b"\x00\xff\x10"),
    "fixed bytes": (f"arrow_cast({BYTES}, 'FixedSizeBinary(3)')", pa.binary(3), b"\x00\xff\x10"),
    "uuid": (
        f"arrow_cast(decode('{UUID.replace('-', '')}', 'hex'), 'FixedSizeBinary(16)')", pa.uuid(), uuid.UUID(UUID)),
    "date": ("DATE '1066-10-14'", pa.date32(), dt.date(1066, 10, 14)),
    "date64": ("arrow_cast(2, 'Date64')", pa.date64(), dt.date(1970, 1, 1)),
    "time": ("arrow_cast(TIME '12:34:56.123456', 'Time64(Microsecond)')", pa.time64("us"), dt.time(12, 34, 56, 123456)),
    **{
        f"timestamp {unit}": (
            f"arrow_cast(TIMESTAMP '2026-01-02T03:04:05.678901', 'Timestamp({name}, None)')",
            pa.timestamp(unit, "UTC"),
            MOMENT.replace(microsecond=microsecond),
        )
        for unit, name, microsecond in (
            ("s", "Second", 0), ("ms", "Millisecond", 678000), ("us", "Microsecond", 678901),
            ("ns", "Nanosecond", 678901),
        )
    },
    "a timestamp with a zone": (
        "arrow_cast(TIMESTAMP '2026-01-02T03:04:05.678901', 'Timestamp(Microsecond, Some(\"+02:00\"))')",
        pa.timestamp("us", "+02:00"),
        MOMENT - dt.timedelta(hours=2),
    ),
    "duration": ("arrow_cast(-5, 'Duration(Second)')", pa.duration("s"), dt.timedelta(seconds=-5)),
    "interval": ("INTERVAL '1 month 2 days'", pa.string(), "1 mons 2 days"),
}  # fmt: skip


def same(found, wanted):
    if isinstance(wanted, list) and found is not None:
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, float) and found is not None:
        found = float(found)
        both_nan = math.isnan(found) and math.isnan(wanted)
        return both_nan or (found == wanted and math.copysign(1, found) == math.copysign(1, wanted))
    return found == wanted


TWO_ROWS = "FROM (VALUES (1), (2)) AS v(i) ORDER BY i"
FORMS = {
    "alone": ("SELECT {x} AS x", lambda kind, value: (kind, [value])),
    "NULL": (f"SELECT CASE WHEN i > 1 THEN {{x}} END AS x, i {TWO_ROWS}", lambda kind, value: (
        kind, [None, value])),
    "empty": ("SELECT {x} AS x WHERE 1 = 2", lambda kind, value: (kind, [])),
    "in a list": ("SELECT [{x}, {x}] AS x", lambda kind, value: (pa.list_(kind), [[value, value]])),
    "in a list of lists": ("SELECT [[{x}]] AS x", lambda kind, value: (pa.list_(pa.list_(kind)), [[[value]]])),
    "in a list with NULL": (
        "SELECT [{x}, CASE WHEN i > 1 THEN {x} END] AS x FROM (VALUES (1)) v(i)",
        lambda kind, value: (pa.list_(kind), [[value, None]]),
    ),
    "in a list or NULL": (f"SELECT CASE WHEN i > 1 THEN [{{x}}] END AS x, i {TWO_ROWS}", lambda kind, value: (
        pa.list_(kind), [None, [value]])),
    "in a fixed list": ("SELECT arrow_cast([{x}, {x}], 'FixedSizeList(2, {t})') AS x", lambda kind, value: (
        pa.list_(kind, 2), [[value, value]])),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TYPES)
def test_every_type_in_every_place(client, name, form):
    expression, kind, value = TYPES[name]
    sql, expected = FORMS[form]
    if "{t}" in sql:
        (told,) = client._endpoint.execute_row(f"SELECT arrow_typeof({expression}) AS t")
        if name in {"null", "interval"} or "Dictionary" in told or "View" in told:
            pytest.skip("the engine casts no list to a fixed list of it")
        short = {"(s)": "(Second)", "(ms)": "(Millisecond)", "(µs)": "(Microsecond)", "(ns)": "(Nanosecond)"}
        for printed, written in short.items():
            told = told.replace(printed, written)
        for unit in ("Second", "Millisecond", "Microsecond", "Nanosecond"):
            told = told.replace(f"Timestamp({unit})", f"Timestamp({unit}, None)")
            told = told.replace(f'Timestamp({unit}, "+02:00")', f'Timestamp({unit}, Some("+02:00"))')
        sql = sql.replace("{t}", told)
    result = client.query_result(sql.replace("{x}", expression), strict=True)
    table = result.arrow()
    wanted_type, wanted = expected(kind, value)
    assert table.schema.field("x").type == wanted_type
    assert same(table.column("x").to_pylist(), wanted)
    # The other forms lose nothing that a preview or a frame would show.
    assert len(result.df()) == len(result.polars()) == len(wanted)
    assert "NULL" in str(result) or None not in wanted
    assert "<table" in result._repr_html_()
    if wanted and not isinstance(wanted[-1], list) and wanted[-1] is not None and kind != pa.float16():
        cell = result.df()["x"].iloc[-1]
        assert same(getattr(cell, "to_pydatetime", lambda: cell)(), wanted[-1]), cell


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT array_agg(d) AS x FROM r.decimals", [Decimal("-0.25")]),
        ("SELECT make_array(d) AS x FROM r.decimals", [Decimal("-0.25")]),
        ("SELECT [[d], [-d]] AS x FROM r.decimals", [[Decimal("-0.25")], [Decimal("0.25")]]),
    ],
)
def test_decimals_in_lists_keep_their_sign(client, sql, value):
    client.execute_query("CREATE NAMESPACE IF NOT EXISTS r")
    client.execute_query("DROP TABLE IF EXISTS r.decimals")
    client.execute_query("CREATE TABLE r.decimals (id INT PRIMARY KEY, d DECIMAL(5, 2)) WITH (TYPE = 'SHARED')")
    client.execute_query("INSERT INTO r.decimals (id, d) VALUES (1, '-0.25')")
    assert client.query_arrow(sql, strict=True).to_pylist() == [{"x": value}]


def test_types_survive_the_local_engine(client):
    client.execute_query("CREATE NAMESPACE IF NOT EXISTS r")
    client.execute_query("DROP TABLE IF EXISTS r.kinds")
    client.execute_query(
        "CREATE TABLE r.kinds (id INT PRIMARY KEY, u UUID, j JSON, f FILE, e EMBEDDING(2), d DECIMAL(5, 2)) "
        "WITH (TYPE = 'SHARED')"
    )
    client.execute_query(
        f"""INSERT INTO r.kinds (id, u, j, e, d) VALUES (1, '{UUID}', '{{"a":1}}', '[1, 2]', '-0.5')"""
    )
    server, local = (client.query_result("SELECT * FROM r.kinds", engine=engine) for engine in ("server", "local"))
    assert local.arrow().to_pylist() == server.arrow().to_pylist()
    assert local.arrow().schema.types == server.arrow().schema.types
    assert [column.sql_type for column in local.columns] == [column.sql_type for column in server.columns]
    assert local.df()["u"].tolist() == [uuid.UUID(UUID)]
