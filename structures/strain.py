"""Homogeneous strain of a cell, atoms carried along (clamped)."""

import math

import numpy as np
from numpy.typing import ArrayLike
from pymatgen.core import Structure

from vacancy_flows.structures.geometry import with_geometry
from vacancy_flows.structures.names import nearest

MODES = ("uniaxial-a", "uniaxial-b", "uniaxial-c*", "biaxial-ab", "hydrostatic")
"""Modes that :func:`deformation_gradient` knows."""

MAX_STRAIN = 0.2
"""Largest |ε| that is taken for a strain and not for a mistake."""


def deformation_gradient(axes: ArrayLike, mode: str, value: float) -> np.ndarray:
    """Deformation gradient F = I + ε Σ n̂ n̂ of a strain mode.

    Uniaxial along n̂ = a, b or c* (the normal of a and b); biaxial in the plane of a and b,
    F = I + ε (I - ĉ* ĉ*); hydrostatic with linear ε, F = (1 + ε) I.

    Parameters
    ----------
    axes
        (3, 3), rows a, b, c (Å), Cartesian: see `conventional_axes`.
    mode
        One of :data:`MODES`.
    value
        ε, positive in tension; 0.05 is 5 %.

    Returns
    -------
    numpy.ndarray
        (3, 3), acts on Cartesian columns.

    Raises
    ------
    ValueError
        For an unknown mode, ε that is not finite or beyond ±0.2, and axes that span nothing.
    """
    if mode not in MODES:
        raise ValueError(
            f"Unknown strain mode {mode!r}; nearest known: {nearest(mode, MODES)}. "
            f"Known are {', '.join(MODES)}."
        )
    if not math.isfinite(value) or abs(value) > MAX_STRAIN:
        raise ValueError(
            f"Strain {value} is not within ±{MAX_STRAIN}: give it as a number, 0.05 means 5 %."
        )
    rows = np.array(axes, float)
    if rows.shape != (3, 3) or not np.isfinite(rows).all() or abs(np.linalg.det(rows)) < 1e-6:
        raise ValueError("Axes must be three independent vectors (rows a, b, c in Å).")
    normal = _unit(np.cross(rows[0], rows[1]))
    projectors = {
        "uniaxial-a": _projector(_unit(rows[0])),
        "uniaxial-b": _projector(_unit(rows[1])),
        "uniaxial-c*": _projector(normal),
        "biaxial-ab": np.eye(3) - _projector(normal),
        "hydrostatic": np.eye(3),
    }
    gradient: np.ndarray = np.eye(3) + value * projectors[mode]
    return gradient


def deform(structure: Structure, gradient: ArrayLike) -> Structure:
    """Deform a structure, fractional coordinates kept (clamped).

    Parameters
    ----------
    structure
        Any structure; site properties and properties stay.
    gradient
        Deformation gradient F (3, 3): each lattice vector becomes F a.

    Returns
    -------
    Structure
        Volume det(F) times that of `structure`.

    Raises
    ------
    ValueError
        For a wrong shape, numbers which are not finite, and det(F) <= 0.
    """
    try:
        matrix = np.array(gradient, float)
    except (TypeError, ValueError) as error:
        raise ValueError("A deformation gradient is a 3×3 matrix of numbers.") from error
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError(
            f"A deformation gradient is a 3×3 matrix of finite numbers, not {gradient!r}."
        )
    determinant = float(np.linalg.det(matrix))
    if determinant <= 1e-9:
        raise ValueError(
            f"The deformation gradient has determinant {determinant:.3g}: it must be positive. "
            "F is I + strain, so no strain is the unit matrix."
        )
    return with_geometry(structure, structure.lattice.matrix @ matrix.T, structure.frac_coords)


def _unit(vector: np.ndarray) -> np.ndarray:
    length: np.ndarray = vector / np.linalg.norm(vector)
    return length


def _projector(unit: np.ndarray) -> np.ndarray:
    return np.outer(unit, unit)
