"""How atoms and vacancies look in the figure of a cell."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import to_hex, to_rgb
from matplotlib.legend import Legend
from matplotlib.legend_handler import HandlerPatch
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import Transform

EDGE_COLOUR = "#202020"
"""Outline of the nearest atoms."""
VACANCY_DASHES = (0, (2.2, 1.2))
"""Dashes of the vacancy's square."""

# Okabe and Ito with yellow; no two of like size have greys alike
_OTHERS = ("#56B4E9", "#E69F00", "#999999", "#FFFFFF")
_OTHER_RADIUS = 0.38
_FADE = 0.6  # share of white in the farthest atom
_LARGEST_MARKER = 17.0  # points, in the legend


class Ball(NamedTuple):
    """Colour and radius (Å) of an element; the radius is of the drawing, not of the ion."""

    colour: str
    radius: float


_BALLS = {
    "O": Ball("#D55E00", 0.27),
    "Li": Ball("#F0E442", 0.33),
    "Mn": Ball("#CC79A7", 0.47),
    "Ni": Ball("#009E73", 0.42),
    "Co": Ball("#0072B2", 0.42),
}


def balls(symbols: Iterable[str]) -> dict[str, Ball]:
    """Give each element a colour and a size.

    Parameters
    ----------
    symbols : iterable of str
        Elements, repeated as they come.

    Returns
    -------
    dict of str to Ball
        Cations in alphabetical order, then O. Elements without a colour of their own get one of
        four, and a larger radius where those repeat.
    """
    present = sorted(set(symbols), key=lambda symbol: (symbol == "O", symbol))
    others = [symbol for symbol in present if symbol not in _BALLS]
    spare = {
        symbol: Ball(_OTHERS[i % len(_OTHERS)], _OTHER_RADIUS + 0.08 * (i // len(_OTHERS)))
        for i, symbol in enumerate(others)
    }
    return {symbol: (_BALLS | spare)[symbol] for symbol in present}


def faded(colour: str, nearness: float) -> str:
    """Mix white into what is far.

    Parameters
    ----------
    colour : str
        Any colour of matplotlib.
    nearness : float
        0 for the farthest, 1 for the nearest.

    Returns
    -------
    str
        As #rrggbb.
    """
    share = _FADE * (1.0 - nearness)
    return to_hex(tuple((1.0 - share) * np.array(to_rgb(colour)) + share))


def legend_handles(looks: dict[str, Ball], points_per_angstrom: float) -> list[Artist]:
    """Return a ball per element, as large as drawn where it fits, and the vacancy's square.

    Parameters
    ----------
    looks : dict of str to Ball
        From `balls`.
    points_per_angstrom : float
        Scale of the drawing.

    Returns
    -------
    list of matplotlib.artist.Artist
        With labels.
    """
    largest = 2 * max(ball.radius for ball in looks.values())
    scale = min(points_per_angstrom, _LARGEST_MARKER / largest)
    handles: list[Artist] = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker="o",
            markersize=2 * ball.radius * scale,
            markerfacecolor=ball.colour,
            markeredgecolor=EDGE_COLOUR,
            label=symbol,
        )
        for symbol, ball in looks.items()
    ]
    square = Rectangle((0, 0), 1, 1, fill=False, linewidth=1.8, linestyle=VACANCY_DASHES)
    square.set_label(r"$V_\mathrm{O}$")
    return [*handles, square]


class SquareHandler(HandlerPatch):
    """Draws a legend's rectangle as a square, without the stretch to the handle's box."""

    def create_artists(  # noqa: D102, PLR0917 - of matplotlib
        self,
        legend: Legend,
        orig_handle: Artist,
        xdescent: float,
        ydescent: float,
        width: float,
        height: float,
        fontsize: float,
        trans: Transform,
    ) -> list[Artist]:
        side = 1.3 * fontsize
        corner = ((width - side) / 2 - xdescent, (height - side) / 2 - ydescent)
        square = Rectangle(corner, side, side, transform=trans)
        self.update_prop(square, orig_handle, legend)
        square.set_transform(trans)
        return [square]
