"""The summary a campaign ends with: what was computed, on which reference, and what failed."""

import textwrap
from typing import Any

import pandas as pd

from vacancy_flows.analysis.caveats import NEUTRAL, SIZE, mlip_caveat
from vacancy_flows.analysis.curves import UNSTRAINED, cell_names, cell_sizes, strain_curves
from vacancy_flows.analysis.formation import require_reference
from vacancy_flows.analysis.oxygen import OxygenReference

WIDTH = 100


def summarise(table: pd.DataFrame, reference: OxygenReference) -> str:
    """Summarise a table of vacancies for a terminal.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies with the columns of `vacancy_flows.analysis.formation.VACANCY_COLUMNS`.
    reference : OxygenReference
        The reference the table was made with.

    Returns
    -------
    str
        Per engine and energy scale: oxygen reference with mu_O, cell sizes, converged and not
        converged rows (each of the latter named with its reason), E_f per host, site and
        strain, the range per host, and the caveats that belong to the numbers.

    Raises
    ------
    ValueError
        If the table was made with another reference.
    """
    lines = ["Oxygen vacancies: E_f = E(vacancy) - E(pristine) + mu_O, in eV"]
    if table.empty:
        return f"{lines[0]}\nNo vacancies."
    require_reference(table, reference)
    for (engine, scale), rows in table.groupby(["engine", "energy_scale"], sort=False):
        lines += ["", *_heading(rows, str(engine), str(scale), reference)]
        lines += ["", *_energies(rows)]
        lines += ["", *_unfinished(rows)] if not rows["converged"].all() else []
        caveat = mlip_caveat(str(engine))
        lines += ["", *textwrap.wrap(caveat, WIDTH)] if caveat else []
    return "\n".join([*lines, "", *textwrap.wrap(SIZE, WIDTH), NEUTRAL])


def _heading(rows: pd.DataFrame, engine: str, scale: str, reference: OxygenReference) -> list[str]:
    values = rows["mu_o_eV"].dropna().round(6).unique()
    mu_o = ", ".join(f"{value:.3f}" for value in sorted(values))
    done, empty = int(rows["converged"].sum()), int(rows["formation_energy_eV"].isna().sum())
    without = f", {empty} without E_f" if empty else ""
    return [
        f"engine            {engine}",
        f"energy scale      {scale}",
        f"oxygen reference  {reference.label(scale)}",
        f"mu_O              {mu_o + ' eV per O atom' if mu_o else 'none'}",
        f"atoms per cell    {cell_sizes(rows)}",
        f"calculations      {done} converged, {len(rows) - done} not converged{without}",
    ]


def _energies(rows: pd.DataFrame) -> list[str]:
    """Return E_f of each host, mode and site against strain, and its range per host."""
    curves = strain_curves(rows)
    if curves.empty:
        return ["No row has a formation energy."]
    marks = "" if rows["converged"].all() else curves["converged"].map({True: " ", False: "*"})
    text = curves["formation_energy_eV"].map("{:.2f}".format) + marks
    shown = curves.assign(text=text, column=curves["strain"].map(_percent))
    order = shown.sort_values("strain")["column"].unique()
    keys = ["cell", "strain_mode", "site", "column"]
    joined = shown.groupby(keys, sort=False)["text"].agg("/".join).reset_index()
    grid = joined.pivot_table("text", keys[:3], "column", aggfunc="first", sort=False)
    grid = grid[list(order)].fillna("-").reset_index()
    grid = grid.rename(columns={"cell": "host", "strain_mode": "strain"})
    lines = grid.to_string(index=False).splitlines()
    if not rows["converged"].all():
        lines.append("* not converged, no result")
    good = (
        rows[rows["converged"]].assign(cell=cell_names(rows)).dropna(subset=["formation_energy_eV"])
    )
    ranges = good.groupby("cell", sort=False)["formation_energy_eV"].agg(["min", "max"])
    lines += [f"{cell}: E_f {low:.2f} to {high:.2f} eV" for cell, low, high in ranges.itertuples()]
    return lines


def _unfinished(rows: pd.DataFrame) -> list[str]:
    bad = rows[~rows["converged"]]
    lines = ["Not converged:"]
    for row in bad.assign(cell=cell_names(rows)).itertuples():
        strain = f"{row.strain_mode} {_percent(row.strain)}"
        where = "unstrained" if row.strain_mode == UNSTRAINED else strain
        lines.append(f"  {row.uid} {row.cell} {row.site}, {where}: {row.reason}")
    return lines


def _percent(strain: Any) -> str:
    """Write a strain as a percentage; a deformation from Python has none."""
    return "custom" if pd.isna(strain) else f"{100 * strain:g} %"
