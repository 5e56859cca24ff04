"""Texts in which a failing write is told, which differ by the path it took (protocol/sql.md#insert)."""

from __future__ import annotations

from kalam_sandbox.ids import uuid7

_LITERAL = "Execution error: Raft error: Internal error: Provider error: Execution error: Failed to insert batch: "


def literal_constraint(reason: str) -> str:
    """Return the text of a broken constraint on the literal path."""
    return _LITERAL + reason


def engine_constraint(reason: str, *, is_shared: bool, transaction_id: str | None = None) -> str:
    """Return the text of a broken constraint as it comes out of a committed transaction.

    Args:
        reason: The store's own words.
        is_shared: Whether the table is SHARED; then the server names where it found the key.
        transaction_id: The explicit transaction, None for the implicit one of a single statement.
    """
    told = reason.replace("in the insert batch", "in the transaction batch")
    if is_shared and "already exists in column" in told:
        told += " (hot storage)"
    rows = "row" if "Primary key" in told else "rows"
    return commit_failure(f"Failed to insert batch {rows}: {told}", transaction_id)


def engine_coercion(reason: str) -> str:
    """Return the text of a value that does not fit its column, on the engine path."""
    return commit_failure(f"Failed to insert batch rows: {literal_coercion(reason)}")


def literal_coercion(reason: str) -> str:
    """Return the text of a value that does not fit its column, on the literal path."""
    return f"Invalid operation: Schema coercion failed: {reason}"


def commit_failure(reason: str, transaction_id: str | None = None) -> str:
    """Return the text of a transaction that could not be committed."""
    return (
        f"Invalid operation: failed to commit transaction '{transaction_id or uuid7()}': Raft error: Provider error: "
        f"Execution error: {reason}"
    )


def one_row_only(function: str, rows: int) -> str:
    """Return the engine's complaint about a function that makes one value for many rows.

    Source: protocol/sql.md#create-table.
    """
    return (
        f"Internal error: UDF {function} returned a different number of rows than expected. "
        f"Expected: {rows}, Got: 1.\nThis issue was likely caused by a bug in DataFusion's code. Please help us to "
        "resolve this by filing a bug report in our issue tracker: https://github.com/apache/datafusion/issues"
    )


def no_cast(kind: str) -> str:
    """Return the engine's complaint about a text that stands where another type is needed."""
    return f"Execution error: type mismatch and can't cast to got Utf8 and {kind}"


def debug_bytes(value: bytes | None) -> bytes | None:
    """Return the text that the server stores instead of evaluated bytes (truth L10)."""
    if value is None:
        return None
    return f"BinaryArray\n[\n  [{', '.join(str(byte) for byte in value)}],\n]".encode()
