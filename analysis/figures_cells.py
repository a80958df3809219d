"""The figure of a cell with its vacancy marked."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray
from pymatgen.core import Structure

from vacancy_flows.analysis.figure_atoms import (
    EDGE_COLOUR,
    VACANCY_DASHES,
    Ball,
    SquareHandler,
    balls,
    faded,
    legend_handles,
)
from vacancy_flows.analysis.figure_style import new_figure, save, style
from vacancy_flows.analysis.projection import AXES, TILT, CellAxis, Scene, scene, widest_axis
from vacancy_flows.structures import COORDINATION_CUTOFF

_MARGIN = 0.7  # Å
_AXES_SHARE = 0.21  # of the drawing's larger side, for the axes below the cell
_HALF_SQUARE = 0.5  # Å, of the vacancy
_LONGEST_INCHES = 5.2
_SIDE_INCHES = 1.1  # legend


def plot_cell(
    structure: Structure,
    vacancy: ArrayLike,
    path_stem: Path,
    title: str,
    *,
    axis: CellAxis | None = None,
    tilt: tuple[float, float] = TILT,
) -> list[Path]:
    """Draw a vacancy cell in orthographic projection, the vacancy as a dashed square.

    Parameters
    ----------
    structure : pymatgen.core.Structure
        Ordered cell without the atom that was removed.
    vacancy : array_like
        (3,), fractional coordinates of that atom.
    path_stem : pathlib.Path
        Where to write, without suffix; the folder must exist.
    title : str
        Such as "Li2MnO3  O-8j-1".
    axis : {"a", "b", "c"}, optional
        Looked along; by default the shortest, which shows the largest area.
    tilt : tuple of float
        Degrees the cell is turned about the upward and the rightward direction, so that atoms
        in a row do not hide each other; (0, 0) looks straight along `axis`.

    Returns
    -------
    list of pathlib.Path
        The PNG (200 dpi) and the SVG written, or nothing for a cell without atoms.

    Raises
    ------
    ValueError
        If the structure is disordered, the vacancy is not three finite numbers, an atom sits on
        it, or the axis is unknown.
    """
    with style():
        figure = figure_cell(structure, vacancy, title, axis=axis, tilt=tilt)
        return save(figure, path_stem) if figure else []


def figure_cell(
    structure: Structure,
    vacancy: ArrayLike,
    title: str,
    *,
    axis: CellAxis | None = None,
    tilt: tuple[float, float] = TILT,
) -> Figure | None:
    """Return the figure that `plot_cell` writes.

    Parameters
    ----------
    structure : pymatgen.core.Structure
        As there, like all that follow.
    vacancy : array_like
    title : str
    axis : {"a", "b", "c"}, optional
    tilt : tuple of float

    Returns
    -------
    matplotlib.figure.Figure or None
        None for a cell without atoms. Lengths of the axes are Å.

    Raises
    ------
    ValueError
        As there.
    """
    if len(structure) == 0:
        return None
    axis = axis or widest_axis(structure.lattice.matrix)
    seen = scene(structure, vacancy, axis, tilt)
    low = seen.edges[..., :2].min(axis=(0, 1)) - _MARGIN
    high = seen.edges[..., :2].max(axis=(0, 1)) + _MARGIN
    low[1] -= _AXES_SHARE * max(high - low)
    width, height = (high - low) * _LONGEST_INCHES / max(high - low)
    footer = (
        f"{structure.formula.replace(' ', '')}, {len(structure)} atoms and one neutral vacancy; "
        f"seen along {axis}, turned by {tilt[0]:g}° and {tilt[1]:g}°; paler is farther; O-cation "
        f"bonds up to {COORDINATION_CUTOFF:g} Å; atoms on a face are repeated on the opposite one."
    )
    figure = new_figure(max(width + _SIDE_INCHES, 4.2), height + 0.35, [footer])
    panel = figure.subplots()
    panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    panel.set_axis_off()
    panel.set_title(title, fontsize=10)
    looks = balls(seen.symbols)
    _draw_edges(panel, seen)
    _draw_atoms(panel, seen, looks)
    _draw_vacancy(panel, seen)
    _draw_axes(panel, seen, low)
    handles = legend_handles(looks, 72 * width / (high - low)[0])
    figure.legend(
        handles=handles,
        handler_map={Rectangle: SquareHandler()},
        loc="outside right upper",
        frameon=False,
        labelspacing=1.2,
    )
    return figure


def _draw_edges(panel: Axes, seen: Scene) -> None:
    for start, end in seen.edges:
        line = Line2D([start[0], end[0]], [start[1], end[1]], color="0.45", linewidth=0.9, zorder=1)
        line.set_gid("cell_edge")
        panel.add_line(line)


def _draw_atoms(panel: Axes, seen: Scene, looks: dict[str, Ball]) -> None:
    """Draw from back to front: atoms as discs with a highlight, bonds between their surfaces."""
    depth = seen.atoms[:, 2]
    nearness = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-9)
    for symbol, (x, y, _), near in zip(seen.symbols, seen.atoms, nearness, strict=True):
        ball, edge = looks[symbol], faded(EDGE_COLOUR, near)
        layer = 2 + near
        panel.add_patch(
            Circle(
                (x, y),
                ball.radius,
                facecolor=faded(ball.colour, near),
                edgecolor=edge,
                linewidth=0.8,
                zorder=layer,
                gid=f"atom_{symbol}",
            )
        )
        spot = (x - 0.32 * ball.radius, y + 0.32 * ball.radius)
        panel.add_patch(
            Circle(spot, 0.3 * ball.radius, color="white", alpha=0.55, linewidth=0, zorder=layer)
        )
    for cation, oxygen in seen.bonds:
        start, end = _between_surfaces(seen, int(cation), int(oxygen), looks)
        near = float(nearness[[cation, oxygen]].mean())
        line = Line2D([start[0], end[0]], [start[1], end[1]], linewidth=1.4, zorder=2 + near)
        line.set(color=faded("#707070", near), solid_capstyle="butt", gid="bond")
        panel.add_line(line)


def _between_surfaces(
    seen: Scene, first: int, second: int, looks: dict[str, Ball]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    start, end = seen.atoms[first], seen.atoms[second]
    along = (end - start) / np.linalg.norm(end - start)
    radii = [looks[seen.symbols[i]].radius for i in (first, second)]
    return start + radii[0] * along, end - radii[1] * along


def _draw_vacancy(panel: Axes, seen: Scene) -> None:
    """Draw a dashed square at the vacancy and, thinner, at its images; name the first."""
    halo = withStroke(linewidth=4.5, foreground="white")
    for i, (x, y, _) in enumerate(seen.vacancies):
        square = Rectangle(
            (x - _HALF_SQUARE, y - _HALF_SQUARE), 2 * _HALF_SQUARE, 2 * _HALF_SQUARE, zorder=5
        )
        square.set(fill=False, linestyle=VACANCY_DASHES, linewidth=1.2 if i else 2.2)
        square.set(edgecolor="black", path_effects=[halo], gid="vacancy_image" if i else "vacancy")
        panel.add_patch(square)
    x, y, _ = seen.vacancies[0]
    panel.text(
        x,
        y + _HALF_SQUARE + 0.2,
        r"$\mathbf{V_O}$",
        ha="center",
        va="bottom",
        fontsize=12,
        zorder=6,
        bbox={
            "facecolor": "white",
            "edgecolor": "none",
            "alpha": 0.85,
            "boxstyle": "round,pad=0.1",
        },
    )


def _draw_axes(panel: Axes, seen: Scene, low: NDArray[np.float64]) -> None:
    """Draw the directions a, b, c and a scale bar below the cell."""
    unit = 0.1 * max(np.ptp(panel.get_xlim()), np.ptp(panel.get_ylim()))
    origin = low + 0.6 * unit
    for name, vector in zip(AXES, seen.lattice, strict=True):
        arrow = 1.2 * unit * vector[:2] / np.linalg.norm(vector)
        length = float(np.linalg.norm(arrow))
        if length > 0.05 * unit:
            style_of = {"arrowstyle": "-|>", "facecolor": "black", "shrinkA": 0, "shrinkB": 0}
            panel.annotate("", origin + arrow, origin, arrowprops=style_of)
        along = arrow / length if length > 0.05 * unit else np.array([-0.7, -0.7])
        x, y = map(float, origin + arrow + 0.3 * unit * along)
        panel.text(x, y, name, ha="center", va="center", style="italic")
    bar = 2.0 if np.ptp(panel.get_xlim()) < 16 else 5.0
    right = panel.get_xlim()[1] - _MARGIN
    line = Line2D([right - bar, right], [origin[1]] * 2, color="black", linewidth=2.2)
    line.set(solid_capstyle="butt", gid="scale_bar")
    panel.add_line(line)
    panel.text(right - bar / 2, origin[1] + 0.15, f"{bar:g} Å", ha="center", va="bottom")
