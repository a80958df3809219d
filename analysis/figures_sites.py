"""The figure of E_f and net charge of each site along a boundary."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from vacancy_flows.analysis.figure_points import (
    CHARGE_LABEL,
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
_PANEL_INCHES = (6.9, 2.5)
_LEGEND_COLUMNS = 7  # that fit above the panels
_LABEL_GAP = 0.065  # of a panel's height, between the names of two lines
_BULK_COLOURS = {"lithiated": "0.0", "delithiated": "0.4"}


def plot_sites_along_b(
    table: pd.DataFrame, path_stem: Path, reference: OxygenReference
) -> list[Path]:
    """Draw E_f and the net charge of each site against its position along b.

    After Fig. 5E and H of the domain-boundary paper (science.md, B). Sets differ by marker and
    colour; filled is lithiated, open is delithiated; each bulk site is a dotted line with its
    name. Without any net charge the lower panel is left out.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies of one engine, energy scale and strain with the columns of
        `vacancy_flows.analysis.formation.VACANCY_COLUMNS`, and `position_b_A` (Å); optional
        are `net_charge` (e, of the O removed, in the pristine cell; about -1), `set`,
        `lithiation` ("lithiated" or "delithiated") and `region` ("boundary" or "bulk").
    path_stem : pathlib.Path
        Where to write, without suffix; the folder must exist.
    reference : OxygenReference
        The reference the table was made with.

    Returns
    -------
    list of pathlib.Path
        The PNG (200 dpi) and the SVG written, or nothing where no boundary site can be drawn.

    Raises
    ------
    ValueError
        If the table mixes engines or energy scales, was made with another reference, or has
        another lithiation or region than named above.
    """
    with style():
        figure = figure_sites_along_b(table, reference)
        return save(figure, path_stem) if figure else []


def figure_sites_along_b(table: pd.DataFrame, reference: OxygenReference) -> Figure | None:
    """Return the figure that `plot_sites_along_b` writes.

    Parameters
    ----------
    table : pandas.DataFrame
        As there.
    reference : OxygenReference
        As there.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no boundary site can be drawn. Bulk rows that are not converged give no line.

    Raises
    ------
    ValueError
        As there.
    """
    require_reference(table, reference)
    require_one_scale(table)
    points = site_points(table)
    bulk = points[(points["region"] == "bulk") & points[_ENERGY].notna()]
    sites = points[points["region"] == "boundary"].dropna(subset=[_ENERGY, "position_b_A"])
    if sites.empty:
        return None
    footer = provenance(pd.concat([sites, bulk]), reference) + _notes(points, sites, bulk)
    columns = [_ENERGY]
    columns += ["net_charge"] if sites["net_charge"].notna().any() else []
    figure = new_figure(_PANEL_INCHES[0], _PANEL_INCHES[1] * len(columns) + 0.3, footer)
    axes = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    looks = group_looks(sites["group"])
    for panel, column in zip(axes, columns, strict=True):
        draw_points(panel, sites, "position_b_A", column, looks)
        panel.margins(x=0.04, y=0.1)
        _bulk_lines(panel, bulk[bulk["converged"]].dropna(subset=[column]), column)
        panel.set_ylabel(ENERGY_LABEL if column == _ENERGY else CHARGE_LABEL)
        panel.tick_params(direction="in", top=True, right=True)
    axes[-1].set_xlabel("position along b (Å)")
    figure.align_ylabels(axes)
    handles, labels = legend_entries(sites, looks)
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=min(len(labels), _LEGEND_COLUMNS),
        frameon=False,
        fontsize=8,
        columnspacing=1.4,
        handletextpad=0.3,
    )
    return figure


def _bulk_lines(panel: Axes, bulk: pd.DataFrame, column: str) -> None:
    """Draw bulk values as dotted lines, each with its name outside the panel on the right."""
    bulk = bulk.sort_values(column, kind="stable")
    several = bulk.groupby(["lithiation"])["site"].transform("size") > 1
    for row in bulk.itertuples():
        line = panel.axhline(
            getattr(row, column),
            color=_BULK_COLOURS.get(str(row.lithiation), "0.0"),
            linestyle=":",
            linewidth=1.6,
            zorder=1,
        )
        line.set_gid(f"bulk_{row.lithiation}_{row.site}")
    panel.autoscale_view()
    low, high = panel.get_ylim()
    if column == _ENERGY and low < 0 < high:
        panel.axhline(0.0, color="0.75", linewidth=0.8, zorder=0)
    heights = [(value - low) / (high - low) for value in bulk[column]]
    for row, name_site, height, text_height in zip(
        bulk.itertuples(), several, heights, _spread(heights, _LABEL_GAP), strict=True
    ):
        words = ["bulk", row.lithiation, row.site if name_site else ""]
        panel.annotate(
            " ".join(str(word) for word in words if word),
            xy=(1.0, height),
            xytext=(1.035, text_height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=7.5,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": "0.5", "shrinkB": 0},
        )


def _spread(heights: ArrayLike, gap: float) -> NDArray[np.float64]:
    """Push sorted heights apart to `gap`, moving them as little as can be (least squares)."""
    placed = np.asarray(heights, dtype=float)
    steps = gap * np.arange(len(placed))
    if len(placed) == 0:
        return placed
    return np.asarray(isotonic_regression(placed - steps).x + steps)


def _notes(points: pd.DataFrame, sites: pd.DataFrame, bulk: pd.DataFrame) -> list[str]:
    boundary = points[points["region"] == "boundary"]
    notes = point_notes(boundary, sites, "E_f or position")
    without = int(sites["net_charge"].isna().sum())
    if 0 < without < len(sites):
        notes.append(f"Without net charge: {without} of {len(sites)} sites.")
    failed = int((~bulk["converged"]).sum())
    if failed:
        notes.append(f"Not drawn: {failed} bulk rows that are not converged.")
    return notes
