"""What an ingest prints: what was stored, and the vacancies with their energies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.schemas import Record
from vacancy_flows.tables import vacancy_tables

_PLURALS = {"vacancy": "vacancies", "pristine": "pristine cells", "host": "free-cell runs"}


def summary(
    database: ResultsDatabase, records: Mapping[str, Record], reference: OxygenReference | None
) -> Iterator[str]:
    """Yield lines: how many rows of each kind, then every vacancy.

    Parameters
    ----------
    database
        That holds the records.
    records
        By uid.
    reference
        For E_f; where None that of each row's campaign.
    """
    counts = Counter(record.calculation.kind for record in records.values())
    listed = [f"{number} {_name(kind, number)}" for kind, number in sorted(counts.items())]
    yield f"{database.location}: {', '.join(listed) or 'nothing new'}"
    vacancies = [uid for uid, record in records.items() if record.calculation.kind == "vacancy"]
    rows: dict[str, dict[Any, Any]] = {}
    for _, table in vacancy_tables(database, reference) if vacancies else ():
        rows |= {row["uid"]: row for row in table.to_dict("records")}
    for uid in vacancies:
        yield _line(records[uid], rows.get(uid))


def _name(kind: str, number: int) -> str:
    if number == 1:
        return {"pristine": "pristine cell", "host": "free-cell run"}.get(kind, kind)
    return _PLURALS.get(kind, f"{kind}s")


def _line(record: Record, row: Mapping[Any, Any] | None) -> str:
    calculation = record.calculation
    text = f"  {record.uid} {calculation.host} {calculation.site} ({record.energy_scale})"
    if row is None:
        return text
    difference = row["e_vacancy_eV"] - row["e_pristine_eV"]
    text += f": E(vacancy) - E(pristine) = {difference:.8f} eV"
    if pd.notna(row["formation_energy_eV"]):
        text += f", E_f = {row['formation_energy_eV']:.3f} eV (mu_O = {row['mu_o_eV']:.3f} eV)"
    else:
        text += ", E_f empty"
    return f"{text}; {row['reason']}" if row["reason"] else text
