"""Ionic steps: a BFGS on atoms (ISIF 2) or on atoms and cell (ISIF 3), stopped as VASP stops."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from standin_vasp.inputs import Incar, InputError, Poscar
from standin_vasp.potential import Potential
from standin_vasp.toy import Point

Array = NDArray[np.float64]
MOVE, STRAIN = 0.12, 0.03  # largest step of an atom (Å) and of the strain
CREEP = 1e-3  # Å per eV/Å: steps of a relaxation that is told not to converge


@dataclass
class Settings:
    """NSW, ISIF, EDIFFG (as VASP defaults them), and whether to only creep."""

    nsw: int
    isif: int
    ediffg: float
    creep: bool = False

    @property
    def moves(self) -> bool:
        """Whether atoms move at all."""
        return self.nsw > 0


@dataclass
class Step:
    """One ionic step; ``last`` if VASP would stop here and ``reached`` if by EDIFFG."""

    cell: Array
    frac: Array
    point: Point
    last: bool
    reached: bool


def read_settings(incar: Incar, *, creep: bool = False) -> Settings:
    """Return what INCAR asks for; refuse what the stand-in cannot do."""
    nsw = incar.integer("NSW", 0)
    ibrion = incar.integer("IBRION", -1 if nsw <= 0 else 0)
    isif = incar.integer("ISIF", 2)
    ediffg = incar.number("EDIFFG", 10 * incar.number("EDIFF", 1e-4))
    if nsw <= 0 or ibrion == -1:
        return Settings(0, isif, ediffg)
    if ibrion not in {1, 2, 3}:
        raise InputError(f"ERROR: the stand-in has no IBRION = {ibrion}, only -1, 1, 2, 3")
    if isif not in {0, 1, 2, 3}:
        raise InputError(f"ERROR: the stand-in has no ISIF = {isif}, only 2 and 3")
    return Settings(nsw, isif, ediffg, creep)


def ionic_steps(poscar: Poscar, potential: Potential, settings: Settings) -> Iterator[Step]:
    """Yield the ionic steps of a run, the first at POSCAR as it is."""
    cell, frac = poscar.cell.copy(), poscar.frac.copy()
    search = _Search(poscar, settings)
    before = np.inf
    for number in range(1, max(1, settings.nsw) + 1):
        point = potential(cell, frac)
        gradient = search.gradient(cell, point)
        reached = settings.moves and search.converged(gradient, point.energy - before)
        yield Step(cell, frac, point, reached or number >= settings.nsw, reached)
        if reached or number >= settings.nsw:
            return
        before = point.energy
        cell, frac = search.move(cell, frac, gradient)


class _Search:
    """BFGS in Cartesian displacements and, for ISIF 3, strain times sqrt(N) Å."""

    def __init__(self, poscar: Poscar, settings: Settings) -> None:
        self.n = sum(poscar.counts)
        self.free = poscar.free
        self.settings = settings
        self.cell_moves = settings.isif == 3
        self.scale = np.sqrt(self.n)
        self.hessian = np.eye(3 * self.n + 9) * 50.0
        self.last: tuple[Array, Array] | None = None

    def gradient(self, cell: Array, point: Point) -> Array:
        """dE by displacement (eV/Å) of what may move, then by scaled strain."""
        forces = point.forces
        if self.free is not None:
            forces = forces.copy()
            for k, free in enumerate(self.free):
                directions = cell[free]  # flags are along the lattice vectors
                forces[k] = forces[k] @ np.linalg.pinv(directions) @ directions
        strain = point.stress * abs(np.linalg.det(cell)) / self.scale * self.cell_moves
        return np.concatenate([-forces.ravel(), strain.ravel()])

    def converged(self, gradient: Array, change: float) -> bool:
        """EDIFFG < 0: largest force, and 0.2 of it in eV per atom of strain; else energy."""
        limit = self.settings.ediffg
        if self.settings.creep:
            return False
        if limit >= 0:
            return abs(change) < limit
        force = np.linalg.norm(gradient[: 3 * self.n].reshape(-1, 3), axis=1).max()
        strain = np.abs(gradient[3 * self.n :]).max() / self.scale
        return bool(force < -limit and strain < -0.2 * limit)

    def move(self, cell: Array, frac: Array, gradient: Array) -> tuple[Array, Array]:
        """Take a step and return the new cell and fractional coordinates."""
        step = -CREEP * gradient if self.settings.creep else self._newton(gradient)
        shift, strain = step[: 3 * self.n].reshape(-1, 3), step[3 * self.n :].reshape(3, 3)
        strain = strain / self.scale
        shrink = max(1.0, np.abs(shift).max() / MOVE, np.abs(strain).max() / STRAIN)
        self.last = (step / shrink, gradient)
        moved = frac + shift / shrink @ np.linalg.inv(cell)
        return cell @ (np.eye(3) + strain / shrink), moved

    def _newton(self, gradient: Array) -> Array:
        """Update the Hessian with the last step and solve for the next."""
        if self.last is not None:
            step, before = self.last
            change = gradient - before
            image = self.hessian @ step
            if step @ change > 1e-10:  # else not convex here: keep the Hessian
                self.hessian += np.outer(change, change) / (step @ change)
                self.hessian -= np.outer(image, image) / (step @ image)
        return np.asarray(-np.linalg.solve(self.hessian, gradient), dtype=float)
