"""Single sites as points of a figure: set by marker and colour, lithiation by filling."""

from collections.abc import Iterable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from vacancy_flows.analysis.curves import cell_names
from vacancy_flows.analysis.figure_style import COLOURS, MARKERS

STATES = ("lithiated", "delithiated")
"""Values of the column `lithiation`: drawn filled and open."""
REGIONS = ("boundary", "bulk")
"""Values of the column `region`."""
CHARGE_LABEL = "net charge of O (e)"
"""Axis label of the net charge of the O that is removed, in the pristine cell."""

_GREY = "0.6"  # of points that are no result


class PointLook(NamedTuple):
    """Colour and marker of one group of sites."""

    colour: str
    marker: str


def site_points(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the optional columns in place and checked.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies with the columns of `vacancy_flows.analysis.formation.VACANCY_COLUMNS`;
        `net_charge` (e), `position_b_A` (Å), `set`, `lithiation` and `region` may be absent or
        empty.

    Returns
    -------
    pandas.DataFrame
        The same rows. Where empty, `lithiation` is "" and `region` "boundary". A text column
        `group` says what a point is coloured by: the set, else "bulk", else the host's cell.

    Raises
    ------
    ValueError
        For another lithiation or region than is known.
    """
    points = table.reset_index(drop=True)
    for column in ("net_charge", "position_b_A"):
        values = points.get(column, np.nan)
        points[column] = pd.Series(values, index=points.index, dtype=float)
    for column, empty in (("set", ""), ("lithiation", ""), ("region", "boundary")):
        text = points.get(column, None)
        points[column] = pd.Series(text, index=points.index, dtype=object).fillna(empty)
    for column, known in (("lithiation", STATES), ("region", REGIONS)):
        for value in sorted(set(points[column].astype(str)) - {*known, ""}):
            raise ValueError(
                f"{column} {value!r} is unknown; use {' or '.join(known)}, or leave it empty"
            )
    named = points["set"].astype(str)
    bulk = points["region"] == "bulk"
    host = cell_names(points).mask(bulk, "bulk")
    points["group"] = named.where(named != "", host)
    return points


def group_looks(groups: Iterable[str]) -> dict[str, PointLook]:
    """Give each group a colour and a marker.

    Parameters
    ----------
    groups : iterable of str
        Names, repeated as they come.

    Returns
    -------
    dict of str to PointLook
        In alphabetical order, "bulk" last; colours and markers repeat out of step.
    """
    names = sorted(set(groups), key=lambda name: (name == "bulk", name))
    return {
        name: PointLook(COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(names)
    }


def draw_points(
    panel: Axes, points: pd.DataFrame, x: str, y: str, looks: dict[str, PointLook]
) -> None:
    """Draw one marker per row: filled or open by lithiation, crossed out where not converged.

    Parameters
    ----------
    panel : matplotlib.axes.Axes
        Where to draw.
    points : pandas.DataFrame
        From `site_points`; `converged` tells which rows are results.
    x, y : str
        Columns; rows without one of them are not drawn.
    looks : dict of str to PointLook
        From `group_looks`.
    """
    points = points.dropna(subset=[x, y])
    for (name, look), state in product(looks.items(), ("", *STATES)):
        chosen = points[(points["group"] == name) & (points["lithiation"] == state)]
        good, bad = chosen[chosen["converged"]], chosen[~chosen["converged"]]
        identity = f"{name}_{state or 'any'}".replace(" ", "_")
        if len(good):
            line = marks(look, good[x], good[y], is_open=state == "delithiated")
            line.set_gid(f"points_{identity}")
            panel.add_line(line)
        if len(bad):
            for part in crossed(look, bad[x], bad[y], is_open=state == "delithiated"):
                part.set_gid(f"not_converged_{identity}")
                panel.add_line(part)


def marks(
    look: PointLook,
    x: ArrayLike = (),
    y: ArrayLike = (),
    *,
    is_open: bool = False,
    label: str | None = None,
) -> Line2D:
    """Return markers that no line joins.

    Parameters
    ----------
    look : PointLook
        Colour and marker.
    x, y : array_like
        (n,) each; empty for a legend entry.
    is_open : bool
        White inside instead of coloured.
    label : str, optional
        For the legend.

    Returns
    -------
    matplotlib.lines.Line2D
    """
    return Line2D(
        np.asarray(x, dtype=float),
        np.asarray(y, dtype=float),
        color=look.colour,
        marker=look.marker,
        linestyle="none",
        markerfacecolor="white" if is_open else look.colour,
        markeredgewidth=1.2,
        markersize=6.0,
        label=label,
        zorder=3,
    )


def crossed(
    look: PointLook, x: ArrayLike = (), y: ArrayLike = (), *, is_open: bool = False
) -> tuple[Line2D, Line2D]:
    """Return markers of points that are no result: grey, with a cross over them.

    Parameters
    ----------
    look : PointLook
        Of which the marker is kept.
    x, y : array_like
        (n,) each; empty for a legend entry.
    is_open : bool
        White inside instead of pale grey.

    Returns
    -------
    tuple of matplotlib.lines.Line2D
        The grey markers and the crosses.
    """
    below = marks(look._replace(colour=_GREY), x, y, is_open=is_open)
    if not is_open:
        below.set_markerfacecolor("0.88")
    cross = marks(PointLook("0.15", "x"), x, y)
    cross.set(markersize=8.5, markeredgewidth=0.9)
    return below, cross


def legend_entries(
    points: pd.DataFrame, looks: dict[str, PointLook]
) -> tuple[list[Any], list[str]]:
    """Return handles and labels: the groups, what filling means, the cross.

    Parameters
    ----------
    points : pandas.DataFrame
        The rows drawn, from `site_points`.
    looks : dict of str to PointLook
        From `group_looks`.

    Returns
    -------
    tuple of list
        Handles and labels, for matplotlib's `legend`.
    """
    handles: list[Any] = [marks(look) for look in looks.values()]
    labels = list(looks)
    grey = PointLook("0.35", "o")
    for state, is_open in zip(STATES, (False, True), strict=True):
        if (points["lithiation"] == state).any():
            handles.append(marks(grey, is_open=is_open))
            labels.append(f"{'open' if is_open else 'filled'}: {state}")
    if not points["converged"].all():
        handles.append(crossed(grey))
        labels.append("not converged")
    return handles, labels


def point_notes(points: pd.DataFrame, drawn: pd.DataFrame, needed: str) -> list[str]:
    """Count for the footer what is no result and what is not drawn.

    Parameters
    ----------
    points : pandas.DataFrame
        All rows.
    drawn : pandas.DataFrame
        Those of them in the figure.
    needed : str
        What a row needs to be drawn, such as "E_f and net charge".

    Returns
    -------
    list of str
        Empty where there is nothing to say.
    """
    unconverged, left_out = int((~drawn["converged"]).sum()), len(points) - len(drawn)
    notes = []
    if unconverged:
        notes.append(f"Not converged: {unconverged} of {len(drawn)} points, crossed, no result.")
    if left_out:
        notes.append(f"Not drawn: {left_out} rows without {needed}.")
    return notes
