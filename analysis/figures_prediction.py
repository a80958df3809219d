"""The figure of E_f under strains that were predicted from the elastic dipole."""

from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vacancy_flows.analysis.curves import cell_names
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
from vacancy_flows.analysis.formation import require_reference
from vacancy_flows.analysis.oxygen import OxygenReference

PREDICTED = "predicted from the elastic dipole, not calculated"
"""What every figure of such numbers says of them."""

_PANEL_INCHES = (3.3, 3.4)
_PANELS_PER_ROW = 3
_LEGEND_ENTRIES_PER_ROW = 15  # that fit beside one row of panels
_BAND_POINTS = 101
_START = "formation_energy_unstrained_eV"


class _Look(NamedTuple):
    colour: str
    marker: str
    linestyle: LineStyle


def plot_predictions(
    predictions: pd.DataFrame, path_stem: Path, reference: OxygenReference
) -> list[Path]:
    """Draw predicted E_f against strain, one line per host, ordering and site, per strain mode.

    Open markers are predicted, the filled one at ε = 0 is calculated; the band is the estimated
    error, ± and growing as ε².

    Parameters
    ----------
    predictions : pandas.DataFrame
        From `vacancy_flows.predictions.predict_strains`: columns host, ordering, site,
        strain_mode, strain, predicted_eV, error_eV, formation_energy_unstrained_eV, engine,
        energy_scale, oxygen_scheme, temperature_K, pressure_bar, mu_o_eV and n_atoms.
    path_stem : pathlib.Path
        Where to write, without suffix; the folder must exist.
    reference : OxygenReference
        The reference the table was made with, named in the footer.

    Returns
    -------
    list of pathlib.Path
        The PNG (200 dpi) and the SVG written, or nothing where there is no row.

    Raises
    ------
    ValueError
        If the table mixes engines or energy scales, or was made with another reference.
    """
    require_reference(predictions, reference)
    require_one_scale(predictions)
    if predictions.empty:
        return []
    origin = (
        f"E_f under strain: {PREDICTED}: E_f(0) - P:ε. The band is the neglected curvature as "
        "measured on Li2MnO3 with CHGNet: an estimate, not a bound."
    )
    footer = [origin, *provenance(predictions, reference)]
    with style():
        figure = _figure(predictions.assign(cell=cell_names(predictions)), footer)
        return save(figure, path_stem)


def _figure(predictions: pd.DataFrame, footer: list[str]) -> Figure:
    modes = list(predictions["strain_mode"].unique())
    columns = min(len(modes), _PANELS_PER_ROW)
    rows = -(-len(modes) // columns)
    looks = _looks(predictions)
    legend_columns = -(-(len(looks) + 3) // (rows * _LEGEND_ENTRIES_PER_ROW))
    width = columns * _PANEL_INCHES[0] + 2.1 * legend_columns + 0.6
    figure = new_figure(width, rows * _PANEL_INCHES[1] + 0.2, footer)
    figure.suptitle(PREDICTED, fontsize=9)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for panel, mode in zip(axes.flat, modes, strict=False):
        _draw(panel, predictions[predictions["strain_mode"] == mode], mode, looks)
    for unused in axes.flat[len(modes) :]:
        unused.set_visible(False)
    for first in axes[:, 0]:
        first.set_ylabel(ENERGY_LABEL)
    figure.legend(
        handles=_legend(looks),
        loc="outside right upper",
        ncols=legend_columns,
        frameon=False,
        handlelength=3.6,
        fontsize=8,
    )
    return figure


def _looks(predictions: pd.DataFrame) -> dict[tuple[str, str], _Look]:
    """Give each host and site a look as in the figure of calculated strains."""
    cells = list(predictions["cell"].unique())
    sites = sorted(predictions["site"].unique())
    present = set(zip(predictions["cell"], predictions["site"], strict=True))
    looks = {}
    for (i, cell), (j, site) in product(enumerate(cells), enumerate(sites)):
        hue = i if len(cells) > 1 else j
        looks[cell, site] = _Look(
            COLOURS[hue % len(COLOURS)],
            MARKERS[j % len(MARKERS)],
            LINESTYLES[(hue + j // len(MARKERS)) % len(LINESTYLES)],
        )
    return {key: look for key, look in looks.items() if key in present}


def _draw(
    panel: Axes, predictions: pd.DataFrame, mode: str, looks: dict[tuple[str, str], _Look]
) -> None:
    panel.margins(0.06)
    panel.axvline(0.0, color="0.85", linewidth=0.8, zorder=0)
    lowest = (predictions["predicted_eV"] - predictions["error_eV"]).min()
    if min(lowest, predictions[_START].min()) < 0:
        panel.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    for (cell, site), look in looks.items():
        rows = predictions[(predictions["cell"] == cell) & (predictions["site"] == site)]
        if rows.empty:
            continue
        identity = f"{mode}_{cell}_{site}".replace(" ", "_")
        rows = rows.sort_values("strain")
        strain, energy = (rows[name].to_numpy(float) for name in ("strain", "predicted_eV"))
        e_f0 = float(rows[_START].iloc[0])
        # first order in ε, so both are exact between the points as well
        curvature = float((rows["error_eV"] / rows["strain"] ** 2).mean())
        grid = np.linspace(min(strain.min(), 0.0), max(strain.max(), 0.0), _BAND_POINTS)
        order = np.argsort([*strain, 0.0])
        line = np.interp(grid, np.append(strain, 0.0)[order], np.append(energy, e_f0)[order])
        error = curvature * grid**2
        band = panel.fill_between(
            100 * grid, line - error, line + error, color=look.colour, alpha=0.18, linewidth=0
        )
        band.set_gid(f"band_{identity}")
        drawn = panel.plot(
            100 * grid, line, color=look.colour, linestyle=look.linestyle, linewidth=1.3
        )
        drawn[0].set_gid(f"curve_{identity}")
        _mark(panel, look, 100 * strain, energy, filled=False, gid=f"predicted_{identity}")
        _mark(panel, look, np.zeros(1), np.array([e_f0]), filled=True, gid=f"start_{identity}")
    panel.autoscale_view()
    panel.tick_params(direction="in", top=True, right=True)
    panel.set_xlabel(f"strain, {mode} (%)")


def _mark(
    panel: Axes, look: _Look, strain: np.ndarray, energy: np.ndarray, *, filled: bool, gid: str
) -> None:
    line = _marker(look, filled=filled)
    line.set_data(strain, energy)
    line.set_gid(gid)
    panel.add_line(line)


def _marker(look: _Look, *, filled: bool, label: str | None = None) -> Line2D:
    line = Line2D(
        [],
        [],
        color=look.colour,
        marker=look.marker,
        linestyle="none",
        markerfacecolor=look.colour if filled else "white",
        markersize=5.0,
        markeredgewidth=1.1,
        zorder=3,
    )
    line.set_label(label)
    return line


def _legend(looks: dict[tuple[str, str], _Look]) -> list[Line2D | Patch]:
    handles: list[Line2D | Patch] = []
    for (cell, site), look in looks.items():
        line = _marker(look, filled=False, label=f"{cell}  {site}")
        line.set(linestyle=look.linestyle, linewidth=1.3)
        handles.append(line)
    grey = _Look("0.35", "o", "none")
    handles.append(_marker(grey, filled=True, label="calculated"))
    handles.append(_marker(grey, filled=False, label="predicted"))
    handles.append(Patch(color="0.35", alpha=0.18, linewidth=0, label="± estimated error"))
    return handles
