"""Lattice lines of a turned grain that lie near the boundary direction."""

import math
from dataclasses import dataclass

import numpy as np

from vacancy_flows.structures.boundaries.frame import View, plane_indices
from vacancy_flows.structures.boundaries.match import Limits, Side

ROUNDING = 1e-9
"""By which a limit (Å, degrees, a ratio) may be exceeded: rounding must not decide."""
_WIDER = 2 * ROUNDING  # what is looked for holds all that is within a limit


@dataclass(frozen=True)
class Lines:
    """Lattice lines near the boundary direction of one grain, L of them.

    `angle` asked for; `pairs` (L, 2) int in the projected vectors P, Q; `tilts` (L,) degrees
    off the direction; `widths` (L,) Å.
    """

    angle: float
    pairs: np.ndarray
    tilts: np.ndarray
    widths: np.ndarray


def lattice_lines(seen: View, angle: float, limits: Limits) -> Lines:
    """Find the lattice lines near the boundary direction of a grain turned by `angle`."""
    turn = math.radians(angle)
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    lattice = seen.components[1:, 1:] @ rotation
    width, tolerance = limits.width + _WIDER, limits.tolerance + _WIDER
    reach = np.floor(width * np.linalg.norm(np.linalg.inv(lattice), axis=0)).astype(int)
    grid = np.stack(
        np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1
    ).reshape(-1, 2)
    points = grid @ lattice
    length = np.linalg.norm(points, axis=1)
    tilt = np.degrees(np.arctan2(points[:, 1], points[:, 0]))
    near = (length > 0) & (length <= width) & (np.abs(tilt) <= tolerance)
    return Lines(angle, grid[near], tilt[near], length[near])


def line_pairs(top: Lines, bottom: Lines, strain: float) -> np.ndarray:
    """Return indices (K, 2) of lines whose widths agree within a strain, the shortest first."""
    mean = (top.widths[:, None] + bottom.widths) / 2
    pairs = np.argwhere(np.abs(top.widths[:, None] - bottom.widths) <= (strain + _WIDER) * mean)
    return pairs[np.argsort(mean[tuple(pairs.T)], kind="stable")]


def line_side(seen: View, lines: Lines, i: int) -> Side:
    """Describe one line."""
    m, n = (int(value) for value in lines.pairs[i])
    width, tilt = float(lines.widths[i]), float(lines.tilts[i])
    repeats = math.gcd(m, n)
    line = m * seen.basis[1] + n * seen.basis[2]
    along = float(m * seen.components[1, 0] + n * seen.components[2, 0])
    back = math.floor(along / seen.period + 0.5 - 1e-9)
    line = line - back * seen.basis[0]
    # With z up and x to the viewer, x × w points up.
    plane = plane_indices(seen.bulk, seen.basis[0], (m * seen.basis[1] + n * seen.basis[2]))
    volume = abs(float(np.linalg.det(seen.bulk.lattice)))
    return Side(
        plane=plane,
        width=width,
        angle=lines.angle - tilt,
        deviation=-tilt,
        spacing=volume * repeats / (seen.period * width),
        repeats=repeats,
        planes=0,
        line=(int(line[0]), int(line[1]), int(line[2])),
        offset=along - back * seen.period,
    )
