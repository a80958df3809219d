"""The potential of a run: the toy, or CHGNet with ``STANDIN_VASP_POTENTIAL=chgnet``."""

import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from standin_vasp.toy import Point, evaluate

Array = NDArray[np.float64]
Potential = Callable[[Array, Array], Point]
NAME = "STANDIN_VASP_POTENTIAL"


def get_potential(species: list[str], moments: Array) -> tuple[str, Potential]:
    """Return name and function of (cell, frac); moments matter to the toy only."""
    name = os.environ.get(NAME, "toy")
    if name == "chgnet":
        return name, _chgnet(species)
    if name != "toy":
        raise ValueError(f"{NAME}={name!r}: know 'toy' and 'chgnet'.")
    return name, lambda cell, frac: evaluate(cell, frac, species, moments)


def _chgnet(species: list[str]) -> Potential:
    from ase import Atoms
    from chgnet.model.dynamics import CHGNetCalculator

    calculator = CHGNetCalculator(use_device="cpu")

    def point(cell: Array, frac: Array) -> Point:
        atoms = Atoms(species, cell=cell, scaled_positions=frac, pbc=True, calculator=calculator)
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        return Point(float(energy), forces, atoms.get_stress(voigt=False))

    return point
