"""Equilibrium vacancy concentrations and oxygen non-stoichiometry of a cell.

Neutral, dilute vacancies that do not interact, in equilibrium with O2 gas, without vibrations of
the solid; all configurational entropy is in the site fraction x/(1+x) of each class. Vacancies
that interact, kinetics and what a battery does to the surface are not in it.
"""

import re

import numpy as np
import pandas as pd
from pymatgen.core import Composition

from vacancy_flows.analysis.oxygen import OxygenReference
from vacancy_flows.analysis.thermodynamics import check_kelvin, site_fraction
from vacancy_flows.analysis.thermodynamics_tables import formation_energy_at

RELEASED_OXYGEN_AT_PERCENT = (3.3, 6.5)
"""Oxygen released from a cycled Li-rich layered oxide, at% of its oxygen: two measured values.

Csernica et al., Nature Energy 6, 642 (2021), doi 10.1038/s41560-021-00832-7. A cycled electrode
is far from equilibrium with O2 gas: a scale to set a computed number beside, no target.
"""

CELL_KEYS = (
    "host",
    "engine",
    "energy_scale",
    "strain_mode",
    "strain",
    "ordering",
    "n_atoms",
    "e_pristine_eV",
)
"""Columns that together name a pristine cell; its energy tells custom deformations apart."""


def pristine_composition(formula: str) -> Composition:
    """Return the composition of the cell before the oxygen was taken out.

    Parameters
    ----------
    formula : str
        Full formula of the vacancy cell, such as "Li8Mn4O11".

    Returns
    -------
    pymatgen.core.Composition
        One O more, such as Li8 Mn4 O12.
    """
    return Composition(formula) + Composition("O")


def vacancy_concentration(
    table: pd.DataFrame, reference: OxygenReference, temperature: float, pressure: float
) -> pd.DataFrame:
    """Equilibrium concentration of vacancies on every site class.

    Parameters
    ----------
    table : pandas.DataFrame
        From `formation_table`, made with temperature 0; removed element O.
    reference : OxygenReference
        The reference it was made with.
    temperature : float
        K, 100 to 2000.
    pressure : float
        Partial pressure of O2, bar.

    Returns
    -------
    pandas.DataFrame
        The converged rows that have an E_f, in their order and on their index: the columns that
        name cell and site, multiplicity, temperature_K, pressure_bar, formation_energy_eV
        (thermal term included), site_fraction (x/(1+x)), vacancies_per_cell (multiplicity times
        site fraction), vacancies_per_oxygen (over all O of the pristine cell) and
        oxygen_at_percent (100 times that).

    Raises
    ------
    ValueError
        As `formation_energy_at`; 0 K is refused.
    """
    check_kelvin(temperature)
    energies = formation_energy_at(table, reference, temperature, pressure)
    good = table["converged"] & energies.notna() & table["multiplicity"].notna()
    found = table.loc[good, ["uid", *CELL_KEYS, "formula", "site", "wyckoff", "multiplicity"]]
    fraction = site_fraction(energies[good], temperature)
    vacancies = found["multiplicity"].astype(float) * fraction
    oxygens = found["formula"].map(lambda formula: pristine_composition(formula)["O"])
    share = vacancies / oxygens.astype(float)
    return found.drop(columns="formula").assign(
        temperature_K=float(temperature),
        pressure_bar=float(pressure),
        formation_energy_eV=energies[good],
        site_fraction=fraction,
        vacancies_per_cell=vacancies,
        vacancies_per_oxygen=share,
        oxygen_at_percent=100.0 * share,
    )


def nonstoichiometry(
    table: pd.DataFrame,
    reference: OxygenReference,
    temperature: float,
    pressure: float,
    oxygens_per_formula: int | None = None,
) -> pd.DataFrame:
    """Equilibrium oxygen deficiency δ of every pristine cell, as in Li2MnO3-δ.

    ``δ = Σ multiplicity × site fraction / formula units``, over the site classes of one host,
    strain and ordering. Classes without a converged E_f and sites without a row are left out
    and named, so that δ is then what the others alone give.

    Parameters
    ----------
    table : pandas.DataFrame
        From `formation_table`, made with temperature 0; removed element O.
    reference : OxygenReference
        The reference it was made with.
    temperature : float
        K, 100 to 2000.
    pressure : float
        Partial pressure of O2, bar.
    oxygens_per_formula : int, optional
        O of the formula unit that δ refers to, such as 3 for Li1.5MnO3; left out it is that of
        the reduced formula (Li3Mn2O6).

    Returns
    -------
    pandas.DataFrame
        One row per pristine cell: the columns that name it, temperature_K, pressure_bar,
        formula_unit, delta (per formula unit), oxygen_at_percent (of the cell's O; beside
        paper C's `RELEASED_OXYGEN_AT_PERCENT`: released_low_at_percent,
        released_high_at_percent), sites_covered and sites (O of the cell), missing (empty where
        every class is in). delta is NaN where no class is.

    Raises
    ------
    ValueError
        As `formation_energy_at`; 0 K; a site given twice in one cell, or more sites than the
        cell has O; `oxygens_per_formula` below 1.
    """
    if oxygens_per_formula is not None and oxygens_per_formula < 1:
        raise ValueError(f"oxygens_per_formula is {oxygens_per_formula}; give at least 1")
    good = vacancy_concentration(table, reference, temperature, pressure)
    rows = []
    oxygen = table[table["removed_element"] == "O"]
    rounded = oxygen["e_pristine_eV"].round(6)  # stored energies carry no more
    keys = [oxygen[name] if name != "e_pristine_eV" else rounded for name in CELL_KEYS]
    for _, cell in oxygen.groupby(keys, dropna=False, sort=False):
        done = good.loc[good.index.intersection(cell.index)]
        rows.append(
            {name: cell[name].iloc[0] for name in CELL_KEYS}
            | {"temperature_K": float(temperature), "pressure_bar": float(pressure)}
            | _deficiency(cell, done, oxygens_per_formula)
        )
    low, high = RELEASED_OXYGEN_AT_PERCENT
    result = pd.DataFrame(rows, columns=[*CELL_KEYS, "temperature_K", "pressure_bar", *_RESULTS])
    return result.assign(released_low_at_percent=low, released_high_at_percent=high)


_RESULTS = (
    "formula_unit",
    "delta",
    "oxygen_at_percent",
    "sites_covered",
    "sites",
    "missing",
)


def _deficiency(
    cell: pd.DataFrame, done: pd.DataFrame, oxygens_per_formula: int | None
) -> dict[str, object]:
    """Sum the classes of one cell: `cell` all its rows, `done` those with a concentration."""
    whole = pristine_composition(str(cell["formula"].iloc[0]))
    _check_cell(cell, whole)
    sites = whole["O"]
    per_unit = oxygens_per_formula or Composition(whole.reduced_formula)["O"]
    vacancies = done["vacancies_per_cell"].sum(min_count=1)
    covered = done["multiplicity"].sum()
    unfinished = cell[~cell.index.isin(done.index)]
    why = unfinished["reason"].where(unfinished["reason"] != "", "no E_f or multiplicity")
    missing = [f"{site} ({text})" for site, text in zip(unfinished["site"], why, strict=True)]
    absent = int(sites - cell["multiplicity"].sum())
    missing += [f"{absent} of {sites:g} O sites have no row"] if absent else []
    return {
        "formula_unit": _short(whole * (per_unit / sites)),
        "delta": float(vacancies / sites * per_unit) if len(done) else np.nan,
        "oxygen_at_percent": float(100.0 * vacancies / sites) if len(done) else np.nan,
        "sites_covered": int(covered),
        "sites": int(sites),
        "missing": "; ".join(missing),
    }


def _short(composition: Composition) -> str:
    """Write a formula without ones: Li2MnO3, Li1.5MnO3."""
    parts = (re.fullmatch(r"([A-Z][a-z]?)1", part) or part for part in composition.formula.split())
    return "".join(part if isinstance(part, str) else part[1] for part in parts)


def _check_cell(cell: pd.DataFrame, whole: Composition) -> None:
    """Refuse rows that cannot be the classes of one cell."""
    name = f"{cell['host'].iloc[0]} at {cell['strain_mode'].iloc[0]} {cell['strain'].iloc[0]}"
    twice = cell[cell["site"].duplicated(keep=False)]
    if len(twice):
        raise ValueError(
            f"site {twice['site'].iloc[0]} of {name} occurs more than once (uid "
            f"{', '.join(map(str, twice['uid'][:4]))}): select the rows of one calculation each"
        )
    if cell["multiplicity"].sum() > whole["O"]:
        raise ValueError(
            f"the rows of {name} stand for {cell['multiplicity'].sum()} O sites, but the cell has "
            f"{whole['O']:g}: select the rows of one cell"
        )
