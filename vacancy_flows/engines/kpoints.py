"""Γ-centred k-point meshes from a lattice and a density.

A mesh is a function of the lattice alone. A vacancy and its pristine cell share their lattice,
so they share their mesh; one whose cell relaxes keeps that of its pristine cell. Strain moves a
lattice a little, and where a count passes a whole number two strained cells have meshes that
differ by one: each E_f is still a difference at one mesh, but absolute energies on either side of
the jump differ by the error of the mesh.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, ConfigDict, Field, model_validator

LIU_2022_DENSITY = 128_000.0
"""Points times volume, Å³, that gives paper A's mesh (Liu et al., Nature 606, 305 (2022)).

11×11×11 on the 12-atom cell of Li2MnO3 (100.39 Å³, the C2/m cell refined there) is 133 621 Å³.
Counts are rounded up, so a little less is asked for: the mesh of that cell is then 11×11×11
from 1.8 % below to 5.7 % above its relaxed lattice lengths. No one isotropic spacing of planes
gives 11×11×11 there, because the reciprocal vectors differ in length by 16 %.
"""

_NOISE = 1e-6  # of a count: what a supercell's or a file's rounding may add


class KPoints(BaseModel):
    """How dense k-points are: exactly one of three measures.

    Attributes
    ----------
    density
        Points times cell volume, Å³ (points per volume of reciprocal space without 2π): counts
        proportional to 1/|a_i|, rounded up.
    length
        Å; VASP's automatic length R: max(1, int(R |b_i| + 0.5)), b_i without 2π.
    spacing
        1/Å with 2π, what VASP calls KSPACING: max(1, ceil(2π |b_i| / spacing)).
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    density: float | None = Field(default=None, ge=1, le=1e8)
    length: float | None = Field(default=None, ge=1, le=500)
    spacing: float | None = Field(default=None, ge=0.01, le=10)

    @model_validator(mode="before")
    @classmethod
    def _no_mesh(cls, data: Any) -> Any:
        if isinstance(data, dict) and "mesh" in data:
            raise ValueError(
                "a fixed mesh is a different density in every cell, and the references need one "
                "too: give density, length or spacing instead"
            )
        return data

    @model_validator(mode="after")
    def _one(self) -> KPoints:
        if len(self.given()) != 1:
            raise ValueError("give exactly one of density (Å³), length (Å) and spacing (1/Å)")
        return self

    def given(self) -> dict[str, float]:
        """Return the one measure that is set."""
        return {name: value for name, value in self.model_dump().items() if value is not None}

    def __str__(self) -> str:
        name, value = next(iter(self.given().items()))
        unit = {"density": "A^3", "length": "A", "spacing": "1/A"}[name]
        return f"{name} {value:g} {unit}"


def mesh(matrix: ArrayLike, policy: KPoints) -> tuple[int, int, int]:
    """Return the Γ-centred mesh of a lattice.

    Parameters
    ----------
    matrix
        (3, 3), rows a, b, c in Å.
    policy
        How dense.

    Examples
    --------
    >>> mesh([[4, 0, 0], [0, 5, 0], [0, 0, 20]], KPoints(length=30.0))
    (8, 6, 2)
    """
    rows = np.array(matrix, float)
    planes = np.linalg.norm(np.linalg.inv(rows), axis=0)  # |b_i|, 1/Å without 2π
    if policy.length is not None:
        counts = np.floor(policy.length * planes + 0.5 + _NOISE)
    elif policy.spacing is not None:
        counts = np.ceil(2 * np.pi * planes / policy.spacing - _NOISE)
    else:
        lengths = np.linalg.norm(rows, axis=1)
        points = float(policy.density or 0) / abs(float(np.linalg.det(rows)))
        counts = np.ceil(np.cbrt(points * lengths.prod()) / lengths - _NOISE)
    first, second, third = (max(1, int(count)) for count in counts)
    return first, second, third
