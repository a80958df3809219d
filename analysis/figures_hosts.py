"""The figure of E_f of many unstrained sites, a column per host."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vacancy_flows.analysis.figure_points import PointLook, crossed, marks
from vacancy_flows.analysis.figure_style import COLOURS, ENERGY_LABEL, new_figure

_COLUMN_INCHES = 1.25
_HALF_WIDTH = 0.32  # of a column, whose width is 1


def figure_hosts(curves: pd.DataFrame, footer: Sequence[str]) -> Figure:
    """Draw E_f of every site, from the lowest to the highest within its host.

    The lowest and the highest of a host bear their label; the bar is the mean over the O that
    the sites stand for (weighted by multiplicity). What is not converged is crossed out and in
    no mean.

    Parameters
    ----------
    curves : pandas.DataFrame
        Unstrained rows of `vacancy_flows.analysis.curves.strain_curves`.
    footer : sequence of str
        Lines under the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cells = list(curves["cell"].unique())
    notes = [*footer, "Bars: mean over the O that the sites drawn stand for."]
    figure = new_figure(max(4.5, 0.9 + _COLUMN_INCHES * len(cells)), 3.6, notes)
    panel = figure.subplots()
    panel.set_ylabel(ENERGY_LABEL)
    for i, cell in enumerate(cells):
        rows = curves[curves["cell"] == cell].sort_values("formation_energy_eV", kind="stable")
        _draw_host(panel, rows, i, str(cell))
    panel.margins(y=0.1)
    panel.autoscale_view()
    panel.set_xlim(-0.6, len(cells) - 0.4)
    if curves["formation_energy_eV"].min() < 0:
        panel.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    panel.set_xticks(range(len(cells)), [_broken(str(cell)) for cell in cells], fontsize=8)
    panel.tick_params(direction="in", right=True)
    return figure


def _draw_host(panel: Axes, rows: pd.DataFrame, column: int, cell: str) -> None:
    """Draw one column."""
    look = PointLook(COLOURS[column % len(COLOURS)], "o")
    width = _HALF_WIDTH if len(rows) > 1 else 0.0
    x = np.linspace(column - width, column + width, len(rows))
    energy, good = rows["formation_energy_eV"].to_numpy(float), rows["converged"].to_numpy(bool)
    identity = cell.replace(" ", "_")
    line = marks(look, x[good], energy[good])
    line.set_gid(f"sites_{identity}")
    panel.add_line(line)
    if not good.all():
        for part in crossed(look, x[~good], energy[~good]):
            part.set_gid(f"not_converged_{identity}")
            panel.add_line(part)
    if not good.any():
        return
    weights = rows["multiplicity"].to_numpy(float)[good]
    mean = float(np.average(energy[good], weights=weights))
    edges = (column - 1.3 * _HALF_WIDTH, column + 1.3 * _HALF_WIDTH)
    (bar,) = panel.plot(edges, [mean, mean], color=look.colour, linewidth=1.4, alpha=0.6)
    bar.set_gid(f"mean_{identity}")
    sites = rows["site"].to_numpy(str)[good]
    for k, up in {0: False, int(good.sum()) - 1: True}.items():
        panel.annotate(
            sites[k],
            (x[good][k], energy[good][k]),
            xytext=(0, 6 if up else -6),
            textcoords="offset points",
            ha="center",
            va="bottom" if up else "top",
            fontsize=7,
        )


def _broken(name: str) -> str:
    """Break a long name at its hyphens and spaces."""
    return name.replace(" ", "\n").replace("-", "-\n") if len(name) > 12 else name
