"""Which rational planes of two turned grains fit together: the table of matches."""

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.boundaries.frame import (
    View,
    primitive_bulk,
    view,
)
from vacancy_flows.structures.boundaries.lines import (
    ROUNDING,
    Lines,
    lattice_lines,
    line_pairs,
    line_side,
)
from vacancy_flows.structures.boundaries.match import (
    Limits,
    Match,
    Orientation,
)

_SHOWN = 5  # near misses
_LOOKED_AT = 500
_MOST = 10_000


def find_matches(
    bulk: Structure,
    orientation: Orientation,
    limits: Limits | None = None,
    *,
    thickness: float = 9.4,
    planes: tuple[int, int] | None = None,
    depth: int = 1,
) -> list[Match]:
    """List the pairs of rational planes that fit near the angles asked for.

    Parameters
    ----------
    bulk
        Crystal of both grains.
    orientation
        Axis, up and angles.
    limits
        Width, strain, shear, tolerance; None for the defaults.
    thickness
        Of each grain, Å; the nearest whole number of lattice planes is taken.
    planes
        Instead of it: lattice planes of the top and of the bottom grain.
    depth
        Repeats of the lattice along the zone axis.

    Returns
    -------
    list of Match
        The smallest cells first; of equal ones that of the least strain.

    Raises
    ------
    ValueError
        For axes that are no lattice directions or not perpendicular, a thickness below one
        plane, and where nothing fits: then the nearest are listed with the limit to loosen.
    """
    limits = limits or Limits()
    if not (math.isfinite(orientation.top_angle) and math.isfinite(orientation.bottom_angle)):
        raise ValueError(
            f"The angles {orientation.top_angle} and {orientation.bottom_angle} must be degrees."
        )
    if depth < 1 or depth != int(depth):
        raise ValueError(f"depth = {depth}: give a whole number of repeats, at least 1.")
    seen = view(primitive_bulk(bulk), orientation.axis, orientation.up, orientation.up_plane)
    lines = [lattice_lines(seen, angle, limits) for angle in _angles(orientation)]
    pairs = line_pairs(lines[0], lines[1], limits.strain)
    if len(pairs) > _MOST:
        raise ValueError(
            f"{len(pairs)} pairs of lattice lines fit within {limits}: choose a smaller width, "
            "strain or tolerance."
        )
    found = [_match(seen, lines, pair, orientation, depth) for pair in pairs]
    fitting = _without_multiples([match for match in found if not _excesses(match, limits)])
    if not fitting:
        raise ValueError(_nothing_fits(seen, limits, orientation))
    counted = [_counted(seen, match, thickness, planes, depth) for match in fitting]
    return sorted(counted, key=lambda m: (m.n_atoms, round(abs(m.strain), 6), m.top.plane))


def match_table(matches: Sequence[Match]) -> str:
    """Return matches as text, one numbered line each."""
    return "\n".join(f"{i}: {match}" for i, match in enumerate(matches))


def _angles(orientation: Orientation) -> tuple[float, float]:
    return orientation.top_angle, orientation.bottom_angle


def _match(
    seen: View, lines: list[Lines], pair: np.ndarray, orientation: Orientation, depth: int
) -> Match:
    """Pair two lines; the bottom's offset is taken nearest to the top's."""
    top, bottom = (line_side(seen, side, int(i)) for side, i in zip(lines, pair, strict=True))
    turns = round((top.offset - bottom.offset) / seen.period)
    line = np.array(bottom.line) + turns * seen.basis[0]
    bottom = replace(
        bottom,
        offset=bottom.offset + turns * seen.period,
        line=(int(line[0]), int(line[1]), int(line[2])),
    )
    mean = (top.width + bottom.width) / 2
    return Match(
        top=top,
        bottom=bottom,
        strain=(top.width - bottom.width) / mean,
        shear=(top.offset - bottom.offset) / mean,
        misorientation=abs(top.angle - bottom.angle),
        depth=depth * seen.period,
        n_atoms=0,
        orientation=orientation,
        repeats=depth,
    )


def _excesses(match: Match, limits: Limits) -> list[tuple[float, str]]:
    """List what a match exceeds: ratio to the limit, and the limit to loosen."""
    deviation = max(abs(match.top.deviation), abs(match.bottom.deviation))
    checked = (
        ("width", max(match.top.width, match.bottom.width), limits.width),
        ("strain", abs(match.strain), limits.strain),
        ("shear", abs(match.shear), limits.shear),
        ("tolerance", deviation, limits.tolerance),
    )
    return [
        (value / max(limit, 1e-6), f"{name} {value:.4g} (limit {limit:g})")
        for name, value, limit in checked
        if value > limit + ROUNDING
    ]


def _without_multiples(matches: list[Match]) -> list[Match]:
    """Drop matches that repeat a shorter one of the list, which is sorted by width."""
    kept: dict[tuple[object, ...], Match] = {}
    for match in matches:
        ratio = Fraction(match.top.repeats, match.bottom.repeats)
        kept.setdefault((match.top.plane, match.bottom.plane, ratio), match)
    return list(kept.values())


def _counted(
    seen: View, match: Match, thickness: float, planes: tuple[int, int] | None, depth: int
) -> Match:
    """Add the numbers of planes and atoms."""
    sides = []
    for name, side, given in zip(
        ("top", "bottom"), (match.top, match.bottom), planes or (None, None), strict=True
    ):
        if given is None and not (math.isfinite(thickness) and thickness >= side.spacing):
            raise ValueError(
                f"thickness = {thickness} Å is below one plane of the {name} grain: planes "
                f"{side.plane} are {side.spacing:.3f} Å apart. Give a larger thickness."
            )
        number = round(thickness / side.spacing) if given is None else given
        if number < 1 or number != int(number):
            raise ValueError(f"planes = {planes}: give at least one whole plane per grain.")
        sides.append(replace(side, planes=int(number)))
    top, bottom = sides
    cells = depth * (top.repeats * top.planes + bottom.repeats * bottom.planes)
    return replace(match, top=top, bottom=bottom, n_atoms=cells * len(seen.bulk.species))


def _nothing_fits(seen: View, limits: Limits, orientation: Orientation) -> str:
    """Message with the nearest few pairs and the limits each asks to loosen."""
    wide = replace(
        limits, width=min(200.0, 2 * limits.width), tolerance=min(20.0, 2 * limits.tolerance)
    )
    lines = [lattice_lines(seen, angle, wide) for angle in _angles(orientation)]
    near = line_pairs(lines[0], lines[1], max(2 * limits.strain, 0.05))[:_LOOKED_AT]
    pairs = [_match(seen, lines, pair, orientation, 1) for pair in near]
    reasons = [sorted(_excesses(pair, limits), reverse=True) for pair in pairs]
    order = sorted(range(len(pairs)), key=lambda i: reasons[i][0])
    nearest: dict[str, str] = {}
    for i in order:
        loosen = " and ".join(text for _, text in reasons[i])
        widths = f"widths {pairs[i].top.width:.2f} / {pairs[i].bottom.width:.2f} Å"
        nearest.setdefault(pairs[i].planes, f"{pairs[i].planes}, {widths}: loosen {loosen}")
        if len(nearest) == _SHOWN:
            break
    return (
        f"No match for axis {list(orientation.axis)}, angles {orientation.top_angle:g}° and "
        f"{orientation.bottom_angle:g}° within width {limits.width:g} Å, strain "
        f"{limits.strain:g}, shear {limits.shear:g}, tolerance {limits.tolerance:g}°. Nearest: "
        + ("; ".join(nearest.values()) or "none within twice the width and tolerance")
        + ". The axis is signed: the opposite one may match."
    )
