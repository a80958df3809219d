"""Whether both grains are still whole after a relaxation: layers, coordination, no crack."""

from typing import NamedTuple

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.boundaries.reading import angle_of, core_atoms, normal_of
from vacancy_flows.structures.sites import COORDINATION_CUTOFF

TURN = 10.0
"""Degrees that a layer's normal may turn in one relaxation; between (012) and (0-17) lie 110."""

OPENING = 1.5
"""Å by which the widest gap between atoms along the boundary's normal may grow."""

_GRAINS = ("top", "bottom")
_CORES = (2.5, 2.0, 1.5, 1.0)  # Å from a boundary: the deepest core that shows a layer is read
_LOST = 0.5  # share of a core's metals that may lose oxygen neighbours


class Core(NamedTuple):
    """The core of a grain: its metal atoms (indices) and the angle of their layers, degrees."""

    atoms: list[int]
    angle: float


def grain_cores(structure: Structure) -> dict[str, Core]:
    """Read the layers of each grain, in the deepest core (1 to 2.5 Å) that shows one.

    Parameters
    ----------
    structure
        With boundaries and site property ``grain``.

    Returns
    -------
    dict
        By grain; a grain too thin to show a layer is left out. Angles as of `layer_angle`.
    """
    found: dict[str, Core] = {}
    for grain in _GRAINS:
        for core in _CORES:
            atoms = core_atoms(structure, grain, core)
            try:
                found[grain] = Core(atoms, angle_of(structure, normal_of(structure, atoms)))
            except ValueError:
                continue
            break
    return found


def damage(before: Structure, after: Structure) -> list[str]:
    """Say what a relaxation tore apart in a boundary cell.

    Parameters
    ----------
    before
        With boundaries and site property ``grain``.
    after
        The same sites in the same order, relaxed.

    Returns
    -------
    list of str
        Empty where the layers of both grains are still there (turned by less than `TURN`, at
        least half of the metals of each core with as many oxygen neighbours as before) and no
        gap opened by more than `OPENING`.
    """
    found = []
    for grain, core in grain_cores(before).items():
        try:
            angle = angle_of(after, normal_of(after, core.atoms))
        except ValueError:
            found.append(f"the layers of the {grain} grain are gone")
            continue
        turned = abs((angle - core.angle + 90) % 180 - 90)
        if turned > TURN:
            found.append(
                f"the layers of the {grain} grain turned by {turned:.0f}° "
                f"(from {core.angle:+.0f}° to {angle:+.0f}°)"
            )
        had, has = (_oxygen_neighbours(cell, core.atoms) for cell in (before, after))
        lost = int((has < had).sum())
        if lost > _LOST * len(core.atoms):
            found.append(
                f"{lost} of {len(core.atoms)} metals in the core of the {grain} grain lost "
                "oxygen neighbours"
            )
    opened = widest_gap(after) - widest_gap(before)
    if opened > OPENING:
        found.append(f"the cell came apart: a gap of {widest_gap(after):.1f} Å opened")
    return found


def widest_gap(structure: Structure) -> float:
    """Widest distance between atoms that follow each other along the boundary's normal, Å."""
    a, b, _ = structure.lattice.matrix
    height = structure.volume / float(np.linalg.norm(np.cross(a, b)))
    heights = np.sort(structure.frac_coords[:, 2] % 1.0)
    return float(np.diff(heights, append=heights[0] + 1.0).max() * height)


def _oxygen_neighbours(structure: Structure, atoms: list[int]) -> np.ndarray:
    first, second, _, _ = structure.get_neighbor_list(
        COORDINATION_CUTOFF, sites=[structure[i] for i in atoms]
    )
    oxygen = np.array([site.specie.symbol == "O" for site in structure])
    counts: np.ndarray = np.bincount(first[oxygen[second]], minlength=len(atoms))
    return counts
