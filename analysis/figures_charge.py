"""The figure of E_f against the net charge of the O removed."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import pearsonr

from vacancy_flows.analysis.figure_points import (
    CHARGE_LABEL,
    STATES,
    draw_points,
    group_looks,
    legend_entries,
    point_notes,
    site_points,
)
from vacancy_flows.analysis.figure_style import (
    ENERGY_LABEL,
    new_figure,
    provenance,
    require_one_scale,
    save,
    style,
)
from vacancy_flows.analysis.formation import require_reference
from vacancy_flows.analysis.oxygen import OxygenReference

_ENERGY = "formation_energy_eV"
_INCHES = (6.0, 3.9)
_FEWEST = 3  # two points always lie on a line


def plot_charge(table: pd.DataFrame, path_stem: Path, reference: OxygenReference) -> list[Path]:
    """Draw E_f against the net charge of the O removed, with Pearson's r.

    r is over the converged points drawn: all of them, and each state of lithiation on its own
    where both are there (a common r then mixes the trend within a state with the step between
    the two).

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies of one engine and energy scale with the columns of
        `vacancy_flows.analysis.formation.VACANCY_COLUMNS`, and `net_charge` (e, of the O
        removed, in the pristine cell; about -1); optional are `set`, `lithiation` ("lithiated"
        or "delithiated") and `region` ("boundary" or "bulk").
    path_stem : pathlib.Path
        Where to write, without suffix; the folder must exist.
    reference : OxygenReference
        The reference the table was made with.

    Returns
    -------
    list of pathlib.Path
        The PNG (200 dpi) and the SVG written, or nothing where no row has both values.

    Raises
    ------
    ValueError
        If the table mixes engines or energy scales, was made with another reference, or has
        another lithiation or region than named above.
    """
    with style():
        figure = figure_charge(table, reference)
        return save(figure, path_stem) if figure else []


def figure_charge(table: pd.DataFrame, reference: OxygenReference) -> Figure | None:
    """Return the figure that `plot_charge` writes.

    Parameters
    ----------
    table : pandas.DataFrame
        As there.
    reference : OxygenReference
        As there.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no row has both values.

    Raises
    ------
    ValueError
        As there.
    """
    require_reference(table, reference)
    require_one_scale(table)
    points = site_points(table)
    drawn = points.dropna(subset=[_ENERGY, "net_charge"])
    if drawn.empty:
        return None
    footer = provenance(drawn, reference)
    footer += point_notes(points, drawn, "E_f or net charge")
    figure = new_figure(*_INCHES, footer)
    panel = figure.subplots()
    looks = group_looks(drawn["group"])
    draw_points(panel, drawn, "net_charge", _ENERGY, looks)
    panel.margins(0.06)
    panel.autoscale_view()
    low, high = panel.get_ylim()
    if low < 0 < high:
        panel.axhline(0.0, color="0.75", linewidth=0.8, zorder=0)
    panel.set(xlabel=CHARGE_LABEL, ylabel=ENERGY_LABEL)
    panel.tick_params(direction="in", top=True, right=True)
    handles, labels = legend_entries(drawn, looks)
    rows = _correlations(drawn[drawn["converged"]])
    blank = Line2D([], [], linestyle="none")
    figure.legend(
        [*handles, *(blank for _ in rows)],
        [*labels, *rows],
        loc="outside right upper",
        frameon=False,
        fontsize=8,
        handletextpad=0.4,
    )
    return figure


def _correlations(converged: pd.DataFrame) -> list[str]:
    """Return a heading and one row for all points, and one per state where both are there."""
    rows = {"all": converged}
    states = {state: converged[converged["lithiation"] == state] for state in STATES}
    if all(len(chosen) for chosen in states.values()):
        rows |= states
    lines = [f"{name}: {_correlation(chosen)}" for name, chosen in rows.items()]
    return ["\nPearson r, converged points", *lines]


def _correlation(points: pd.DataFrame) -> str:
    """Say r and n; r needs three points that differ in both values."""
    charge, energy = points["net_charge"], points[_ENERGY]
    if len(points) < _FEWEST or np.ptp(charge) == 0 or np.ptp(energy) == 0:
        return f"undefined (n = {len(points)})"
    r = float(pearsonr(charge, energy).statistic)
    return f"r = {r:.2f} (n = {len(points)})".replace("-", "−")
