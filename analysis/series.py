"""Rows of the vacancy table that belong to one series, and the refusal of those that do not."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

_SAME_MU_O = 1e-3  # eV; the same references, relaxed twice, differ by less


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may enter a fit.

    Parameters
    ----------
    table : pandas.DataFrame
        From `vacancy_flows.analysis.formation.formation_table`.

    Returns
    -------
    pandas.DataFrame
        Those converged and with an E_f, on their index.
    """
    return table[table["converged"] & table["formation_energy_eV"].notna()]


def require_one(rows: pd.DataFrame, columns: Sequence[str], purpose: str) -> None:
    """Refuse rows that differ in what a series has in common.

    Parameters
    ----------
    rows : pandas.DataFrame
        With `columns` and mu_o_eV.
    columns : sequence of str
        Columns with one value throughout (missing ones count as a value).
    purpose : str
        What the rows are for, as it ends the sentence "rows of several ...".

    Raises
    ------
    ValueError
        With the column and its values; also where mu_O differs by more than 1 meV.
    """
    for name in columns:
        mixed = rows[name].unique()
        if len(mixed) > 1:
            values = ", ".join(map(str, mixed[:3]))
            raise ValueError(f"rows of several {name} ({values}) {purpose}")
    mu_o = rows["mu_o_eV"].to_numpy(dtype=float)
    if len(mu_o) and np.ptp(mu_o) > _SAME_MU_O:
        raise ValueError(f"rows of several mu_o_eV ({mu_o.min():.3f}, {mu_o.max():.3f}) {purpose}")
