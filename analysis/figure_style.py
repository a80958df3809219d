"""What every figure shares: colours, type, the footer of provenance, and how files are written.

matplotlib is imported only by the figure modules, through its object-oriented interface.
"""

import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vacancy_flows.analysis.caveats import short_caveat
from vacancy_flows.analysis.curves import cell_sizes
from vacancy_flows.analysis.oxygen import OxygenReference

LineStyle = Literal["-", "--", "-.", ":", "none"] | tuple[float, Sequence[float]]

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
"""Okabe and Ito, Color Universal Design (2008), without yellow, ordered so that greys differ."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
"""Markers, in the order they are given out."""
LINESTYLES: tuple[LineStyle, ...] = ("-", "--", "-.", ":", (0, (6, 2, 1, 2, 1, 2)), (0, (1, 1)))
"""Line styles, in the order they are given out."""
ENERGY_LABEL = r"$E_\mathrm{f}[V_\mathrm{O}]$ (eV)"
"""Axis label of the formation energy."""

_FOOTER_INCHES = 0.16  # height of a footer line
_FOOTER_LETTERS = 17  # of the footer, per inch
_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "svg.fonttype": "none",  # text stays text: searchable and editable
    "svg.hashsalt": "vacancy-flows",  # the same table gives the same file
    "text.usetex": False,
}


def style() -> AbstractContextManager[None]:
    """Return the context in which figures are made and saved; the user's settings come back."""
    return mpl.rc_context(_STYLE)


def new_figure(width: float, height: float, footer: Sequence[str]) -> Figure:
    """Make an empty figure with a footer, to be filled inside `style`.

    Parameters
    ----------
    width, height : float
        Inches; the footer adds its own height.
    footer : sequence of str
        One text per line, wrapped to the width.

    Returns
    -------
    matplotlib.figure.Figure
        With a constrained layout and an Agg canvas.
    """
    lines = [line for text in footer for line in textwrap.wrap(text, int(width * _FOOTER_LETTERS))]
    figure = Figure(figsize=(width, height + _FOOTER_INCHES * len(lines)))
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=7, linespacing=1.4)
    return figure


def save(figure: Figure, path_stem: Path) -> list[Path]:
    """Write a figure as PNG (200 dpi) and SVG; the same figure gives the same files.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From `new_figure`.
    path_stem : pathlib.Path
        Where to write, without suffix; the folder must exist.

    Returns
    -------
    list of pathlib.Path
        The PNG and the SVG.
    """
    paths = [path_stem.with_name(path_stem.name + suffix) for suffix in (".png", ".svg")]
    with style():
        figure.savefig(paths[0], dpi=200)
        figure.savefig(paths[1], metadata={"Date": None})
    return paths


def require_one_scale(table: pd.DataFrame) -> None:
    """Refuse a table of several engines or energy scales.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies with the columns engine and energy_scale.

    Raises
    ------
    ValueError
        With the values found.
    """
    for column in ("engine", "energy_scale"):
        values = sorted(table[column].dropna().unique())
        if len(values) > 1:
            raise ValueError(
                f"one figure shows one {column}, the table has {', '.join(values)}: select one"
            )


def provenance(drawn: pd.DataFrame, reference: OxygenReference) -> list[str]:
    """Return what a reader must know of formation energies, for the footer.

    Parameters
    ----------
    drawn : pandas.DataFrame
        The rows drawn, at least one, with the columns of
        `vacancy_flows.analysis.formation.VACANCY_COLUMNS`.
    reference : OxygenReference
        The reference they were made with.

    Returns
    -------
    list of str
        Engine, scale, reference, mu_O, N and neutrality; then the caveat of an ML potential.
    """
    engine, scale = str(drawn["engine"].iloc[0]), str(drawn["energy_scale"].iloc[0])
    mu_o = ", ".join(f"{value:.3f}" for value in sorted(drawn["mu_o_eV"].round(6).unique()))
    made_of = (
        f"Engine {engine}; energy scale {scale}; oxygen reference {reference.label(scale)}, "
        f"mu_O = {mu_o} eV; N = {cell_sizes(drawn)} atoms; neutral vacancies."
    )
    return [line for line in (made_of, short_caveat(engine)) if line]
