"""What `query` and `report` do, without the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError, nearest
from vacancy_flows.output_paths import make_directory
from vacancy_flows.outputs import to_csv
from vacancy_flows.schemas import Kind
from vacancy_flows.selection import Condition, parse_selection
from vacancy_flows.tables import SUPERSEDED, calculations_table, vacancy_tables


def query_database(path: str | Path, selection: str, style: str, options: dict[str, Any]) -> str:
    """Return rows of a database as text.

    Parameters
    ----------
    path
        ``results.db`` or ``postgresql://...``.
    selection
        In ASE's syntax.
    style
        ``table``, ``csv``, ``json``, ``extxyz`` (cells) or ``entries`` (pymatgen).
    options
        ``oxygen_scheme``, ``mu_o``, ``temperature``, ``pressure``; None where not given.

    Raises
    ------
    InputError
        For unknown columns and references that do not fit.
    """
    database = ResultsDatabase.open(path)
    adapt = adaptation(options)
    terms = parse_selection(selection)
    kinds = [term for term in terms if term[0] == "kind"]
    for _, _, value in kinds:
        if value and value not in get_args(Kind):  # empty: a bare `kind`
            problem = f"there is no kind {value!r}: {nearest(value, get_args(Kind))}"
            raise InputError(problem, key="selection")
    if any(term != ("kind", "=", "vacancy") for term in kinds):
        found = calculations_table(database, terms)
        return _formatted(database, found, style, [])
    tables = vacancy_tables(database, adapt, [term for term in terms if term not in kinds])
    notes = _hidden(database, terms)
    for used, table in tables:
        scales = sorted(table["energy_scale"].dropna().unique())
        notes += [f"oxygen reference ({scale}): {used.label(scale)}" for scale in scales]
    joined = [table for _, table in tables if not table.empty] or [tables[0][1]]
    return _formatted(database, pd.concat(joined, ignore_index=True), style, notes)


def report_database(
    path: str | Path, directory: Path, selection: str, options: dict[str, Any]
) -> list[Path]:
    """Write tables, figures and ``report.html`` of a database.

    Parameters
    ----------
    path
        ``results.db`` or ``postgresql://...``.
    directory
        Made where it does not exist.
    selection
        In ASE's syntax.
    options
        As in `query_database`.

    Returns
    -------
    list of Path
        Files written, the page first.
    """
    from vacancy_flows.reporting import report_tables

    database = ResultsDatabase.open(path)
    tables = vacancy_tables(database, adaptation(options), selection)
    make_directory(directory, "-o")
    return report_tables(database, tables, directory, "Oxygen vacancies")


def _hidden(database: ResultsDatabase, terms: list[Condition]) -> list[str]:
    """Say that rows of earlier settings are not shown."""
    number = database.superseded
    if not number or any(key == SUPERSEDED for key, _, _ in terms):
        return []
    return [f"{number} vacancies of earlier settings are not shown: select {SUPERSEDED}=True"]


def adaptation(options: Mapping[str, Any]) -> Callable[[OxygenReference], OxygenReference] | None:
    """Return what command-line options make of a campaign's oxygen reference, None if nothing.

    Only what was typed changes: ``--temperature`` alone keeps scheme and pressure.

    Raises
    ------
    InputError
        Where the options contradict each other.
    """
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return None
    mu_o = given.get("mu_o")
    if mu_o is not None and given.get("oxygen_scheme") not in (None, "user"):
        problem = f"--mu-o is your own mu_O: leave out {given['oxygen_scheme']}"
        raise InputError(problem, key="--oxygen-scheme")
    if mu_o is not None and not math.isfinite(mu_o):
        raise InputError("must be a number", key="--mu-o")

    def adapt(own: OxygenReference) -> OxygenReference:
        scheme: Any = "user" if mu_o is not None else given.get("oxygen_scheme", own.scheme)
        try:
            return OxygenReference(
                scheme=scheme,
                temperature=given.get("temperature", own.temperature),
                pressure=given.get("pressure", own.pressure),
                mu_o=(own.mu_o if mu_o is None else mu_o) if scheme == "user" else None,
                shift=own.shift if scheme == "O2" else None,
                li2o_enthalpy=own.li2o_enthalpy,
            )
        except ValueError as error:
            raise InputError(str(error), key="oxygen reference") from None

    adapt(OxygenReference(scheme="user", mu_o=0.0))  # T and p are checked before a table is read
    return adapt


def _formatted(database: ResultsDatabase, table: pd.DataFrame, style: str, notes: list[str]) -> str:
    if style == "csv":
        return to_csv(table)
    if style == "json":
        content = {"reference": notes, "rows": json.loads(table.to_json(orient="records"))}
        return json.dumps(content, indent=1) + "\n"
    if style in ("extxyz", "entries"):
        from vacancy_flows.exports import to_entries, to_extxyz

        records = (record for uid in table["uid"] if (record := database.get(uid)))
        return to_extxyz(records) if style == "extxyz" else to_entries(records)
    shown = table.dropna(axis="columns", how="all")
    text = "no rows" if shown.empty else shown.to_string(index=False, na_rep="")
    return "\n".join([*notes, text]) + "\n"
