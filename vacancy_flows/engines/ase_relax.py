"""Relaxations with any ASE calculator, on atomate2's ASE Makers, with few force calls.

atomate2's own relaxer asks the calculator for stress and moments at every step and loads
the model again in every job. Here stress is asked for once, at the end, the optimizer is a
preconditioned LBFGS, and the calculator lives once per process (see the subclasses).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.filters import FrechetCellFilter
from ase.optimize import LBFGS
from ase.optimize.precon import Exp, PreconLBFGS
from atomate2.ase.jobs import AseRelaxMaker
from jobflow import job
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from vacancy_flows.errors import EngineError
from vacancy_flows.schemas import Result, largest_force
from vacancy_flows.structures import with_geometry

logger = logging.getLogger(__name__)

# Optimizers stop at the forces they see; the stored ones come from the last call with
# stress, which differs in the last digits of single precision. 1 % keeps both below fmax.
_MARGIN = 0.99
# Largest stress component left in a free cell, per fmax: 0.01 eV/Å leaves 2e-4 eV/Å³
# (0.03 GPa), 0.03 % of strain in an oxide of 100 GPa, 3 meV in E_f at a dipole trace of 10 eV.
_STRESS_PER_FORCE = 0.02
# However loose fmax is, eV/Å³: 0.08 GPa, 0.08 % of strain and 8 meV in E_f of the same oxide.
_STRESS_CAP = 5e-4
_ROUNDS = 4  # a cell filter measures from the cell it starts at: start again from the end
_SMALL = 4  # atoms; below, a preconditioner built on neighbours has nothing to work with


@dataclass
class AseEngineRelaxMaker(AseRelaxMaker):
    """Relax a structure with an ASE calculator and return a `Result`.

    A subclass names its calculator in ``_get_calculator`` and its versions in
    ``provenance``.

    Parameters
    ----------
    name
        Of the job.
    relax_cell
        Whether the cell moves too (Fréchet filter).
    fmax
        Largest force norm at convergence, eV/Å; with a free cell no component of the
        stress may exceed `stress_limit` of it.
    steps
        Ionic steps at most; 0 is a static calculation.
    """

    name: str = "relax"
    relax_cell: bool = False
    fmax: float = 0.01
    steps: int = 500

    @job
    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Result:  # noqa: ARG002
        """Return a job that relaxes ``structure``.

        Parameters
        ----------
        structure
            With ``selective_dynamics`` where only some atoms may move.
        prev_dir
            Not used: the calculators behind this Maker leave no files.

        Returns
        -------
        Result
            Of the last step.
        """
        return self.relax(structure)

    def provenance(self) -> dict[str, Any]:
        """Return code versions and models, for the record."""
        return {}

    def relax(self, structure: Structure) -> Result:
        """Relax ``structure`` here and now.

        Raises
        ------
        EngineError
            Where the energy or a force is not a finite number.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
        atoms.calc = self.calculator
        atoms.calc.reset()
        calls = getattr(atoms.calc, "calls", None)
        taken = 0
        for _ in range(_ROUNDS if self.steps > 0 else 0):
            taken += minimise(atoms, self.fmax, self.steps - taken, free_cell=self.relax_cell)
            if taken >= self.steps or self._converged(structure, atoms):
                break
        result = self._result(structure, atoms, taken)
        result.force_calls = None if calls is None else atoms.calc.calls - calls
        result.wall_s, result.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        return result

    def _converged(self, structure: Structure, atoms: Atoms) -> bool:
        forces = atoms.get_forces(apply_constraint=False)
        if largest_force(forces, free_mask(structure)) > self.fmax:
            return False
        if not self.relax_cell:
            return True
        stress = atoms.get_stress(apply_constraint=False)
        return bool(np.abs(stress).max() <= stress_limit(self.fmax))

    def _result(self, structure: Structure, atoms: Atoms, n_steps: int) -> Result:
        # Stress first: it is the call that computes everything.
        stress = np.asarray(atoms.get_stress(voigt=False, apply_constraint=False), dtype=float)
        energy = float(atoms.get_potential_energy())
        forces = np.asarray(atoms.get_forces(apply_constraint=False), dtype=float)
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise EngineError("the energy or a force is not a finite number: look at the cell")
        converged = self.steps == 0 or self._converged(structure, atoms)
        positions = atoms.get_scaled_positions(wrap=False)
        return Result(
            structure=with_geometry(structure, atoms.cell.array, positions),
            energy=energy,
            forces=forces.tolist(),
            stress=stress.tolist(),
            moments=_moments(atoms),
            max_force=largest_force(forces, free_mask(structure)),
            converged=converged,
            reason=_reason(converged, n_steps, self.steps),
            n_steps=n_steps,
            provenance=self.provenance(),
        )


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
    convergence, as it does with single-precision forces, and for molecules.

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
    if len(atoms) > _SMALL:
        target = FrechetCellFilter(atoms) if free_cell else atoms
        optimizer = PreconLBFGS(target, precon=Exp(A=3.0), logfile=None)
        if _drive(optimizer, atoms, fmax=fmax, smax=smax, steps=steps):
            return int(optimizer.get_number_of_steps())
        taken = int(optimizer.get_number_of_steps())
    if taken < steps:
        # A cell filter measures strain from its birth: a new one for a new optimizer.
        plain = LBFGS(FrechetCellFilter(atoms) if free_cell else atoms, logfile=None)
        # The filter's force on the cell is V σ / N; its rows must stay below the limit on σ.
        limit = min(fmax, smax * atoms.get_volume() / len(atoms)) if free_cell else fmax
        _drive(plain, atoms, fmax=limit, steps=steps - taken)
        taken += int(plain.get_number_of_steps())
    return taken


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


def free_mask(structure: Structure) -> np.ndarray | None:
    """Return the (n_atoms, 3) mask of free components, None where all are free."""
    mask = structure.site_properties.get("selective_dynamics")
    return None if mask is None else np.array(mask, dtype=bool)


def _moments(atoms: Atoms) -> list[float] | None:
    try:
        return np.asarray(atoms.get_magnetic_moments(), dtype=float).ravel().tolist()
    except PropertyNotImplementedError:
        return None


def _reason(converged: bool, n_steps: int, limit: int) -> str:
    if limit == 0:
        return "static"
    if converged:
        return "forces below fmax"
    if n_steps >= limit:
        return f"stopped at its limit of {limit} steps"
    return f"optimizer gave up after {n_steps} steps"
