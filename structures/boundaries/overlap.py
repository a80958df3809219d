"""Soft spheres: how much the atoms of two grains overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

# As in structures/sites.py: all other species count as cations.
_ANIONS = frozenset({"N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I"})
_CLASSES = ("M-M", "M-O", "O-O")
_SOFT = {"M-M": 2.55, "M-O": 1.90, "O-O": 2.55}  # Å, boundaries.md
_HARD = {"M-M": 2.3, "M-O": 1.7, "O-O": 2.3}  # Å, boundaries.md, after the push
_BULK_SOFT, _BULK_HARD = 0.97, 0.85  # shares of the bulk's own shortest distances


@dataclass(frozen=True)
class Spheres:
    """Distances below which pairs overlap.

    Attributes
    ----------
    soft
        (2, 2), Å, by class 0 (cation) and 1 (anion): closer pairs overlap.
    hard
        (2, 2), Å: no pair may be closer in a finished cell.
    """

    soft: np.ndarray
    hard: np.ndarray


def anion_class(species: Sequence[str]) -> np.ndarray:
    """Class (N,) int of each symbol: 1 for anions, 0 for all others."""
    return np.array([int(symbol in _ANIONS) for symbol in species], int)


def spheres(bulk: Structure, strain: float = 0.0) -> Spheres:
    """Sphere distances for a crystal.

    Those of lithium transition-metal oxides (boundaries.md), but never so large that the bulk,
    strained as its grains are, overlaps with itself.

    Parameters
    ----------
    bulk
        The crystal of the grains.
    strain
        Largest compression of a grain, as a positive number.

    Returns
    -------
    Spheres
    """
    own = closest(bulk)
    soft, hard = np.empty((2, 2)), np.empty((2, 2))
    for number, name in enumerate(_CLASSES):
        i, j = ((0, 0), (0, 1), (1, 1))[number]
        soft[i, j] = soft[j, i] = min(_SOFT[name], (_BULK_SOFT - strain) * own[name])
        hard[i, j] = hard[j, i] = min(_HARD[name], (_BULK_HARD - strain) * own[name])
    return Spheres(soft, hard)


def closest(structure: Structure, cutoff: float = 3.5) -> dict[str, float]:
    """Shortest distances, periodic images counted.

    Parameters
    ----------
    structure
        Any ordered structure.
    cutoff
        Å; pairs further apart are not looked at.

    Returns
    -------
    dict of str to float
        ``M-M``, ``M-O``, ``O-O`` in Å (M any cation, O any anion); the cutoff where there is no
        pair within it.
    """
    first, second, _, distance = structure.get_neighbor_list(cutoff)
    kind = anion_class([site.specie.symbol for site in structure])
    pair = kind[first] + kind[second]
    return {
        name: float(distance[pair == number].min(initial=cutoff))
        for number, name in enumerate(_CLASSES)
    }


def overlap(structure: Structure, distances: Spheres) -> float:
    """Sum of squared overlaps of all pairs of a cell, Å²."""
    first, second, _, distance = structure.get_neighbor_list(float(distances.soft.max()))
    kind = anion_class([site.specie.symbol for site in structure])
    excess = np.maximum(0.0, distances.soft[kind[first], kind[second]] - distance)
    return float((excess**2).sum() / 2)


@dataclass(frozen=True)
class Contact:
    """Atoms of two grains that face each other across a boundary, per periodic cell.

    Attributes
    ----------
    cell
        (2, 2), rows in Å: periods within the boundary.
    deltas
        (P, 2), Å: lateral vectors from lower to upper atoms.
    rises
        (P,), Å: heights of the upper atoms above the lower ones.
    radii
        (P,), Å: distances below which the pairs overlap.
    """

    cell: np.ndarray
    deltas: np.ndarray
    rises: np.ndarray
    radii: np.ndarray

    @classmethod
    def between(
        cls,
        cell: np.ndarray,
        lower: tuple[np.ndarray, np.ndarray],
        upper: tuple[np.ndarray, np.ndarray],
        soft: np.ndarray,
    ) -> "Contact":
        """Pair the atoms near a boundary at z = 0.

        Parameters
        ----------
        cell
            (2, 2), rows in Å.
        lower, upper
            Positions (N, 3) and classes (N,) of each grain's atoms.
        soft
            (2, 2) distances by class, Å.
        """
        rises = upper[0][None, :, 2] - lower[0][:, None, 2]
        radii = soft[lower[1][:, None], upper[1][None, :]]
        i, j = np.nonzero(rises < radii)
        return cls(cell, upper[0][j, :2] - lower[0][i, :2], rises[i, j], radii[i, j])

    def overlap(self, translations: np.ndarray, gap: float = 0.0) -> np.ndarray:
        """Sum of squared overlaps for translations (T, 2) of the upper grain; (T,), Å²."""
        near = self.rises + gap < self.radii
        rises, radii, deltas = self.rises[near] + gap, self.radii[near], self.deltas[near]
        total = np.zeros(len(translations))
        if not len(radii):
            return total
        inverse = np.linalg.inv(self.cell)
        images = self._images(float(radii.max()))
        block = max(1, 2_000_000 // len(radii))
        for start in range(0, len(translations), block):
            part = translations[start : start + block]
            planar = (deltas[None] + part[:, None]) @ inverse
            planar = (planar - np.round(planar)) @ self.cell
            for image in images:
                square = ((planar + image) ** 2).sum(axis=2) + rises**2
                excess = np.maximum(0.0, radii - np.sqrt(square))
                total[start : start + block] += (excess**2).sum(axis=1)
        return total

    def _images(self, radius: float) -> np.ndarray:
        """Lateral lattice vectors (I, 2) that can bring a nearest image within the radius."""
        area = abs(float(np.linalg.det(self.cell)))
        heights = area / np.linalg.norm(self.cell[::-1], axis=1)
        reach = np.maximum(0, np.ceil(radius / heights - 0.5)).astype(int)
        grid = np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij")
        vectors: np.ndarray = np.stack(grid, axis=-1).reshape(-1, 2) @ self.cell
        return vectors
