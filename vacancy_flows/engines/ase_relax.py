"""Relaxations with any ASE calculator, on atomate2's ASE Makers, with few force calls.

atomate2's own relaxer asks the calculator for stress and moments at every step and loads
the model again in every job. Here stress is asked for once, at the end, the optimizer is a
preconditioned LBFGS, and the calculator lives once per process (see the subclasses).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from atomate2.ase.jobs import AseRelaxMaker
from jobflow import job
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from vacancy_flows.engines.minimise import minimise, stress_limit
from vacancy_flows.errors import EngineError
from vacancy_flows.schemas import Result, largest_force
from vacancy_flows.structures import with_geometry

_ROUNDS = 4  # a cell filter measures from the cell it starts at: start again from the end


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
            Not used here: only an engine that leaves files goes on from them.

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
        stress = self._stress(atoms)  # first: it is the call that computes everything
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
            stress=stress,
            moments=_moments(atoms),
            max_force=largest_force(forces, free_mask(structure)),
            converged=converged,
            reason=_reason(converged, n_steps, self.steps),
            n_steps=n_steps,
            provenance=self.provenance(),
        )

    def _stress(self, atoms: Atoms) -> list[list[float]] | None:
        """Return the stress at a fixed energy cutoff, or None where it is not known."""
        stress = atoms.get_stress(voigt=False, apply_constraint=False)
        found: list[list[float]] = np.asarray(stress, dtype=float).tolist()
        return found


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
