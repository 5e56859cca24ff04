"""The values of ``$1 … $n`` of one statement: encoded, and seen to fit before anything is sent.

The server takes single values only, and no arrays (protocol/sql.md#parameters). A list that is the only item of IN is
written as its items; where a column takes a list, as EMBEDDING and JSON do, it goes as JSON text; anywhere else it is
refused, for as text it would be compared with nothing in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from kalam_notebook.errors import ParameterError
from kalam_notebook.sql.params import MAX_PARAMETERS, check_list, encode, encode_items, literal, unpacked
from kalam_notebook.sql.statement import Statement
from kalam_notebook.sql.tokens import Kind, Token

__all__ = ["bind"]

#: Statements that take parameters; all others ignore them (protocol/sql.md#parameters).
_TAKE_PARAMETERS = {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "EXECUTE"}
#: Functions that take a vector as text (protocol/sql.md#vectors).
_TAKE_VECTORS = {"cosine_distance", "vector_search"}
#: Bytes of a text, at most (protocol/http.md#limits).
_MAX_TEXT = 1_048_576


def bind(sql: str, params: Sequence[Any] | None) -> tuple[Statement, list[Any]]:
    """Convert the values for a statement to JSON values, and write lists of IN as their items.

    Args:
        sql: One statement or several.
        params: Values for ``$1``, ``$2`` …; None for none.

    Returns:
        The text and the values to send. The text is the given one where no list is among the values. Beyond the
        number of values that the server takes, a list is written in as literals.

    Raises:
        ParameterError: A placeholder has no value or a value no placeholder, there are too many, a value cannot be
            sent exactly, or a list stands where a single value is needed.
    """
    values = check_list(params)
    statement = Statement.of(sql)
    tokens = _taking_values(statement)
    if not tokens:
        return statement, _encoded(values)

    places = statement.keep(_places)
    _check_numbers(set(places), len(values))
    lists = _lists(tokens, places, values)
    if not lists:
        return statement, _encoded(values)
    spelled, sent = _spelled(values, lists)
    return _written(statement, tokens, places, spelled), sent


def _encoded(values: Sequence[Any]) -> list[Any]:
    if len(values) > MAX_PARAMETERS:
        raise ParameterError(f"${len(values)}", f"the server takes at most {MAX_PARAMETERS} parameters.")
    return [encode(f"${number}", value) for number, value in enumerate(values, 1)]


def _taking_values(statement: Statement) -> tuple[Token, ...]:
    """The tokens of a single statement that takes values; none where the server has to judge the text."""
    tokens = statement.single if statement.is_readable else ()
    return tokens if tokens and tokens[0].word in _TAKE_PARAMETERS else ()


def _places(statement: Statement) -> dict[int, list[int]]:
    """For each number where its placeholders stand among the tokens of a single statement."""
    places: dict[int, list[int]] = {}
    for index, (before, token) in enumerate(pairwise(statement.single), 1):
        # Right behind a word it may be a part of a name.
        if token.kind is Kind.PARAMETER and not (before.end == token.start and before.kind is Kind.WORD):
            places.setdefault(int(token.text[1:]), []).append(index)
    return places


def _check_numbers(numbers: set[int], given: int) -> None:
    missing = [number for number in numbers if not 1 <= number <= given]
    if missing:
        marks = ", ".join("…" for _ in range(min(max(missing), 5)))
        raise ParameterError(
            f"${min(missing)}",
            f"it has no value; {given or 'none'} given. Nothing was sent.\nPass params=[{marks}].",
        )
    # The server ignores values that are not used. Where one is not, something else was meant.
    if unused := [number for number in range(1, given + 1) if number not in numbers]:
        name = f"${unused[0]}"
        raise ParameterError(
            name,
            f"it has a value, and the statement has no {name}. Nothing was sent.\n"
            f"Write {name} where it belongs, without quotes; ? and %s are no placeholders.",
        )


# Lists --------------------------------------------------------------------------------------------------------------


def _lists(
    tokens: Sequence[Token], places: Mapping[int, Sequence[int]], values: Sequence[Any]
) -> dict[int, list[object]]:
    """The items of each list that stands in IN.

    Raises:
        ParameterError: A list stands elsewhere, and not for a column or function that takes it as text.
    """
    lists = {}
    for number, indexes in places.items():
        name, items = f"${number}", unpacked(values[number - 1])
        if items is None:
            continue
        in_list = [_is_only_item(tokens, index) for index in indexes]
        if all(in_list):
            lists[number] = encode_items(name, items)
        elif any(in_list) or not all(_takes_text(tokens, index) for index in indexes):
            raise ParameterError(
                name,
                f"a list stands for its values as the only item of IN: … IN ({name}). Nothing was sent.\n"
                "For the JSON text of it pass json.dumps(value).",
            )
    return lists


def _is_only_item(tokens: Sequence[Token], index: int) -> bool:
    before, after = tokens[max(0, index - 2) : index], tokens[index + 1 : index + 2]
    return len(before) == 2 and before[0].word == "IN" and [t.text for t in (before[1], *after)] == ["(", ")"]


def _takes_text(tokens: Sequence[Token], index: int) -> bool:
    """Whether the JSON text of a list has a meaning here: for a column that is set, or as a vector."""
    begin = 0
    if tokens[0].word == "EXECUTE":  # EXECUTE AS [USER] name (statement)
        begin = 5 if tokens[2].word == "USER" else 4
    words = [token.word for token in tokens[begin:index]]
    if words[0] == "INSERT" or (words[0] == "UPDATE" and "WHERE" not in words):
        return True
    return _called(tokens, index) in _TAKE_VECTORS


def _called(tokens: Sequence[Token], index: int) -> str:
    """The function whose argument stands here; empty for none."""
    depth = 0
    for place in range(index - 1, 0, -1):
        if tokens[place].kind is Kind.SYMBOL:
            depth += {")": 1, "(": -1}.get(tokens[place].text, 0)
        if depth < 0:
            return tokens[place - 1].identifier
    return ""


def _spelled(values: Sequence[Any], lists: Mapping[int, Sequence[object]]) -> tuple[dict[int, str], list[Any]]:
    """What is written in the place of each number, empty for an empty list; and the values to send."""
    room = MAX_PARAMETERS - (len(values) - len(lists))
    spelled: dict[int, str] = {}
    sent: list[Any] = []

    for number, value in enumerate(values, 1):
        name = f"${number}"
        items = [encode(name, value)] if number not in lists else lists[number]
        if number in lists and len(items) > room:
            spelled[number] = ", ".join(literal(name, item) for item in items)
            if len(spelled[number].encode()) > _MAX_TEXT:
                raise ParameterError(
                    name, f"its {len(items):,} values make a text of more than 1 MiB, which the server does not take."
                )
            continue

        spelled[number] = ", ".join(f"${place}" for place in range(len(sent) + 1, len(sent) + len(items) + 1))
        sent += items
        room -= len(items) if number in lists else 0

    if len(sent) > MAX_PARAMETERS:
        raise ParameterError(f"${MAX_PARAMETERS + 1}", f"the server takes at most {MAX_PARAMETERS} parameters.")
    return spelled, sent


def _written(
    statement: Statement, tokens: Sequence[Token], places: Mapping[int, Sequence[int]], spelled: Mapping[int, str]
) -> Statement:
    """The text with the numbers and items that are sent."""
    edits = []
    for index, number in sorted((index, number) for number, indexes in places.items() for index in indexes):
        token = tokens[index]
        if spelled[number]:
            edits.append((token.start, token.end, spelled[number]))
            continue
        # SQL has no empty list. A comparison with NULL alone is NULL for every value, of any type.
        is_not = index >= 3 and tokens[index - 3].word == "NOT"
        edits.append((token.start, tokens[index + 1].end, "NULL) IS NULL" if is_not else "NULL) IS NOT NULL"))
    return statement.replaced(edits)
