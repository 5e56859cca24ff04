"""Parameters of a request: what a JSON value means, and how many and how large they may be.

protocol/http.md#limits, #parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from kalam_sandbox.backend import SqlFailed
from kalam_sandbox.errors import execution

Value = bool | int | float | str | None

_MAX_PARAMS = 50
_MAX_BYTES = 524_288
# What the server counts for a text besides its bytes.
_TEXT_OVERHEAD = 24
_NUMBER_BYTES = 8


def read_parameters(values: Sequence[object]) -> list[Value]:
    """Return JSON values as the server reads them; integers beyond 64 bit become doubles.

    Raises:
        SqlFailed: INVALID_PARAMETER, an array or object; names its number.
    """
    return [_read(number, value) for number, value in enumerate(values, 1)]


def _read(number: int, value: object) -> Value:
    if isinstance(value, list | dict):
        kind = "Array" if isinstance(value, list) else "Object"
        raise SqlFailed("INVALID_PARAMETER", f"Parameter ${number} invalid: {kind} parameters not yet supported")
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else float(value)
    assert isinstance(value, float)  # JSON has nothing else.
    return value


def check_parameters(params: Sequence[Value]) -> None:
    """Refuse too many or too large parameters, when a statement that takes some is about to run.

    Raises:
        SqlFailed: Says how many or which.
    """
    if len(params) > _MAX_PARAMS:
        raise execution(f"Parameter count exceeded: maximum {_MAX_PARAMS} parameters allowed, got {len(params)}")
    for place, value in enumerate(params):
        size = len(value.encode()) + _TEXT_OVERHEAD if isinstance(value, str) else _NUMBER_BYTES
        if size > _MAX_BYTES:
            raise execution(
                f"Parameter size exceeded: parameter at index {place} is {size} bytes (max {_MAX_BYTES} bytes)"
            )


def named_parameters(params: Sequence[Value]) -> dict[str, object]:
    """Return parameters as the engine takes them: ``1``, ``2`` …, NULL typed as text."""
    return {str(n): pa.scalar(None, pa.string()) if v is None else v for n, v in enumerate(params, 1)}
