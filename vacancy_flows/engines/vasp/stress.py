"""The stress that VASP prints, in our units and sign."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import units

_KILOBAR = 0.1 * units.GPa  # eV/Å³


def stress_of(printed: Any) -> list[list[float]] | None:
    """Return a stress in eV/Å³ and ASE's sign, +(1/V) dE/dε, from VASP's -σ in kB.

    Parameters
    ----------
    printed
        (3, 3), kB, as in vasprun.xml; None, zeros or what is no tensor where VASP did not
        compute it (ISIF = 0).

    Returns
    -------
    list of list of float, optional
        (3, 3), eV/Å³.
    """
    if printed is None:
        return None
    stress = -np.array(printed, float) * _KILOBAR + 0.0  # no negative zero
    usable = stress.shape == (3, 3) and np.isfinite(stress).all() and bool(stress.any())
    return stress.tolist() if usable else None
