"""The lattice error of stored vacancies, where their host tells its bulk modulus."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from vacancy_flows.analysis.dipole import ElasticDipole
from vacancy_flows.analysis.lattice_error import lattice_error, lattice_strain
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.schemas import Record

COLUMN = "lattice_error_eV"


def with_lattice_errors(
    dipoles: pd.DataFrame,
    database: ResultsDatabase,
    vacancies: Mapping[str, Record],
    pristine: Mapping[str, Record],
) -> pd.DataFrame:
    """Return the table of elastic dipoles with `COLUMN`: what the cell's own error does to E_f.

    A host that was scaled to its volume (GPAW) keeps some stress, for its shape was left as it
    was. Subtract the column from E_f for the estimate at the minimum. Hosts without a bulk modulus
    in their provenance have relaxed their cell freely, and no error is told.

    Parameters
    ----------
    dipoles
        As `vacancy_flows.derived.dipoles` makes it.
    database
        That holds the hosts.
    vacancies, pristine
        Records by uid.
    """
    values = [_error(row, database, vacancies, pristine) for _, row in dipoles.iterrows()]
    if all(value is None for value in values):
        return dipoles
    return dipoles.assign(**{COLUMN: pd.array(values, dtype="Float64")})


def _error(
    row: pd.Series,
    database: ResultsDatabase,
    vacancies: Mapping[str, Record],
    pristine: Mapping[str, Record],
) -> float | None:
    partner = pristine[str(vacancies[str(row["uid"])].calculation.pristine_uid)]
    host = database.get(str(partner.calculation.parent_uid))
    modulus = (host.result.provenance.get("cell") or {}).get("bulk_modulus") if host else None
    if modulus is None or partner.result.stress is None:
        return None
    upper = {
        (i, j): row[f"P_{a}{b}_eV"]
        for i, a in enumerate("xyz")
        for j, b in enumerate("xyz")
        if i <= j
    }
    tensor = [[upper[min(i, j), max(i, j)] for j in range(3)] for i in range(3)]
    strain = lattice_strain(partner.result.stress, float(modulus))
    return lattice_error(ElasticDipole(np.array(tensor, dtype=float)), strain)
