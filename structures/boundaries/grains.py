"""A grain as a whole number of lattice planes: nothing is deleted, the composition is exact."""

import math
from dataclasses import dataclass

import numpy as np

from vacancy_flows.structures.boundaries.frame import Bulk, View, extended_gcd
from vacancy_flows.structures.boundaries.match import Match, Side

LAYER = 0.05
"""Atoms whose heights differ by less (Å) are one layer: no termination cuts between them.

Small enough to cut between the two O of (012), 0.08 Å apart: that grain is not polar, and its tilt
has the lowest energy (CHGNet, LiCoO2: 1.03 J/m² against 1.10 and more)."""


@dataclass(frozen=True)
class Termination:
    """Where a grain is cut, between two atomic layers.

    Attributes
    ----------
    cut
        Height of the cut in plane spacings, from the lattice points.
    name
        Elements of the layer below and above the cut, for example ``"O|CoLi"``: a grain ends
        with the first and begins with the second.
    """

    cut: float
    name: str


@dataclass(frozen=True)
class Slab:
    """Atoms of one grain in the common frame: x the zone axis, y in the plane, z the normal.

    Attributes
    ----------
    species
        Symbols, N.
    positions
        (N, 3), Å; z from 0 to `height`.
    height
        Thickness, Å.
    step
        (2,) lateral shift, Å, from the lattice points below the slab to those above it.
    repeat
        (2,) lateral primitive repeat within the plane, Å.
    terminations
        All terminations of its lattice planes.
    """

    species: tuple[str, ...]
    positions: np.ndarray
    height: float
    step: np.ndarray
    repeat: np.ndarray
    terminations: tuple[Termination, ...]


def terminations(
    bulk: Bulk, indices: np.ndarray, spacing: float, layer: float = LAYER
) -> tuple[Termination, ...]:
    """List the distinct cuts between the atomic layers of a family of planes.

    Parameters
    ----------
    bulk
        The crystal.
    indices
        (3,) int, the planes in primitive reciprocal vectors, without common factor.
    spacing
        Of the lattice planes, Å.
    layer
        Atoms whose heights differ by less (Å) are one layer.

    Returns
    -------
    tuple of Termination
        By height, from 0 on.
    """
    heights = np.round(bulk.positions @ indices, 9) % 1.0
    order = np.argsort(heights, kind="stable")
    values = heights[order]
    gaps = np.diff(values, append=values[0] + 1.0)
    limit = min(layer / spacing, float(gaps.max()) - 1e-6)
    ends = np.flatnonzero(gaps > limit)
    found = []
    for number, end in enumerate(ends):
        following = int(ends[(number + 1) % len(ends)])
        previous = int(ends[number - 1])
        below = _layer(bulk, order, previous, int(end))
        above = _layer(bulk, order, int(end), following)
        cut = float(values[end] + gaps[end] / 2)
        found.append(Termination(round(cut % 1.0, 9) % 1.0, f"{below}|{above}"))
    return tuple(sorted(found, key=lambda t: t.cut))


def _layer(bulk: Bulk, order: np.ndarray, after: int, last: int) -> str:
    """Elements from the atom after `after` to `last`, round the period, in alphabetical order."""
    count = (last - after - 1) % len(order) + 1
    members = {bulk.species[int(order[(after + 1 + i) % len(order)])] for i in range(count)}
    return "".join(sorted(members))


def plane_step(line: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Lattice vector (3,) int from one lattice plane to the next, upwards.

    Parameters
    ----------
    line, axis
        (3,) int, a repeat within the plane and the zone axis, part of a lattice basis in
        primitive vectors; axis × line points up.
    """
    h, k, m = (int(v) for v in np.cross(axis, line))
    g, s, t = extended_gcd(h, k)
    _, p, q = extended_gcd(g, m)
    return np.array([p * s, p * t, q])


def cut_grain(seen: View, match: Match, side: Side, termination: int = 0) -> Slab:
    """Cut one grain of a match, strained to the common cell.

    Parameters
    ----------
    seen
        The bulk along the zone axis.
    match
        The pair of planes, for the common cell.
    side
        ``match.top`` or ``match.bottom``.
    termination
        Index into the slab's terminations.

    Returns
    -------
    Slab

    Raises
    ------
    ValueError
        For a termination that the plane does not have.
    """
    axis = seen.basis[0]
    _, m, n = (round(float(v)) for v in np.array(side.line) @ np.linalg.inv(seen.basis))
    line = (m * seen.basis[1] + n * seen.basis[2]) // math.gcd(m, n)
    to_frame = strained_frame(seen, match, side)
    step = plane_step(line, axis)
    for vector, component in ((line, 1), (axis, 0)):
        lengths = step @ to_frame, vector @ to_frame
        step = step - math.floor(lengths[0][component] / lengths[1][component] + 0.5) * vector
    known = terminations(seen.bulk, np.cross(axis, line), side.spacing)
    if not 0 <= termination < len(known):
        raise ValueError(
            f"Termination {termination} of plane {side.plane} does not exist: there are "
            f"{len(known)}, " + ", ".join(f"{i} {t.name}" for i, t in enumerate(known)) + "."
        )
    cut = known[termination].cut
    basis = np.array([axis, line, step])
    motif = seen.bulk.positions @ np.linalg.inv(basis)
    motif[:, 2] = (motif[:, 2] - cut) % 1.0 + cut
    sizes = (match.repeats, side.repeats, side.planes)
    points = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, 3)
    positions = (motif[:, None] + points).reshape(-1, 3) @ basis @ to_frame
    positions[:, 2] -= cut * side.spacing
    return Slab(
        species=tuple(symbol for symbol in seen.bulk.species for _ in points),
        positions=positions,
        height=side.planes * side.spacing,
        step=side.planes * (step @ to_frame)[:2],
        repeat=(line @ to_frame)[:2],
        terminations=known,
    )


def strained_frame(seen: View, match: Match, side: Side) -> np.ndarray:
    """Primitive vectors (3, 3) in the common frame, Å, turned and strained.

    The grain is turned by ``side.angle``, so that its plane is exactly horizontal; then its
    repeat is brought to the common width and offset, its thickness left as it is.
    """
    turn = math.radians(side.angle)
    cosine, sine = math.cos(turn), math.sin(turn)
    rotation = np.array([[1.0, 0, 0], [0, cosine, sine], [0, -sine, cosine]])
    stretch = np.eye(3)
    stretch[1, :2] = (match.offset - side.offset) / side.width, match.width / side.width
    frame: np.ndarray = np.linalg.inv(seen.basis) @ seen.components @ rotation @ stretch
    return frame
