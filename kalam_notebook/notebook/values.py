"""The values of ``--params`` and of ``$name``: JSON, or the names of Python variables. Pure.

Nothing is ever evaluated. A name is looked up, and what the variable holds goes to the server as it is: a text from a
table stays a text, whatever it looks like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from kalam_notebook.errors import ConfigError, ParameterError
from kalam_notebook.sql.named import names_in, numbered
from kalam_notebook.texts import cut, did_you_mean

__all__ = ["Bound", "Values", "Variable", "bind_names", "check_used", "look_up", "nearest", "read_values"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A Python variable, by its name."""

    name: str


#: A variable that holds the values, or the values, in their order or by name; some may stand in variables.
Values = Variable | tuple[object, ...] | dict[str, object]


@dataclass(frozen=True, slots=True)
class Bound:
    """A text whose values have numbers.

    Attributes:
        sql: The text.
        values: The values for ``$1 …``; None for none.
        names: The names that they had; empty where they had numbers.
        is_from_variables: Whether the names are those of the notebook's variables.
        pasted: The variables that are a part of the text.
    """

    sql: str
    values: list[Any] | None = None
    names: tuple[str, ...] = ()
    is_from_variables: bool = False
    pasted: tuple[str, ...] = ()

    def named(self, error: ParameterError) -> ParameterError:
        """An error about ``$2`` as one about the name that stands there in the text."""
        number = error.parameter[1:]
        if not number.isdecimal() or not 0 < int(number) <= len(self.names):
            return error
        return ParameterError(f"${self.names[int(number) - 1]}", error.reason)


_NAME = re.compile(r"[^\W\d]\w*")
_JSON_WORDS = {"true", "false", "null", "NaN", "Infinity"}
_PYTHON_WORDS = {"None": "null", "True": "true", "False": "false"}
_HOW = (
    'Write JSON, for example --params ["open", 3, null] or {"status": "open"}, '
    "or the names of variables: --params [status, limit]."
)


def read_values(text: str) -> tuple[Values, str]:
    """Read the values that a text begins with.

    Args:
        text: ``name``, ``[name or JSON, …]``, ``{"name": name or JSON, …}`` or one JSON value, and whatever follows.

    Returns:
        The values, and the rest of the text.

    Raises:
        ConfigError: It is neither JSON nor a name.
    """
    if text.startswith("{"):
        return _read_named(text)
    if not text.startswith("["):
        value, end = _item(text, 0)
        return value if isinstance(value, Variable) else (value,), text[end:].lstrip()

    items: list[object] = []
    at = _behind_blanks(text, 1)
    while text[at : at + 1] != "]":
        value, at = _item(text, at)
        items.append(value)
        at = _behind_blanks(text, at)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise _unreadable(text, at)
        at = _behind_blanks(text, at + 1)

    return tuple(items), text[at + 1 :].lstrip()


def _read_named(text: str) -> tuple[Values, str]:
    items: dict[str, object] = {}
    at = _behind_blanks(text, 1)
    while text[at : at + 1] != "}":
        if text[at : at + 1] != '"':
            raise _unreadable(text, at if items or at >= len(text) else 0)
        name, at = _item(text, at)
        at = _behind_blanks(text, at)
        if text[at : at + 1] != ":":
            raise _unreadable(text, at)
        items[str(name)], at = _item(text, _behind_blanks(text, at + 1))
        at = _behind_blanks(text, at)
        if text[at : at + 1] == "}":
            break
        if text[at : at + 1] != ",":
            raise _unreadable(text, at)
        at = _behind_blanks(text, at + 1)

    return items, text[at + 1 :].lstrip()


def look_up(values: Values, variables: Mapping[str, Any]) -> list[Any] | dict[str, Any]:
    """Put what the variables hold in the place of their names.

    Args:
        values: As ``read_values`` gives them.
        variables: The reader's variables.

    Raises:
        ConfigError: There is no such variable.
    """
    if isinstance(values, dict):
        return {name: _filled(item, variables) for name, item in values.items()}
    if not isinstance(values, Variable):
        return [_filled(item, variables) for item in values]
    held = _held(values, variables)
    if isinstance(held, Mapping):
        return {str(name): value for name, value in held.items()}
    return list(held) if isinstance(held, (list, tuple)) else [held]


def bind_names(sql: str, params: list[Any] | dict[str, Any] | None, variables: Mapping[str, Any]) -> Bound:
    """Give numbers to the ``$name`` of a text, and find their values.

    Args:
        sql: One statement.
        params: The values, in their order or by name; None to take them from the variables.
        variables: The reader's variables.

    Raises:
        ConfigError: A name has no value.
        ParameterError: The text has names and numbers.
        UnreadableSQL: The text cannot be tokenized.
    """
    names = names_in(sql)
    if not names:
        return Bound(sql, None if isinstance(params, dict) else params)
    if isinstance(params, list):
        raise ConfigError(
            f"--params has values in their order, and the text has the name ${names[0]}.\n"
            f'Write --params {{"{names[0]}": …}}.'
        )
    held = variables if params is None else params
    for name in names:
        if name not in held:
            where = "--params has no value for it" if params is not None else "there is no such variable"
            raise ConfigError(
                f"${name} has no value: {where}.{nearest(name, held, '$')} A text with a $ stands in quotes."
            )
    return Bound(numbered(sql), [held[name] for name in names], tuple(names), params is None)


def check_used(params: Mapping[str, Any], used: Collection[str]) -> None:
    """See that every value by name stands in the cell.

    Raises:
        ConfigError: One does not.
    """
    for name in params:
        if name not in used:
            raise ConfigError(
                f"--params has a value for ${name}, and the SQL has no ${name}.{nearest(name, used, '$')}"
            )


def _filled(item: object, variables: Mapping[str, Any]) -> object:
    return _held(item, variables) if isinstance(item, Variable) else item


def nearest(name: str, known: Collection[str], mark: str = "") -> str:
    """Ask for the name that was probably meant, of those that the reader has given; see ``did_you_mean``."""
    return did_you_mean(name, [other for other in known if other[:1] != "_"], write=lambda found: f"{mark}{found}")


def _held(variable: Variable, variables: Mapping[str, Any]) -> object:
    name = variable.name
    if name in variables:
        return variables[name]
    if name in _PYTHON_WORDS:
        raise ConfigError(f"--params: {name} is Python; in JSON it is {_PYTHON_WORDS[name]}.")
    meant = nearest(name, variables)
    raise ConfigError(f'--params: there is no variable {name!r}.{meant} Texts stand in double quotes: ["{name}"].')


def _item(text: str, at: int) -> tuple[object, int]:
    """The variable or the JSON value at a place, and where it ends."""
    name = _NAME.match(text, at)
    if name and name.group() not in _JSON_WORDS:
        if text[name.end() : name.end() + 1] not in {"", " ", "\t", ",", "]", "}"}:
            raise _unreadable(text, name.end())
        return Variable(name.group()), name.end()
    try:
        return _JSON.raw_decode(text, at)
    except json.JSONDecodeError as exc:
        raise _unreadable(text, exc.pos if exc.pos >= len(text) else at) from None
    except (ValueError, RecursionError) as exc:
        raise ConfigError(
            f"--params {_short(text)}: {exc}. Put the value into a variable, and write its name."
        ) from None


def _unreadable(text: str, at: int) -> ConfigError:
    rest = text[at:]
    if not rest:
        return ConfigError(f"--params {_short(text)} does not end. {_HOW}")
    pasted = " $name and {name} are not pasted here: write the name alone." if rest[0] in "${" else ""
    return ConfigError(f"--params cannot be read at {_short(rest)}.{pasted} Python is not evaluated.\n{_HOW}")


def _short(text: str) -> str:
    return repr(cut(text, 40))


def _behind_blanks(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _float(text: str) -> float:
    """A number with a point, unless a double would change it."""
    value = float(text)
    try:
        is_exact = Decimal(repr(value)) == Decimal(text)
    except InvalidOperation:  # Its exponent is beyond what Decimal takes.
        is_exact = False
    if not is_exact:
        raise ValueError(f"{text[:40]} has more digits than a number keeps")
    return value


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


_JSON = json.JSONDecoder(parse_float=_float, parse_constant=_no_number)
