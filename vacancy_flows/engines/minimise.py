"""From forces to a minimum: which optimizer, in which order, and when it is enough."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS
from ase.optimize.precon import Exp, PreconLBFGS

from vacancy_flows.schemas import largest_force

logger = logging.getLogger(__name__)

# Optimizers stop at the forces they see; the stored ones come from the last call with
# stress, which differs in the last digits of single precision. 1 % keeps both below fmax.
_MARGIN = 0.99
# Largest stress component left in a free cell, per fmax: 0.01 eV/Å leaves 2e-4 eV/Å³
# (0.03 GPa), 0.03 % of strain in an oxide of 100 GPa, 3 meV in E_f at a dipole trace of 10 eV.
_STRESS_PER_FORCE = 0.02
# However loose fmax is, eV/Å³: 0.08 GPa, 0.08 % of strain and 8 meV in E_f of the same oxide.
_STRESS_CAP = 5e-4
_FAR = 1.0  # eV/Å; a free cell that starts with larger forces is far from its minimum
_MEMORY = 100  # steps that plain LBFGS remembers
_SMALL = 4  # atoms; below, a preconditioner built on neighbours has nothing to work with


def stress_limit(fmax: float) -> float:
    """Return the largest stress component a free cell may keep, eV/Å³.

    Parameters
    ----------
    fmax
        Largest force norm at convergence, eV/Å.

    Returns
    -------
    float
        0.02 of the number of ``fmax``, 5e-4 (0.08 GPa) at most.
    """
    return min(_STRESS_PER_FORCE * fmax, _STRESS_CAP)


def minimise(atoms: Atoms, fmax: float, steps: int, *, free_cell: bool) -> int:
    """Relax ``atoms`` in place and return the number of ionic steps.

    Preconditioned LBFGS with the exponential preconditioner (Packwood et al., J. Chem.
    Phys. 144, 164109 (2016)); plain LBFGS takes over where its line search gives up near
    convergence, as it does with single-precision forces, and for molecules. It also goes first
    where a free cell starts far from its minimum, as a boundary that was just built does: there
    the preconditioner takes several times as many calls (`_FAR`).

    Parameters
    ----------
    atoms
        With a calculator attached.
    fmax
        Largest force norm at convergence, eV/Å; the optimizers aim 1 % below.
    steps
        At most.
    free_cell
        Whether the cell relaxes too, until no stress exceeds `stress_limit`.
    """
    fmax, smax = _MARGIN * fmax, _MARGIN * stress_limit(fmax)
    taken = 0
    if free_cell and len(atoms) > _SMALL and largest_force(_forces(atoms)) > _FAR:
        taken = _plain(atoms, fmax, smax, steps, free_cell=True)
        if taken >= steps or _within(atoms, fmax, smax):
            return taken
    if len(atoms) > _SMALL:
        target = FrechetCellFilter(atoms) if free_cell else atoms
        optimizer = PreconLBFGS(target, precon=Exp(A=3.0), logfile=None)
        done = _drive(optimizer, atoms, fmax=fmax, smax=smax, steps=steps - taken)
        taken += int(optimizer.get_number_of_steps())
        if done:
            return taken
    if taken < steps:
        taken += _plain(atoms, fmax, smax, steps - taken, free_cell=free_cell)
    return taken


def _plain(atoms: Atoms, fmax: float, smax: float, steps: int, *, free_cell: bool) -> int:
    """Run plain LBFGS and return the number of its steps."""
    if not free_cell:
        plain = LBFGS(atoms, logfile=None)
        _drive(plain, atoms, fmax=fmax, steps=steps)
        return int(plain.get_number_of_steps())
    # A cell filter measures strain from its birth: a new one for a new optimizer. Its force on
    # the cell is V σ / factor; ASE's factor N makes the cell of a boundary creep.
    factor = math.sqrt(len(atoms))
    plain = LBFGS(FrechetCellFilter(atoms, exp_cell_factor=factor), memory=_MEMORY, logfile=None)
    _drive(plain, atoms, fmax=min(fmax, smax * atoms.get_volume() / factor), steps=steps)
    return int(plain.get_number_of_steps())


def _forces(atoms: Atoms) -> np.ndarray:
    return np.asarray(atoms.get_forces(apply_constraint=False), dtype=float)


def _within(atoms: Atoms, fmax: float, smax: float) -> bool:
    """Whether forces and stress of a free cell are below their limits."""
    stress = np.abs(atoms.get_stress(apply_constraint=False)).max()
    return largest_force(_forces(atoms)) <= fmax and bool(stress <= smax)


def _drive(optimizer: Any, atoms: Atoms, **run: Any) -> bool:
    """Run an optimizer; where it breaks down, leave ``atoms`` at the last sound step.

    Single-precision forces can make two steps equal, and both optimizers then divide by
    zero: a warning and positions that are no numbers, unless it is made an error.
    """
    sound = [atoms.positions.copy(), atoms.cell.array.copy()]

    def keep() -> None:
        sound[:] = [atoms.positions.copy(), atoms.cell.array.copy()]

    optimizer.attach(keep, interval=1)
    try:
        with np.errstate(divide="raise", invalid="raise"):
            return bool(optimizer.run(**run))
    except (ArithmeticError, RuntimeError, ValueError, np.linalg.LinAlgError) as error:
        logger.debug("%s gave up: %s", type(optimizer).__name__, error)
        atoms.set_cell(sound[1], scale_atoms=False)
        atoms.positions[:] = sound[0]
        return False
