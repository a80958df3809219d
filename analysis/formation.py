"""Formation energies: one number from three, and the contract's table from stored raw numbers."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from vacancy_flows.analysis.calculations import check_calculations, partners, text_of
from vacancy_flows.analysis.oxygen import OxygenReference
from vacancy_flows.analysis.pairing import attach_mu_o, attach_pristine, attach_references

VACANCY_COLUMNS: tuple[str, ...] = (
    "uid",
    "host",
    "formula",
    "engine",
    "energy_scale",
    "strain_mode",
    "strain",
    "site",
    "wyckoff",
    "multiplicity",
    "coordination",
    "n_atoms",
    "e_pristine_eV",
    "e_vacancy_eV",
    "mu_o_eV",
    "oxygen_scheme",
    "temperature_K",
    "pressure_bar",
    "formation_energy_eV",
    "converged",
    "ordering",
    "ordering_energy_eV",
    "removed_element",
    "max_force_eV_A",
    "reason",
    "net_charge",
    "notes",
)
"""Columns of `vacancies.csv`, in order (design.md, command line)."""

_COUNTS = ("multiplicity", "coordination", "n_atoms", "ordering")
_NUMBERS = (
    "strain",
    "e_pristine_eV",
    "e_vacancy_eV",
    "mu_o_eV",
    "temperature_K",
    "pressure_bar",
    "formation_energy_eV",
    "ordering_energy_eV",
    "max_force_eV_A",
    "net_charge",
)


def formation_energy(
    e_vacancy: ArrayLike, e_pristine: ArrayLike, mu_o: ArrayLike
) -> NDArray[np.float64]:
    """Return the formation energy of a neutral oxygen vacancy.

    ``E_f = E(vacancy) - E(pristine) + mu_O`` (Liu et al., Nature 606, 305 (2022)). Positive
    means that making the vacancy costs energy; a less negative mu_O raises it.

    Parameters
    ----------
    e_vacancy, e_pristine : array_like
        Energies per cell computed, eV, of the same cell with and without the vacancy, on one
        energy scale.
    mu_o : array_like
        Chemical potential of oxygen on that scale, thermal term included, eV per O atom.

    Returns
    -------
    numpy.ndarray
        E_f in eV, the broadcast shape of the arguments.
    """
    return np.asarray(
        np.asarray(e_vacancy, dtype=float)
        - np.asarray(e_pristine, dtype=float)
        + np.asarray(mu_o, dtype=float)
    )


def formation_table(calculations: pd.DataFrame, reference: OxygenReference) -> pd.DataFrame:
    """Build the contract's table of vacancies from stored calculations.

    Partners are found by uid, never by guess: the pristine cell by `pristine_uid`, the
    references by `o2_uid`, `li_uid` and `li2o_uid`. All three references are needed for the
    schemes "O2" and "Li2O", because the guard compares both routes.

    Parameters
    ----------
    calculations : pandas.DataFrame
        One row per stored calculation with the columns of
        `vacancy_flows.analysis.calculations.CALCULATION_COLUMNS`; `kind` is vacancy, pristine,
        host, candidate or reference, `energy_eV` is per cell (references: per O2 molecule, Li
        atom, Li2O formula unit), `n_atoms` counts the pristine cell. Missing values are None or
        NaN.
    reference : OxygenReference
        What mu_O is measured from.

    Returns
    -------
    pandas.DataFrame
        The vacancy rows in their order, columns `VACANCY_COLUMNS`, index 0, 1, ...
        `converged` means vacancy, pristine and the references used; `reason` is why the vacancy's
        relaxation stopped, and names what failed. Where a reference is missing or does not
        apply, or the removed element is not O, `mu_o_eV` and `formation_energy_eV` are NaN and
        `reason` says why; `notes` is what the engine told of the run.

    Raises
    ------
    ValueError
        If columns are missing, a uid occurs twice, or a vacancy is paired with a pristine cell
        or reference of another engine or energy scale (both uids and both values are named).
    ReferenceMismatch
        If the O2 and Li2O routes disagree for the shift asked for.
    """
    if calculations.empty:
        return _contract(pd.DataFrame(columns=list(VACANCY_COLUMNS)))
    check_calculations(calculations)
    table = calculations[calculations["kind"] == "vacancy"].reset_index(drop=True)
    table["e_vacancy_eV"] = table["energy_eV"].astype(float)
    table["converged"] = table["converged"].eq(True)  # None and NaN count as not converged
    own = text_of(table["reason"])
    failed = "vacancy: " + own.where(own != "", "not converged")
    table["reason"] = own.where(table["converged"], failed)
    table = attach_pristine(table, partners(calculations, "pristine"))
    if reference.scheme != "user":
        table = attach_references(table, calculations)
    table = attach_mu_o(table, reference)
    table["formation_energy_eV"] = formation_energy(
        table["e_vacancy_eV"], table["e_pristine_eV"], table["mu_o_eV"]
    )
    return _contract(table.assign(**_labels(reference)))


def require_reference(table: pd.DataFrame, reference: OxygenReference) -> None:
    """Refuse to name a reference beside numbers that were made with another.

    Parameters
    ----------
    table : pandas.DataFrame
        From `formation_table`.
    reference : OxygenReference
        What is about to be printed beside it.

    Raises
    ------
    ValueError
        If scheme, temperature or pressure of a row differ from the reference's.
    """
    for column, value in _labels(reference).items():
        other = table.loc[table[column] != value, column]
        if len(other):
            raise ValueError(
                f"the table was made with {column} {other.iloc[0]}, not {value}: make it again "
                "with formation_table and this reference"
            )


def _labels(reference: OxygenReference) -> dict[str, Any]:
    return {
        "oxygen_scheme": reference.scheme,
        "temperature_K": float(reference.temperature),
        "pressure_bar": float(reference.pressure),
    }


def _contract(table: pd.DataFrame) -> pd.DataFrame:
    """Put the contract's columns in order: numbers as floats, counts as nullable integers."""
    types = dict.fromkeys(_COUNTS, "Int64") | dict.fromkeys(_NUMBERS, "float64")
    return table.loc[:, list(VACANCY_COLUMNS)].astype({"converged": "bool"} | types)
