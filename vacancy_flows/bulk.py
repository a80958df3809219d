"""Reading many rows of an ASE database at once.

`ase.db.select` builds an object per row and, on PostgreSQL, asks the server again for each
(2.5 ms a row). A table needs the key-value pairs and the energy only: one statement, in
pages, so that memory stays flat. Written for the schema of ASE's database format 9, whose
``unique_id`` holds our uid.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from vacancy_flows.uses import SHARED_KEYS

_PAGE = 5000
_MANY = 500  # uids in one statement; SQLite takes at most 999 arguments in old versions
_SQL_OPERATORS = {"=", "<", "<=", ">", ">="}

Term = tuple[str, str, str | float | bool]
"""Stored key, operator, value: what a statement can ask for."""


def read_pairs(
    db: Any, terms: Sequence[Term] = (), *, page: int = _PAGE
) -> Iterator[dict[str, Any]]:
    """Yield key-value pairs and energy of the rows that meet all terms.

    Parameters
    ----------
    db
        An ASE database, SQLite or PostgreSQL.
    terms
        Conditions on stored keys; see `pushable`. Those on `SHARED_KEYS` let rows with
        several uses through, which the caller must look into.
    page
        Rows fetched at once.

    Yields
    ------
    dict
        The pairs, and ``energy_eV`` in eV per cell, in the order of insertion.
    """
    where, arguments = _conditions(db, terms)
    last = 0
    while True:
        statement = (
            "SELECT id, key_value_pairs, energy FROM systems "  # noqa: S608  # no user text
            f"WHERE id > ?{where} ORDER BY id LIMIT {int(page)}"
        )
        rows = _fetch(db, statement, [last, *arguments])
        for _, pairs, energy in rows:
            yield _pairs(pairs, energy)
        if len(rows) < page:
            return
        last = rows[-1][0]


def read_uids(db: Any, uids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield key-value pairs and energy of rows by uid; those not stored are left out."""
    for part in _parts(uids):
        marks = ", ".join("?" * len(part))
        statement = f"SELECT key_value_pairs, energy FROM systems WHERE unique_id IN ({marks})"  # noqa: S608
        for pairs, energy in _fetch(db, statement, part):
            yield _pairs(pairs, energy)


def stored_uids(db: Any, uids: Iterable[str] | None = None) -> set[str]:
    """Return which uids are stored: of those given, or all."""
    if uids is None:
        return {uid for (uid,) in _fetch(db, "SELECT unique_id FROM systems", [])}
    found: set[str] = set()
    for part in _parts(uids):
        marks = ", ".join("?" * len(part))
        statement = f"SELECT unique_id FROM systems WHERE unique_id IN ({marks})"  # noqa: S608
        found |= {uid for (uid,) in _fetch(db, statement, part)}
    return found


def pushable(op: str, value: str | float | bool) -> bool:
    """Tell whether a statement can ask for a condition: text only for equality."""
    return op == "=" if isinstance(value, str) else op in _SQL_OPERATORS


def add_indices(db: Any) -> None:
    """Make selections of few rows among many fast (SQLite; PostgreSQL has its own)."""
    if db.type != "db":
        return
    with db.managed_connection() as connection:
        for table in ("text_key_values", "number_key_values"):
            connection.execute(
                f"CREATE INDEX IF NOT EXISTS {table}_key_value ON {table} (key, value, id)"
            )


def _conditions(db: Any, terms: Sequence[Term]) -> tuple[str, list[Any]]:
    """Return SQL that follows another condition, and its arguments."""
    parts: list[str] = []
    arguments: list[Any] = []
    for key, op, value in terms:
        if not pushable(op, value):
            raise ValueError(f"no statement can ask for {key}{op}{value!r}")
        number = not isinstance(value, str)
        if db.type == "postgresql":
            several = "key_value_pairs ->> 'uses' IS NOT NULL"
            if (op == "=" and not number) or isinstance(value, bool):
                part = "key_value_pairs @> ?::jsonb"
                arguments.append(json.dumps({key: value}))
            else:
                part = f"(key_value_pairs ->> ?)::double precision {op} ?"
                arguments += [key, float(value)]
        else:
            several = "id IN (SELECT id FROM text_key_values WHERE key = 'uses')"
            table = "number_key_values" if number else "text_key_values"
            part = f"id IN (SELECT id FROM {table} WHERE key = ? AND value {op} ?)"  # noqa: S608
            arguments += [key, float(value) if number else value]
        parts.append(f"({part} OR {several})" if key in SHARED_KEYS else part)
    return "".join(f" AND {part}" for part in parts), arguments


def _fetch(db: Any, statement: str, arguments: Sequence[Any]) -> list[Any]:
    with db.managed_connection() as connection:
        cursor = connection.cursor()
        cursor.execute(statement, list(arguments))
        return list(cursor.fetchall())


def _pairs(pairs: Any, energy: float) -> dict[str, Any]:
    found = json.loads(pairs) if isinstance(pairs, str) else dict(pairs)
    found["energy_eV"] = energy
    return found


def _parts(uids: Iterable[str]) -> Iterator[list[str]]:
    ordered = list(dict.fromkeys(uids))
    for start in range(0, len(ordered), _MANY):
        yield ordered[start : start + _MANY]
