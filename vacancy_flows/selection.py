"""Selections in ASE's syntax (``host=Li2MnO3,strain>0.02``) on the columns of a table."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection
from typing import Any

import pandas as pd

from vacancy_flows.bulk import Term
from vacancy_flows.errors import InputError, nearest
from vacancy_flows.uses import SEPARATOR

_OPERATORS: dict[str, Callable[[Any, Any], pd.Series]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_TERM = re.compile(r"(?P<key>[^<>=!]+?)\s*(?P<op>!=|<=|>=|<|>|=)\s*(?P<value>[^<>=!]+)")
_BETWEEN = re.compile(
    r"(?P<low>[^<>=!]+?)\s*(?P<op1><=|<)\s*(?P<key>[^<>=!]+?)\s*(?P<op2><=|<)\s*(?P<high>[^<>=!]+)"
)
_FLIPPED = {"<": ">", "<=": ">="}
Condition = tuple[str, str, str]
"""Column, operator, value as a user wrote them."""
_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def parse_selection(selection: str) -> list[Condition]:
    """Split a selection into (column, operator, value).

    A bare column asks that it is not empty (operator ``exists``). Quotes around a value are
    dropped: no name holds one.

    Raises
    ------
    InputError
        Where a part cannot be understood.
    """
    terms: list[Condition] = []
    for part in (part.strip() for part in selection.split(",")):
        if not part:
            continue
        if match := _BETWEEN.fullmatch(part):
            terms.append((match["key"], _FLIPPED[match["op1"]], match["low"]))
            terms.append((match["key"], match["op2"], match["high"]))
        elif match := _TERM.fullmatch(part):
            terms.append((match["key"], match["op"], _unquoted(match["value"])))
        elif re.fullmatch(r"\w+", part):
            terms.append((part, "exists", ""))
        else:
            raise InputError(
                f"{part!r} is not understood: write column=value, column>value or "
                "low<column<high, separated by commas",
                key="selection",
            )
    return terms


def _unquoted(value: str) -> str:
    quoted = re.fullmatch(r"""(['"])(.*)\1""", value)
    return quoted[2] if quoted else value


def typed(terms: list[Condition], numeric: Collection[str]) -> list[Term]:
    """Return terms with numbers where a column holds numbers; what is no number stays text.

    Parameters
    ----------
    terms
        Of `parse_selection`.
    numeric
        Columns that hold numbers.
    """
    found: list[Term] = []
    for key, op, value in terms:
        number: float | None = None
        if key in numeric:
            try:
                number = float(value)
            except ValueError:
                continue  # `select` will refuse it by name
        found.append((key, op, value if number is None else number))
    return found


def select(table: pd.DataFrame, selection: str | list[Condition]) -> pd.DataFrame:
    """Return the rows of a table that a selection names.

    Parameters
    ----------
    table
        Any table.
    selection
        In ASE's syntax, or as `parse_selection` returns it; an empty one is everything.

    Raises
    ------
    InputError
        For an unknown column (with the nearest known) or a value of the wrong type.
    """
    keep = pd.Series(data=True, index=table.index)
    terms = parse_selection(selection) if isinstance(selection, str) else selection
    for key, op, value in terms:
        if key not in table.columns:
            problem = f"unknown column {key!r}: {nearest(key, table.columns)}"
            raise InputError(problem, key="selection")
        column = table[key]
        if op == "exists":
            keep &= column.notna() & (column.astype(str) != "")
            continue
        if key == "campaign" and op in ("=", "!="):
            keep &= _names(column, value) == (op == "=")
            continue
        keep &= _compare(column, key, op, value)
    return table[keep]


def truth(key: str, op: str, value: str) -> bool:
    """Return whether a condition on a true-or-false column asks for True.

    Raises
    ------
    InputError
        Where it asks for something else.
    """
    if op == "exists":
        return True
    if op not in ("=", "!=") or value.lower() not in _TRUTH:
        raise InputError(f"{key} is True or False, not {value!r}", key="selection")
    return _TRUTH[value.lower()] == (op == "=")


def _number(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise InputError(f"{key} is a number, not {value!r}", key="selection")
    return number


def _names(column: pd.Series, name: str) -> pd.Series:
    """Tell which cells name a campaign, alone or among others."""
    found = [name in str(cell).split(SEPARATOR) for cell in column]
    return pd.Series(found, index=column.index, dtype=bool)


def _compare(column: pd.Series, key: str, op: str, value: str) -> pd.Series:
    if pd.api.types.is_bool_dtype(column):
        wanted = truth(key, op, value)
        return column if wanted else ~column
    if pd.api.types.is_numeric_dtype(column):
        number = _number(key, value)
        numbers = pd.to_numeric(column).astype(float)
        found = _OPERATORS[op](numbers, number)
        return found & numbers.notna() if op == "!=" else found
    if op not in ("=", "!="):
        raise InputError(f"{key} is text: use = or !=, not {op}", key="selection")
    return _OPERATORS[op](column.astype(object).where(column.notna(), "").astype(str), value)
