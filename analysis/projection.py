"""A cell in projection: which way one looks, and which atoms and bonds are seen."""

import math
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymatgen.core import Structure

from vacancy_flows.structures import COORDINATION_CUTOFF

CellAxis = Literal["a", "b", "c"]

AXES: tuple[CellAxis, ...] = ("a", "b", "c")
"""Names of the cell's axes."""
TILT = (7.0, 5.0)
"""Turn about the upward and the rightward direction, degrees, that shows what lies behind."""

_FACE = 0.02  # fractional: an atom this near to a face is drawn on the opposite face too
_NEAREST = 0.7  # Å; no atom is this near to a vacancy


@dataclass(frozen=True)
class Scene:
    """Atoms, bonds and edges, turned so that x points right, y up and z to the reader.

    Parameters
    ----------
    symbols : list of str
        Element of each atom, images on the faces included.
    atoms : numpy.ndarray
        (n, 3), Å.
    bonds : numpy.ndarray
        (m, 2), indices of cation and oxygen.
    edges : numpy.ndarray
        (12, 2, 3), ends of the cell's edges, Å.
    vacancies : numpy.ndarray
        (k, 3), the vacancy and its images on the faces, Å; the first is the one in the cell.
    lattice : numpy.ndarray
        (3, 3), rows a, b, c, Å.
    """

    symbols: list[str]
    atoms: NDArray[np.float64]
    bonds: NDArray[np.int64]
    edges: NDArray[np.float64]
    vacancies: NDArray[np.float64]
    lattice: NDArray[np.float64]


def widest_axis(lattice: ArrayLike) -> CellAxis:
    """Return the axis along which the cell covers the largest area: the shortest one.

    Parameters
    ----------
    lattice : array_like
        (3, 3), rows a, b, c, Å.

    Returns
    -------
    {"a", "b", "c"}
        The first of equals (within 1e-6 Å).
    """
    lengths = np.linalg.norm(np.asarray(lattice, dtype=float), axis=1)
    return AXES[int(np.argmax(lengths < lengths.min() + 1e-6))]


def view(
    lattice: ArrayLike, axis: CellAxis, tilt: tuple[float, float] = TILT
) -> NDArray[np.float64]:
    """Return the rotation whose rows are right, up and towards the reader.

    c points up, or b where one looks along c; the third axis points right.

    Parameters
    ----------
    lattice : array_like
        (3, 3), rows a, b, c, Å.
    axis : {"a", "b", "c"}
        Looked along.
    tilt : tuple of float
        Degrees about up and about right.

    Returns
    -------
    numpy.ndarray
        (3, 3), proper: positions in the view are ``positions @ rotation.T``.

    Raises
    ------
    ValueError
        For another axis.
    """
    if axis not in AXES:
        raise ValueError(f"axis {axis!r} is unknown; use a, b or c")
    a, b, c = np.asarray(lattice, dtype=float)
    towards, up, right = {"a": (a, c, b), "b": (b, c, a), "c": (c, b, a)}[axis]
    towards = towards / np.linalg.norm(towards)
    up = up - (up @ towards) * towards
    up /= np.linalg.norm(up)
    if np.cross(up, towards) @ right < 0:  # look from the other end
        towards = -towards
    straight = np.array([np.cross(up, towards), up, towards])
    about_up, about_right = np.radians(tilt)
    turn_y = np.array(
        [
            [math.cos(about_up), 0.0, math.sin(about_up)],
            [0.0, 1.0, 0.0],
            [-math.sin(about_up), 0.0, math.cos(about_up)],
        ]
    )
    turn_x = np.array(
        [
            [1.0, 0.0, 0.0],
            [0.0, math.cos(about_right), -math.sin(about_right)],
            [0.0, math.sin(about_right), math.cos(about_right)],
        ]
    )
    return np.asarray(turn_x @ turn_y @ straight)


def scene(
    structure: Structure, vacancy: ArrayLike, axis: CellAxis, tilt: tuple[float, float] = TILT
) -> Scene:
    """Lay out a cell with a vacancy as it is seen along an axis.

    Parameters
    ----------
    structure : pymatgen.core.Structure
        Ordered cell without the atom that was removed.
    vacancy : array_like
        (3,), fractional coordinates of that atom.
    axis : {"a", "b", "c"}
        Looked along.
    tilt : tuple of float
        See `view`.

    Returns
    -------
    Scene
        Atoms within 2 % of a face are there on the opposite face too. Bonds join O and cations
        at most `COORDINATION_CUTOFF` (2.6 Å) apart among the atoms drawn.

    Raises
    ------
    ValueError
        If the structure is disordered, the vacancy is not three finite numbers, or an atom sits
        within 0.7 Å of it.
    """
    if not structure.is_ordered:
        raise ValueError("a disordered structure cannot be drawn: order it first")
    position = np.asarray(vacancy, dtype=float)
    if position.shape != (3,) or not np.isfinite(position).all():
        raise ValueError(f"the vacancy needs three fractional coordinates, got {vacancy!r}")
    _refuse_occupied(structure, position)
    matrix = np.asarray(structure.lattice.matrix, dtype=float)
    rotation = view(matrix, axis, tilt)
    owners, fractions = _with_images(np.asarray(structure.frac_coords, dtype=float))
    symbols = [_symbol(structure[int(owner)]) for owner in owners]
    atoms = fractions @ matrix @ rotation.T
    _, vacant = _with_images(position[None, :])
    return Scene(
        symbols=symbols,
        atoms=atoms,
        bonds=_bonds(symbols, atoms),
        edges=_edges() @ matrix @ rotation.T,
        vacancies=vacant @ matrix @ rotation.T,
        lattice=matrix @ rotation.T,
    )


def _symbol(site: Any) -> str:
    """Element of a site, with or without an oxidation state."""
    return str(getattr(site.specie, "symbol", site.specie))


def _refuse_occupied(structure: Structure, position: NDArray[np.float64]) -> None:
    near = structure.lattice.get_points_in_sphere(
        structure.frac_coords, structure.lattice.get_cartesian_coords(position), _NEAREST
    )
    if len(near):
        symbol = _symbol(structure[int(near[0][2])])
        raise ValueError(
            f"an atom of {symbol} sits {near[0][1]:.2f} Å from the vacancy: give the cell without "
            "the atom removed, and that atom's own fractional coordinates"
        )


def _with_images(fractions: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Wrap into the cell and repeat what lies on a face; owners and fractional coordinates."""
    wrapped = (fractions + _FACE) % 1.0 - _FACE  # -0.02 to 0.98
    owners, images = [], []
    for shift in product((0.0, 1.0), repeat=3):
        moved = wrapped + shift
        inside = np.flatnonzero((moved < 1.0 + _FACE).all(axis=1))
        owners.append(inside)
        images.append(moved[inside])
    return np.concatenate(owners).astype(np.int64), np.concatenate(images)


def _bonds(symbols: list[str], atoms: NDArray[np.float64]) -> NDArray[np.int64]:
    is_oxygen = np.array([symbol == "O" for symbol in symbols], dtype=bool)
    cations, oxygens = np.flatnonzero(~is_oxygen), np.flatnonzero(is_oxygen)
    distances = np.linalg.norm(atoms[cations, None, :] - atoms[None, oxygens, :], axis=2)
    i, j = np.nonzero(distances <= COORDINATION_CUTOFF)
    return np.stack([cations[i], oxygens[j]], axis=1).astype(np.int64)


def _edges() -> NDArray[np.float64]:
    """Return the twelve edges of the unit cell, (12, 2, 3), fractional."""
    corners = [np.array(corner) for corner in product((0.0, 1.0), repeat=3)]
    pairs = product(corners, corners)
    return np.array([(p, q) for p, q in pairs if (q - p).sum() == 1 and (q >= p).all()])
