"""Which runs are no energy of a relaxed or static cell, and which are converged."""

from __future__ import annotations

import math

import numpy as np
from pymatgen.core import Structure
from pymatgen.io.vasp.outputs import Vasprun

from vacancy_flows.engines.vasp.reading_files import RunError
from vacancy_flows.engines.vasp.run_settings import RunSettings
from vacancy_flows.schemas import ELECTRONS, largest_force

_NO_ENERGY = {"none", "eigenval", "subrot", "chi", "bse", "timeev", "cp", "rpar", "acfdt", "acfdtr"}
_ROUNDING = 1e-5  # eV/Å, of forces in vasprun.xml


def refuse(run: Vasprun) -> None:
    """Raise `RunError` for a run that holds no energy of one relaxed or static cell."""
    used, given = run.parameters, run.incar
    program = str(run.generator.get("program", run.generator.get("PROGRAM", "")))
    if "vasp" not in program.lower():
        raise RunError(f"was written by {program or 'an unknown program'}, not by VASP")
    moves = used.get("NSW", 0) > 0
    kind = used.get("IBRION", -1)
    if run.md_data or given.get("ML_LMLFF"):
        raise RunError("used a machine-learned force field: not an energy of DFT")
    if moves and kind == 0:
        raise RunError("is molecular dynamics (IBRION = 0): no relaxed energy")
    if moves and kind not in (-1, 1, 2, 3):
        raise RunError(f"is no relaxation (IBRION = {kind}): vibrations, or a saddle point")
    if int(given.get("IMAGES", 0) or 0) > 0:
        raise RunError("is one image of a path (IMAGES): no relaxed energy")
    if used.get("ICHARG", 2) >= 10:
        raise RunError(f"is not self-consistent (ICHARG = {used['ICHARG']}): bands, no energy")
    algorithm = str(given.get("ALGO", "normal")).split()[0].lower()
    if algorithm in _NO_ENERGY or "gw" in algorithm:
        raise RunError(f"is no ground state of DFT (ALGO = {given['ALGO']})")
    if not run.ionic_steps or not math.isfinite(run.final_energy):
        raise RunError("holds no total energy")


def largest_free_force(structure: Structure, forces: np.ndarray) -> float:
    """Return the largest force on an atom along what selective dynamics leaves free, eV/Å.

    Flags are for the directions of the lattice vectors. Where an atom is free along some of
    them and the cell is skew, VASP drops components of the force in the basis of these vectors,
    while the gradient along them is a projection: the smaller is taken, since one of them is 0
    at the end of a relaxation.
    """
    mask = structure.site_properties.get("selective_dynamics")
    if mask is None:
        return largest_force(forces)
    matrix = structure.lattice.matrix
    dropped = np.where(np.array(mask, bool), forces @ np.linalg.inv(matrix), 0.0) @ matrix
    projected = np.zeros_like(forces)
    for i, free in enumerate(mask):
        directions = matrix[np.array(free, bool)]
        projected[i] = forces[i] @ np.linalg.pinv(directions) @ directions
    return min(largest_force(dropped), largest_force(projected))


def relaxed(
    run: Vasprun, settings: RunSettings, largest: float, fmax: float, *, stopped: bool
) -> bool:
    """Tell whether a relaxation met its criterion; pymatgen counts steps only."""
    if settings.run == "static":
        return True
    if fmax and largest > fmax + _ROUNDING:
        return False
    if fmax and settings.run == "ions":
        return True
    return bool(run.converged_ionic) and not stopped


def why_stopped(
    run: Vasprun, settings: RunSettings, *, electronic: bool, ionic: bool, largest: float
) -> str:
    """Say in words why a run stopped; `largest` is its largest force on a free atom, eV/Å."""
    steps = len(run.ionic_steps)
    if not electronic:
        return f"{ELECTRONS} in {run.parameters.get('NELM')} steps (NELM)"
    if settings.run == "static":
        return "static"
    if not ionic:
        return f"ions not converged: largest force {largest:.4f} eV/Å after {steps} steps"
    limit = -float(run.parameters.get("EDIFFG", 0.0))
    wanted = f"forces below {limit:g} eV/Å" if limit > 0 else f"energy steady to {-limit:g} eV"
    return f"{wanted} after {steps} steps"
