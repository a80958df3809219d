"""Rows of the vacancy table as curves of E_f against strain."""

import pandas as pd

UNSTRAINED = "none"
"""`strain_mode` of ε = 0 rows, which belong to every mode (design.md)."""


def strain_curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with an E_f, the unstrained ones repeated in every strain mode.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies with the columns of `vacancy_flows.analysis.formation.VACANCY_COLUMNS`.

    Returns
    -------
    pandas.DataFrame
        The same columns and a text column `cell`, which names the curve's host (see
        `cell_names`). Rows without E_f are left out. The mode stays "none" only where no row is
        strained. Sorted by mode, host (as in the table), ordering, site and strain.
    """
    named = table.assign(cell=cell_names(table), rank=pd.factorize(table["host"])[0])
    named = named[named["formation_energy_eV"].notna()]
    unstrained = named["strain_mode"] == UNSTRAINED
    modes = sorted(named.loc[~unstrained, "strain_mode"].unique())
    if modes:
        repeated = [named[unstrained].assign(strain_mode=mode) for mode in modes]
        named = pd.concat([*repeated, named[~unstrained]])
    keys = ["strain_mode", "rank", "ordering", "n_atoms", "site", "strain"]
    return named.sort_values(keys, kind="stable").drop(columns="rank").reset_index(drop=True)


def cell_names(table: pd.DataFrame) -> pd.Series:
    """Name each row's pristine cell as shortly as tells it from the others of the table.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies with the columns host, n_atoms and ordering.

    Returns
    -------
    pandas.Series
        "Li2MnO3"; with "#0" where the host has several Li orderings in the table, and
        "(48 atoms)" where it has several sizes.
    """
    hosts = table.groupby("host")
    name = table["host"].astype(str)
    ordering = "#" + table["ordering"].astype("Int64").astype("string").fillna("-")
    name += (" " + ordering).where(hosts["ordering"].transform("nunique") > 1, "").astype(str)
    size = "(" + table["n_atoms"].astype("Int64").astype("string").fillna("?") + " atoms)"
    name += (" " + size).where(hosts["n_atoms"].transform("nunique") > 1, "").astype(str)
    return name


def cell_sizes(table: pd.DataFrame) -> str:
    """List the atoms of the pristine cells computed, per host.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies with the columns host and n_atoms.

    Returns
    -------
    str
        Such as "24 (Li2MnO3), 22 (Li1.5MnO3)".
    """
    sizes = table.dropna(subset=["n_atoms"]).groupby("host", sort=False)["n_atoms"].unique()
    return ", ".join(
        f"{' and '.join(str(int(n)) for n in sorted(atoms))} ({host})"
        for host, atoms in sizes.items()
    )
