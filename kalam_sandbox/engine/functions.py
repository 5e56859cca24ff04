"""Functions that the server adds to DataFusion, as Python functions over Arrow arrays.

Their names and results follow protocol/sql.md#vectors, #json, #functions; calls with other numbers of
arguments are rewritten to these first (`engine.rewrite`).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
from datafusion import ScalarUDF, SessionContext, udf

from kalam_sandbox.engine import documents
from kalam_sandbox.engine.growth import items_function
from kalam_sandbox.engine.wording import one_row_only
from kalam_sandbox.ids import Snowflakes, ulid, uuid7

# In expressions SNOWFLAKE_ID() counts from 1970, in defaults of literal inserts from 2024
# (protocol/sql.md#create-table).
EXPRESSION_IDS = Snowflakes(epoch_ms=0)
# Functions of the package that the server's build of the engine lacks (protocol/sql.md#functions).
ABSENT = (
    "md5", "sha224", "sha256", "sha384", "sha512", "digest", "extract_url",
)  # fmt: skip
UNICODE = ("substr", "substring")


def register_functions(context: SessionContext, *, memory_bytes: int, unicode_functions: bool) -> None:
    """Give a session the server's functions and take away those it has not.

    Args:
        context: The engine of the session.
        memory_bytes: What a query may take; functions that make much of little make no more at once.
        unicode_functions: Whether the server has those of texts that it lacked at first.
    """
    for function in (*_FUNCTIONS, _repeat(memory_bytes), items_function(memory_bytes)):
        context.register_udf(function)
    for name in ABSENT if unicode_functions else (*ABSENT, *UNICODE):
        context.deregister_udf(name)


def _path_function(name: str, read: Callable[[str | None], object], kind: pa.DataType) -> list[ScalarUDF]:
    """Return ``name(doc, step)`` and ``name_of(doc)``."""

    def stepped(docs: pa.Array, steps: pa.Array) -> pa.Array:
        pairs = zip(docs.to_pylist(), steps.to_pylist(), strict=True)
        return pa.array([read(documents.part(documents.whole(doc), step)) for doc, step in pairs], kind)

    def whole(docs: pa.Array) -> pa.Array:
        return pa.array([read(documents.whole(doc)) for doc in docs.to_pylist()], kind)

    return [
        udf(stepped, [pa.string(), pa.string()], kind, "immutable", name),
        udf(whole, [pa.string()], kind, "immutable", f"{name}_of"),
    ]


def _cosine(left: list[float] | None, text: str | None) -> float | None:
    if left is None or text is None:
        return None
    query = json.loads(text)
    if not query:
        raise ValueError("COSINE_DISTANCE() query vector cannot be empty")
    if len(query) != len(left):
        raise ValueError(f"COSINE_DISTANCE() dimension mismatch: row has {len(left)}, query has {len(query)}")
    size = math.sqrt(sum(x * x for x in left)) * math.sqrt(sum(y * y for y in query))
    return 1.0 if size == 0 else 1.0 - sum(x * y for x, y in zip(left, query, strict=True)) / size


def _cosine_distance(vectors: pa.Array, queries: pa.Array) -> pa.Array:
    pairs = zip(vectors.to_pylist(), queries.to_pylist(), strict=True)
    return pa.array([_cosine(left, text) for left, text in pairs], pa.float32())


def _same(values: pa.Array) -> pa.Array:
    """Return the caller's id or role, which the rewriting has put in as the argument."""
    return values


def _for_each(make: Callable[[], object], kind: pa.DataType) -> Callable[[pa.Array], pa.Array]:
    def many(rows: pa.Array) -> pa.Array:
        return pa.array([make() for _ in range(len(rows))], kind)

    return many


def _repeat(memory_bytes: int) -> ScalarUDF:
    """Return `repeat`, which takes no more memory than a query has; the engine's takes 2 GB, which no pool counts."""

    def repeat(texts: pa.Array, counts: pa.Array) -> pa.Array:
        counts = pc.max_element_wise(counts, 0, skip_nulls=False)
        # As floats, which do not overflow.
        sizes = pc.multiply(pc.binary_length(texts).cast(pa.float64()), counts.cast(pa.float64(), safe=False))
        total = pc.sum(sizes).as_py() or 0
        if total > memory_bytes:
            raise ValueError(f"Resources exhausted: repeat makes {total:.0f} bytes, and a query has {memory_bytes}")
        return pc.binary_repeat(texts, counts)

    return udf(repeat, [pa.string(), pa.int64()], pa.string(), "immutable", "repeat")


def _uuid_v7(rows: pa.Array) -> pa.Array:
    if len(rows) != 1:
        # The server's function makes one value for a whole batch (protocol/sql.md#create-table).
        raise ValueError(one_row_only("uuid_v7", len(rows)))
    return pa.array([uuid7()], pa.string())


def now_us() -> int:
    """Return the Unix time in microseconds."""
    return time.time_ns() // 1000


_TEXT_LIST = pa.list_(pa.string())
_FUNCTIONS: list[ScalarUDF] = [
    *_path_function("json_as_text", documents.as_text, pa.string()),
    *_path_function("json_get_str", documents.as_str, pa.string()),
    *_path_function("json_get_int", documents.as_int, pa.int64()),
    *_path_function("json_get_float", documents.as_float, pa.float64()),
    *_path_function("json_get_bool", documents.as_bool, pa.bool_()),
    *_path_function("json_get_json", documents.as_json, pa.string()),
    # The server's is a union: like a text view it can be cast and compared, but not be sent (protocol/sql.md#json).
    *_path_function("json_get", documents.as_text, pa.string_view()),
    *_path_function("json_contains", documents.exists, pa.bool_()),
    *_path_function("json_length", documents.length, pa.uint64()),
    *_path_function("json_object_keys", documents.keys, _TEXT_LIST),
    *_path_function("json_get_array", documents.items, _TEXT_LIST),
    udf(_cosine_distance, [pa.list_(pa.float32()), pa.string()], pa.float32(), "immutable", "cosine_distance"),
    udf(_same, [pa.string()], pa.string(), "immutable", "kdb_current_user"),
    udf(_same, [pa.string()], pa.string(), "immutable", "kdb_current_role"),
    udf(_for_each(EXPRESSION_IDS.next, pa.int64()), [pa.float64()], pa.int64(), "volatile", "snowflake_id"),
    udf(_for_each(ulid, pa.string()), [pa.float64()], pa.string(), "volatile", "ulid"),
    udf(_uuid_v7, [pa.float64()], pa.string(), "volatile", "uuid_v7"),
]
