"""Tables of E_f over temperature and pressure, made from one table without thermal term."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pandas as pd

from vacancy_flows.analysis.formation import require_reference
from vacancy_flows.analysis.onset import Onset, onset_pressure, onset_temperature
from vacancy_flows.analysis.oxygen import OxygenReference, ReferenceUnavailable
from vacancy_flows.analysis.thermochemistry import ThermalVariant
from vacancy_flows.analysis.thermodynamics import check_kelvin, formation_energy_map, site_fraction

_CARRIED = (
    "uid",
    "host",
    "engine",
    "energy_scale",
    "strain_mode",
    "strain",
    "ordering",
    "n_atoms",
    "site",
    "wyckoff",
    "multiplicity",
    "oxygen_scheme",
)


def require_no_thermal_term(table: pd.DataFrame, reference: OxygenReference) -> None:
    """Refuse a table to which a thermal term cannot be added, or not once more.

    Parameters
    ----------
    table : pandas.DataFrame
        From `vacancy_flows.analysis.formation.formation_table`.
    reference : OxygenReference
        The reference it was made with.

    Raises
    ------
    ValueError
        If mu_O is the user's own (T and p are labels there), if the reference or the table has
        a temperature other than 0, or if the table was made with another reference.
    """
    if reference.scheme == "user" or (table["oxygen_scheme"] == "user").any():
        raise ValueError(
            "with your own mu_O, T and p are labels and add nothing, so there is no E_f(T, p): "
            "make the table with scheme 'O2' or 'Li2O' and temperature 0"
        )
    hot = table.loc[table["temperature_K"] != 0, "temperature_K"]
    if reference.temperature != 0 or len(hot):
        kelvin = reference.temperature if reference.temperature != 0 else float(hot.iloc[0])
        raise ValueError(
            f"E_f holds the thermal term of {kelvin:g} K already, and would get a second one: "
            "make the table again with formation_table and temperature=0"
        )
    require_reference(table, reference)


def thermal_variants(table: pd.DataFrame, reference: OxygenReference) -> pd.Series:
    """Return which thermal term belongs to each row.

    Parameters
    ----------
    table : pandas.DataFrame
        With the column energy_scale.
    reference : OxygenReference
        What the table was made with.

    Returns
    -------
    pandas.Series
        "0K" or "298K" (`OxygenReference.thermal_variant`), empty where the reference does not
        apply to the scale; those rows have no E_f.
    """

    def variant(scale: str) -> str:
        try:
            return reference.thermal_variant(scale)
        except ReferenceUnavailable:
            return ""

    known = {scale: variant(str(scale)) for scale in table["energy_scale"].unique()}
    return table["energy_scale"].map(known).astype(object)


def formation_energy_at(
    table: pd.DataFrame, reference: OxygenReference, temperature: float, pressure: float
) -> pd.Series:
    """E_f of every row at one temperature and pressure.

    Parameters
    ----------
    table : pandas.DataFrame
        From `formation_table`, made with temperature 0.
    reference : OxygenReference
        The reference it was made with.
    temperature : float
        K; 0 (no thermal term) or 100 to 2000.
    pressure : float
        Partial pressure of O2, bar.

    Returns
    -------
    pandas.Series
        eV, on the table's index; NaN where the table has no E_f. The same numbers as a table
        made with this temperature and pressure.

    Raises
    ------
    ValueError
        As `require_no_thermal_term`, and for bad temperatures and pressures.
    """
    require_no_thermal_term(table, reference)
    result = pd.Series(np.nan, index=table.index, name="formation_energy_eV")
    variants = thermal_variants(table, reference)
    for variant in _variants_in(variants):
        rows = variants == variant
        bare = table.loc[rows, "formation_energy_eV"].to_numpy(dtype=float)
        result[rows] = formation_energy_map(bare, temperature, pressure, variant)[:, 0, 0]
    return result


def thermodynamics_table(
    table: pd.DataFrame,
    reference: OxygenReference,
    temperatures: Sequence[float],
    pressures: Sequence[float],
) -> pd.DataFrame:
    """E_f, onset of oxygen loss and site fraction of every vacancy on a grid of T and p.

    Parameters
    ----------
    table : pandas.DataFrame
        From `formation_table`, made with temperature 0.
    reference : OxygenReference
        The reference it was made with.
    temperatures : sequence of float
        K, 100 to 2000.
    pressures : sequence of float
        Partial pressures of O2, bar.

    Returns
    -------
    pandas.DataFrame
        One row per vacancy, temperature and pressure, in this order: the columns that name the
        vacancy; temperature_K, pressure_bar, formation_energy_eV (thermal term included, as in
        the contract's table), site_fraction (`site_fraction`: dilute, non-interacting, neutral),
        onset_temperature_K (at this pressure), onset_pressure_bar (at this temperature), each
        with its `..._reason`, empty where there is an onset; converged and reason of the
        calculation. Rows that are not converged are kept and say so.

    Raises
    ------
    ValueError
        As `require_no_thermal_term`, and for bad temperatures and pressures; 0 K is refused.
    """
    require_no_thermal_term(table, reference)
    for temperature in temperatures:
        check_kelvin(temperature)
    kept = [*_CARRIED, "converged", "reason"]
    parts = [
        table[kept].assign(
            temperature_K=float(temperature),
            pressure_bar=float(pressure),
            formation_energy_eV=formation_energy_at(table, reference, temperature, pressure),
            bare=table["formation_energy_eV"],
            variant=thermal_variants(table, reference),
        )
        for temperature, pressure in product(temperatures, pressures)
    ]
    if not parts:
        raise ValueError("give at least one temperature and one pressure")
    result = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    result["site_fraction"] = site_fraction(result["formation_energy_eV"], result["temperature_K"])
    result = _with_onset(result, "onset_temperature_K", "pressure_bar", onset_temperature)
    result = _with_onset(result, "onset_pressure_bar", "temperature_K", onset_pressure)
    last = ["converged", "reason"]
    return result[[name for name in result if name not in (*last, "bare", "variant")] + last]


def _with_onset(
    grid: pd.DataFrame,
    name: str,
    at: str,
    find: Callable[[float, float, ThermalVariant], Onset],
) -> pd.DataFrame:
    """Add one kind of onset, found once per energy and condition."""
    keys = grid[["bare", at, "variant"]].drop_duplicates()
    onsets = [
        find(bare, condition, variant) if variant else Onset(np.nan, "no formation energy")
        for bare, condition, variant in keys.itertuples(index=False, name=None)
    ]
    keys[name] = [onset.value for onset in onsets]
    keys[name.rpartition("_")[0] + "_reason"] = [onset.reason for onset in onsets]
    return grid.merge(keys, on=["bare", at, "variant"], how="left", validate="many_to_one")


def _variants_in(variants: pd.Series) -> list[ThermalVariant]:
    """Return the variants that occur, typed; rows without one are left out."""
    every: tuple[ThermalVariant, ...] = ("0K", "298K")
    return [variant for variant in every if (variants == variant).any()]
