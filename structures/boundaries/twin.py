"""Mirror twins on any rational plane: a slab of whole lattice planes and its reflection."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.boundaries.frame import IntVector, primitive_bulk
from vacancy_flows.structures.boundaries.grains import Termination, terminations
from vacancy_flows.structures.boundaries.overlap import overlap, spheres
from vacancy_flows.structures.boundaries.plane import PlaneFrame, plane_frame
from vacancy_flows.structures.boundaries.push import pushed_until_clear

SNAP = 0.35
"""Atoms within this distance (Å) of a mirror go onto it (boundaries.md)."""

_LAYER = 0.3  # Å, of atoms that a mirror takes as one layer


def twins(
    bulk: Structure,
    plane: IntVector,
    *,
    thickness: float = 8.0,
    planes: int | None = None,
    axis: IntVector | None = None,
    repeats: tuple[int, int] = (1, 1),
    keep: int = 1,
) -> list[Structure]:
    """Build mirror twins on a plane, one for each height at which the mirror may lie.

    Planes 0 to N of the crystal are reflected; planes 0 and N are the mirrors and shared, so
    that the cell has 2N planes and exactly their composition, without strain. The mirror lies
    in an atomic layer or between two; the least soft-sphere overlap comes first.

    Parameters
    ----------
    bulk
        The crystal.
    plane
        Twin plane (hkl) in the bulk's reference axes (see `primitive_bulk`).
    thickness
        Of each grain, Å; the nearest whole number of planes is taken.
    planes
        Instead of it: N.
    axis
        Lattice direction [uvw] in the plane along which a lies; None for the shortest.
    repeats
        Of the two repeats within the plane.
    keep
        Cells wanted.

    Returns
    -------
    list of Structure
        a and b within the plane, c normal to it; mirrors at fractions 1/2
        (boundary 1) and 0 (boundary 2) of c. Site property ``grain``: ``"bottom"``, ``"top"`` or
        ``"shared"``; ``properties["boundary"]`` as of `bicrystal`.

    Raises
    ------
    ValueError
        For indices that are not whole, an axis that is not in the plane, a thickness below one
        plane, and where atoms stay too close.
    """
    frame = plane_frame(primitive_bulk(bulk), plane, axis)
    if planes is None and not (math.isfinite(thickness) and thickness >= frame.spacing):
        raise ValueError(
            f"thickness = {thickness} Å is below one plane: planes {tuple(plane)} are "
            f"{frame.spacing:.3f} Å apart. Give a larger thickness."
        )
    number = round(thickness / frame.spacing) if planes is None else planes
    whole_numbers = all(value >= 1 and value == int(value) for value in (number, *repeats, keep))
    if not whole_numbers:
        raise ValueError(
            f"planes = {planes}, repeats = {tuple(repeats)} and keep = {keep} must be positive "
            "whole numbers."
        )
    distances = spheres(bulk)
    heights = mirror_heights(frame)
    choices = [_Choice(plane, number, repeats, height) for height in heights]
    built = [_twin(bulk, frame, choice, 0.0) for choice in choices]
    order = sorted(range(len(built)), key=lambda i: (round(overlap(built[i], distances), 6), i))
    found = []
    for i in order[:keep]:

        def widened(gap: float, choice: _Choice = choices[i]) -> Structure:
            return _twin(bulk, frame, choice, gap)

        cell = pushed_until_clear(widened, distances)
        cell.properties["boundary"]["overlap"] = round(overlap(built[i], distances), 6)
        found.append(cell)
    return found


def mirror_heights(frame: PlaneFrame) -> tuple[Termination, ...]:
    """Heights at which a mirror may lie: in the middle of each layer, and between layers.

    Parameters
    ----------
    frame
        The planes.

    Returns
    -------
    tuple of Termination
        ``cut`` in plane spacings; ``name`` the elements in the mirror, or those beside it.
    """
    cuts = terminations(frame.bulk, frame.indices, frame.spacing, _LAYER)
    heights = np.round(frame.bulk.positions @ frame.indices, 9) % 1.0
    found = list(cuts)
    for number, cut in enumerate(cuts):
        following = cuts[(number + 1) % len(cuts)].cut
        width = (following - cut.cut) % 1.0 or 1.0
        inside = [(h - cut.cut) % 1.0 for h in heights if (h - cut.cut) % 1.0 < width]
        middle = (min(inside) + max(inside)) / 2
        name = cut.name.split("|")[1]
        found.append(Termination(round(float(cut.cut + middle) % 1.0, 9) % 1.0, name))
    return tuple(found)


@dataclass(frozen=True)
class _Choice:
    """What makes one twin: plane (hkl), N, repeats within the plane, and where the mirror is."""

    plane: IntVector
    number: int
    repeats: tuple[int, int]
    mirror: Termination


def _twin(bulk: Structure, frame: PlaneFrame, choice: _Choice, gap: float) -> Structure:
    """One twin; both boundaries widened by `gap`, Å."""
    number, repeats = choice.number, choice.repeats
    height = number * frame.spacing + gap
    species, positions, on_mirror = _half(frame, choice, gap)
    reflected = positions[~on_mirror] * [1, 1, -1]
    rows = np.diag([1.0, 1.0, 2 * height])
    rows[0, :2] = repeats[0] * frame.rows[0, :2]
    rows[1, :2] = repeats[1] * frame.rows[1, :2]
    symbols = [*species, *(s for s, on in zip(species, on_mirror, strict=True) if not on)]
    grains = ["shared" if on else "bottom" for on in on_mirror] + ["top"] * len(reflected)
    fractional = np.vstack([positions, reflected]) @ np.linalg.inv(rows)
    elements = [site.specie.symbol for site in bulk]
    order = sorted(range(len(symbols)), key=lambda i: elements.index(symbols[i]))
    return Structure(
        rows,
        [symbols[i] for i in order],
        np.round(fractional[order], 12) % 1.0,
        site_properties={"grain": [grains[i] for i in order]},
        properties={"boundary": _description(frame, choice, gap)},
    )


def _half(
    frame: PlaneFrame, choice: _Choice, gap: float
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Species, positions (Å, z from 0 to the second mirror) and whether each is on a mirror."""
    number = choice.number
    snap = min(SNAP, 0.49 * frame.spacing) / frame.spacing
    motif = frame.bulk.positions @ np.linalg.inv(frame.basis)
    shifted = motif - [0.0, 0.0, choice.mirror.cut]
    motif = shifted.copy()
    motif[:, 2] = (shifted[:, 2] + snap) % 1.0 - snap  # those near a mirror start below it
    near = np.abs(motif[:, 2]) <= snap
    species: list[str] = []
    positions, on_mirror = [], []
    for symbol, point, is_near in zip(frame.bulk.species, motif, near, strict=True):
        for layer in range(number + 1 if is_near else number):
            snapped = bool(is_near and layer in (0, number))
            cartesian = (point + np.array([0, 0, layer])) @ frame.rows
            cartesian[2] += gap / 2
            if snapped:
                cartesian[2] = 0.0 if layer == 0 else number * frame.spacing + gap
            for i, j in np.ndindex(*choice.repeats):
                species.append(symbol)
                positions.append(cartesian + i * frame.rows[0] + j * frame.rows[1])
                on_mirror.append(snapped)
    return species, np.array(positions), np.array(on_mirror)


def _description(frame: PlaneFrame, choice: _Choice, gap: float) -> dict[str, Any]:
    plane = [int(index) for index in choice.plane]
    grain = {
        "plane": plane,
        "planes": int(choice.number),
        "spacing": round(frame.spacing, 6),
        "strain": 0.0,
        "shear": 0.0,
        "termination": choice.mirror.name,
    }
    return {
        "kind": "twin",
        "builder": {
            "plane": plane,
            "planes": int(choice.number),
            "in_plane": frame.basis[:2].tolist(),
            "repeats": [int(value) for value in choice.repeats],
            "mirror": choice.mirror.cut,
            "gap": round(gap, 6),
        },
        "grains": {"top": dict(grain), "bottom": dict(grain)},
        "mismatch": 0.0,
        "shear": 0.0,
        "normal": [0.0, 0.0, 1.0],
        "axis": [1.0, 0.0, 0.0],
        "planes": [{"boundary": 1, "fraction": 0.5}, {"boundary": 2, "fraction": 0.0}],
    }
