"""The table of stored calculations the analysis starts from."""

import pandas as pd

CALCULATION_COLUMNS: tuple[str, ...] = (
    "uid",
    "kind",
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
    "ordering",
    "ordering_energy_eV",
    "removed_element",
    "energy_eV",
    "max_force_eV_A",
    "converged",
    "reason",
    "pristine_uid",
    "o2_uid",
    "li_uid",
    "li2o_uid",
    "reference_kind",
    "net_charge",
    "notes",
)
"""Columns `formation_table` reads, one row per stored calculation."""

REFERENCE_UIDS = {"O2": "o2_uid", "Li": "li_uid", "Li2O": "li2o_uid"}
"""Reference kinds and the column that names each reference's uid."""


def check_calculations(calculations: pd.DataFrame) -> None:
    """Refuse a table of calculations that cannot be joined.

    Parameters
    ----------
    calculations : pandas.DataFrame
        See `CALCULATION_COLUMNS`.

    Raises
    ------
    ValueError
        If columns are missing, or a uid occurs twice.
    """
    missing = [name for name in CALCULATION_COLUMNS if name not in calculations]
    if missing:
        raise ValueError(f"the table of calculations lacks the columns {', '.join(missing)}")
    repeated = calculations.loc[calculations["uid"].duplicated(), "uid"].unique()
    if len(repeated):
        raise ValueError(
            f"uid {', '.join(map(str, repeated[:5]))} occurs more than once in the table of "
            "calculations; every calculation is stored once, so drop the repeated rows"
        )


def partners(calculations: pd.DataFrame, kind: str, reference_kind: str = "") -> pd.DataFrame:
    """Return the calculations of one kind, indexed by uid.

    Parameters
    ----------
    calculations : pandas.DataFrame
        See `CALCULATION_COLUMNS`.
    kind : str
        "pristine" or "reference".
    reference_kind : str
        "O2", "Li" or "Li2O" with kind "reference".

    Returns
    -------
    pandas.DataFrame
        Columns engine, energy_scale, energy_eV, converged (bool) and reason.
    """
    chosen = calculations["kind"] == kind
    if reference_kind:
        chosen &= calculations["reference_kind"] == reference_kind
    found = calculations[chosen].set_index("uid")
    found = found[["engine", "energy_scale", "energy_eV", "converged", "reason"]]
    return found.assign(converged=found["converged"].eq(True))


def text_of(column: pd.Series, missing: str = "") -> pd.Series:
    """Return a column as text; one of nothing but NaN has a number's type.

    Parameters
    ----------
    column : pandas.Series
        Text with None or NaN where missing.
    missing : str
        What to write there.

    Returns
    -------
    pandas.Series
        Text, without missing values.
    """
    return column.astype(object).where(column.notna(), missing).astype(str)
