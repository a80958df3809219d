"""The figure of E_f against strain."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from vacancy_flows.analysis.curves import UNSTRAINED, strain_curves
from vacancy_flows.analysis.figure_style import (
    COLOURS,
    ENERGY_LABEL,
    LINESTYLES,
    MARKERS,
    LineStyle,
    new_figure,
    provenance,
    require_one_scale,
    save,
    style,
)
from vacancy_flows.analysis.figures_hosts import figure_hosts
from vacancy_flows.analysis.formation import require_reference
from vacancy_flows.analysis.oxygen import OxygenReference

_PANEL_INCHES = (3.3, 3.4)
_PANELS_PER_ROW = 3
_LEGEND_ENTRIES_PER_ROW = 18  # that fit beside one row of panels


class _Look(NamedTuple):
    colour: str
    marker: str
    linestyle: LineStyle


def plot_strain(table: pd.DataFrame, path_stem: Path, reference: OxygenReference) -> list[Path]:
    """Draw E_f against strain, one line per host, ordering and site, one panel per strain mode.

    After Fig. 2n of Liu et al., Nature 606, 305 (2022). Rows at ε = 0 are part of every curve.
    Rows that are not converged are drawn hollow, on no line, and counted in the footer; rows
    without E_f or without a strain (deformations from Python) are only counted. Where no row is
    strained and the sites are more than a legend holds, each host is a column instead: see
    `vacancy_flows.analysis.figures_hosts`.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies of one engine and energy scale with the columns of
        `vacancy_flows.analysis.formation.VACANCY_COLUMNS`.
    path_stem : pathlib.Path
        Where to write, without suffix; the folder must exist.
    reference : OxygenReference
        The reference the table was made with, named in the footer.

    Returns
    -------
    list of pathlib.Path
        The PNG (200 dpi) and the SVG written, or nothing where no row can be drawn.

    Raises
    ------
    ValueError
        If the table mixes engines or energy scales, or was made with another reference.
    """
    require_reference(table, reference)
    require_one_scale(table)
    curves = strain_curves(table).dropna(subset=["strain"])
    if curves.empty:
        return []
    many = len(curves[["cell", "site"]].drop_duplicates()) > _LEGEND_ENTRIES_PER_ROW
    with style():
        if many and set(curves["strain_mode"]) == {UNSTRAINED}:
            figure = figure_hosts(curves, _footer(table, reference, "crossed"))
        else:
            figure = _figure(curves, _footer(table, reference, "hollow"))
        return save(figure, path_stem)


def _figure(curves: pd.DataFrame, footer: list[str]) -> Figure:
    modes = list(curves["strain_mode"].unique())
    columns = min(len(modes), _PANELS_PER_ROW)
    rows = -(-len(modes) // columns)
    looks = _looks(curves)
    legend_columns = -(-(len(looks) + 1) // (rows * _LEGEND_ENTRIES_PER_ROW))
    width = columns * _PANEL_INCHES[0] + 1.9 * legend_columns + 0.6
    figure = new_figure(width, rows * _PANEL_INCHES[1], footer)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for panel, mode in zip(axes.flat, modes, strict=False):
        _draw(panel, curves, mode, looks)
    for unused in axes.flat[len(modes) :]:
        unused.set_visible(False)
    for first in axes[:, 0]:
        first.set_ylabel(ENERGY_LABEL)
    _legend(figure, looks, hollow=not curves["converged"].all(), columns=legend_columns)
    return figure


def _looks(curves: pd.DataFrame) -> dict[tuple[str, str], _Look]:
    """Give each host and site a look: marker by site, colour and line by host.

    With a single host colour and line go to the sites, so that no figure is of one colour.
    """
    cells, sites = list(curves["cell"].unique()), sorted(curves["site"].unique())
    present = set(zip(curves["cell"], curves["site"], strict=True))
    looks = {}
    for (i, cell), (j, site) in product(enumerate(cells), enumerate(sites)):
        hue = i if len(cells) > 1 else j
        line = hue + j // len(MARKERS)  # beyond ten sites the markers repeat, the lines do not
        looks[cell, site] = _Look(
            COLOURS[hue % len(COLOURS)],
            MARKERS[j % len(MARKERS)],
            LINESTYLES[line % len(LINESTYLES)],
        )
    return {key: look for key, look in looks.items() if key in present}


def _draw(
    panel: Axes, curves: pd.DataFrame, mode: str, looks: dict[tuple[str, str], _Look]
) -> None:
    curves = curves[curves["strain_mode"] == mode]
    panel.margins(0.06)
    panel.axvline(0.0, color="0.85", linewidth=0.8, zorder=0)
    if curves["formation_energy_eV"].min() < 0:
        panel.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    for (cell, site), look in looks.items():
        curve = curves[(curves["cell"] == cell) & (curves["site"] == site)]
        strain, energy = 100 * curve["strain"], curve["formation_energy_eV"]
        identity = f"{mode}_{cell}_{site}".replace(" ", "_")
        # what is not converged leaves a gap in the line
        good = energy.where(curve["converged"])
        panel.add_line(_line(look, strain, good, gid=f"curve_{identity}"))
        if not curve["converged"].all():
            bad = energy.mask(curve["converged"])
            hollow = look._replace(linestyle="none")
            panel.add_line(_line(hollow, strain, bad, gid=f"hollow_{identity}"))
    panel.autoscale_view()
    panel.tick_params(direction="in", top=True, right=True)
    if mode == UNSTRAINED:
        panel.set(xlim=(-1, 1), xticks=[0], xlabel="strain (%)")
    else:
        panel.set_xlabel(f"strain, {mode} (%)")


def _line(
    look: _Look,
    strain: ArrayLike = (),
    energy: ArrayLike = (),
    *,
    gid: str | None = None,
    label: str | None = None,
) -> Line2D:
    line = Line2D(
        np.asarray(strain, dtype=float),
        np.asarray(energy, dtype=float),
        color=look.colour,
        marker=look.marker,
        linestyle=look.linestyle,
        markerfacecolor="none" if look.linestyle == "none" else look.colour,
        linewidth=1.3,
        markersize=5.0,
        markeredgewidth=1.1,
    )
    line.set_gid(gid)
    line.set_label(label)
    return line


def _legend(
    figure: Figure, looks: dict[tuple[str, str], _Look], *, hollow: bool, columns: int
) -> None:
    """Put the legend outside, on the right, where no curve can run into it."""
    handles = [_line(look, label=f"{cell}  {site}") for (cell, site), look in looks.items()]
    if hollow:
        handles.append(_line(_Look("0.4", "o", "none"), label="not converged"))
    figure.legend(
        handles=handles,
        loc="outside right upper",
        ncols=columns,
        frameon=False,
        handlelength=3.6,
        fontsize=8,
    )


def _footer(table: pd.DataFrame, reference: OxygenReference, mark: str) -> list[str]:
    """Return what a reader must know of the numbers: one text per line, wrapped later."""
    drawn = table[table["formation_energy_eV"].notna() & table["strain"].notna()]
    lines = provenance(drawn, reference)
    unconverged = int((~drawn["converged"]).sum())
    if unconverged:
        lines.append(f"Not converged: {unconverged} of {len(drawn)} points, {mark}, no result.")
    left_out = len(table) - len(drawn)
    if left_out:
        lines.append(f"Not drawn: {left_out} rows without E_f or without a strain value.")
    return lines
