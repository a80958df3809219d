"""Bicrystals: two grains stacked, with two boundaries or with vacuum instead of the second."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.boundaries.frame import primitive_bulk, view
from vacancy_flows.structures.boundaries.grains import Slab, cut_grain
from vacancy_flows.structures.boundaries.match import Match, Side
from vacancy_flows.structures.boundaries.overlap import spheres
from vacancy_flows.structures.boundaries.push import pushed_until_clear
from vacancy_flows.structures.prepare import MAX_ATOMS

Shift = tuple[float, float]


@dataclass(frozen=True)
class Placement:
    """How two grains meet.

    Attributes
    ----------
    terminations
        Indices of the cuts of the top and of the bottom grain.
    translations
        Å along x (the zone axis) and y: of the top grain over the bottom one (boundary 1), and
        of the next bottom grain over the top one (boundary 2). Zero continues the lattice.
    gaps
        Å by which boundaries 1 and 2 are widened.
    vacuum
        Å instead of boundary 2, or None.
    overlap
        Squared soft-sphere overlap of both boundaries, Å² per cell of one axis repeat.
    """

    terminations: tuple[int, int] = (0, 0)
    translations: tuple[Shift, Shift] = ((0.0, 0.0), (0.0, 0.0))
    gaps: Shift = (0.0, 0.0)
    vacuum: float | None = None
    overlap: float = 0.0


def bicrystal(bulk: Structure, match: Match, placement: Placement | None = None) -> Structure:
    """Stack the two grains of a match; atoms stay where the lattices put them.

    Parameters
    ----------
    bulk
        The crystal of both grains.
    match
        From `find_matches`.
    placement
        Terminations, translations, gaps, vacuum; None continues the lattice. With equal angles
        that gives back the perfect bulk.

    Returns
    -------
    Structure
        a along the zone axis, b in the boundary, c* its normal; boundary 1 near half the
        height, boundary 2 at the cell's edge. Site property ``grain`` (``"bottom"`` or
        ``"top"``) and ``properties["boundary"]``, JSON types only: how it was built, planes,
        angles, strains, and under ``"planes"`` the fractional coordinate along c of each
        boundary. The composition is a whole multiple of the bulk's.

    Raises
    ------
    ValueError
        For terminations that do not exist, gaps below zero, vacuum that is not positive, and
        more than `MAX_ATOMS` atoms.
    """
    placement = placement or Placement()
    vacuum = placement.vacuum
    if min(placement.gaps) < 0 or (vacuum is not None and not vacuum > 0):
        raise ValueError(
            f"Gaps {placement.gaps} must not be negative and vacuum {vacuum} be positive (or None)."
        )
    if match.n_atoms > MAX_ATOMS:
        raise ValueError(
            f"{match}: more than {MAX_ATOMS} atoms; choose a smaller width, thickness or depth."
        )
    asked = match.orientation
    seen = view(primitive_bulk(bulk), asked.axis, asked.up, asked.up_plane)
    bottom = cut_grain(seen, match, match.bottom, placement.terminations[1])
    top = cut_grain(seen, match, match.top, placement.terminations[0])
    rows, lift, fractions = _cell(match, bottom, top, placement)
    positions = np.vstack([bottom.positions, top.positions + lift])
    species = bottom.species + top.species
    order = sorted(range(len(species)), key=lambda i: _rank(bulk, species[i]))
    fractional = positions[order] @ np.linalg.inv(rows)
    grains = ["bottom"] * len(bottom.species) + ["top"] * len(top.species)
    return Structure(
        rows,
        [species[i] for i in order],
        np.round(fractional, 12) % 1.0,
        site_properties={"grain": [grains[i] for i in order]},
        properties={"boundary": _description(match, placement, bottom, top, fractions)},
    )


def relaxed_apart(bulk: Structure, match: Match, placement: Placement) -> Structure:
    """Build a bicrystal with its overlaps pushed apart.

    Where pairs stay too close (M-O 1.7, O-O 2.3, M-M 2.3 Å, or 85 % of the bulk's own distances
    where those are smaller), the boundaries are widened further.

    Parameters
    ----------
    bulk, match, placement
        As for `bicrystal`.

    Returns
    -------
    Structure
        As from `bicrystal`; ``properties["boundary"]`` also has ``"closest"`` (Å) and
        ``"pushed"`` (largest displacement, Å).

    Raises
    ------
    ValueError
        Where 2 Å more do not suffice, and as `bicrystal`.
    """
    compression = max(abs(_strain(match, side)) for side in (match.top, match.bottom))
    distances = spheres(bulk, compression + abs(match.shear))

    def widened(added: float) -> Structure:
        gaps = (placement.gaps[0] + added, placement.gaps[1] + added)
        return bicrystal(bulk, match, replace(placement, gaps=gaps))

    return pushed_until_clear(widened, distances)


def _cell(
    match: Match, bottom: Slab, top: Slab, placement: Placement
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Lattice rows, the vector that lifts the top grain, and fractions of the boundaries."""
    a = np.array([match.depth, 0.0, 0.0])
    b = np.array([match.offset, match.width, 0.0])
    (first, second), (gap, other) = placement.translations, placement.gaps
    solid = bottom.height + top.height + gap
    lift = np.append(bottom.step + first, bottom.height + gap)
    if placement.vacuum is not None:
        height = solid + placement.vacuum
        return np.array([a, b, [0, 0, height]]), lift, [(bottom.height + gap / 2) / height]
    height = solid + other
    lateral = lift[:2] + top.step + second
    lateral = lateral - math.floor(lateral[1] / match.width + 0.5 - 1e-9) * b[:2]
    lateral = lateral - math.floor(lateral[0] / match.depth + 0.5 - 1e-9) * a[:2]
    lateral[np.abs(lateral) < 1e-4] = 0.0  # translations are rounded
    fractions = [(bottom.height + gap / 2) / height, (1 - other / 2 / height) % 1.0]
    return np.array([a, b, [*lateral, height]]), lift, fractions


def _rank(bulk: Structure, symbol: str) -> int:
    """Order of an element: that of the bulk."""
    symbols = [site.specie.symbol for site in bulk]
    return symbols.index(symbol)


def _strain(match: Match, side: Side) -> float:
    return match.width / side.width - 1


def _description(
    match: Match, placement: Placement, bottom: Slab, top: Slab, fractions: list[float]
) -> dict[str, Any]:
    """Provenance in JSON types; ``builder`` is what makes the cell, and so its identity."""
    asked = match.orientation
    return {
        "kind": "bicrystal",
        "builder": {
            "axis": list(asked.axis),
            "up": None if asked.up is None else list(asked.up),
            "up_plane": None if asked.up_plane is None else list(asked.up_plane),
            "top_angle": asked.top_angle,
            "bottom_angle": asked.bottom_angle,
            "repeats": match.repeats,
            "planes": [match.top.planes, match.bottom.planes],
            "lines": [list(match.top.line), list(match.bottom.line)],
            "terminations": list(placement.terminations),
            "translations": [[round(v, 6) for v in shift] for shift in placement.translations],
            "gaps": [round(gap, 6) for gap in placement.gaps],
            "vacuum": placement.vacuum,
        },
        "grains": {
            "top": _grain(match, match.top, top, placement.terminations[0]),
            "bottom": _grain(match, match.bottom, bottom, placement.terminations[1]),
        },
        "misorientation": round(match.misorientation, 6),
        "mismatch": round(match.strain, 8),
        "shear": round(match.shear, 8),
        "overlap": round(placement.overlap, 6),
        "normal": [0.0, 0.0, 1.0],
        "axis": [1.0, 0.0, 0.0],
        "planes": [
            {"boundary": i, "fraction": round(fraction, 12)}
            for i, fraction in enumerate(fractions, 1)
        ],
    }


def _grain(match: Match, side: Side, slab: Slab, termination: int) -> dict[str, Any]:
    return {
        "plane": list(side.plane),
        "angle": round(side.angle, 6),
        "deviation": round(side.deviation, 6),
        "planes": side.planes,
        "spacing": round(side.spacing, 6),
        "width": round(side.width, 6),
        "strain": round(_strain(match, side), 8),
        "shear": round((match.offset - side.offset) / side.width, 8),
        "termination": slab.terminations[termination].name,
    }
