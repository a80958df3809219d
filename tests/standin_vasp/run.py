"""What one run of the stand-in holds in common for all files that it writes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from standin_vasp import moments
from standin_vasp.inputs import (
    Incar,
    InputError,
    Kpoints,
    Poscar,
    Potcar,
    read_incar,
    read_kpoints,
    read_poscar,
    read_potcar,
)
from standin_vasp.relax import Step

Array = NDArray[np.float64]
VERSION = "6.4.0-standin"
DECLARED = "STAND-IN for vasp_std, not VASP: toy forces; bands, DOS, moments, density invented"
UNCONVERGED = 0.05  # eV, what is missing where NELM is reached
ENTROPY = 2e-5  # eV per atom at SIGMA 0.05, growing as its square


@dataclass
class Energies:
    """VASP's three energies in eV; ``zero`` (σ → 0) is the potential's."""

    free: float
    without: float
    zero: float

    @property
    def entropy(self) -> float:
        """The term -TS that VASP calls EENTRO."""
        return self.free - self.without


@dataclass
class Run:
    """Inputs of a directory and what follows from them."""

    incar: Incar
    poscar: Poscar
    potcar: list[Potcar]
    kpoints: Kpoints
    magmom: Array
    moments: Array

    @cached_property
    def species(self) -> list[str]:
        """Element of each atom."""
        return self.poscar.species

    @cached_property
    def spins(self) -> int:
        """ISPIN."""
        return self.incar.integer("ISPIN", 1)

    @cached_property
    def nelm(self) -> int:
        """NELM."""
        return self.incar.integer("NELM", 60)

    @cached_property
    def sigma(self) -> float:
        """SIGMA in eV."""
        return self.incar.number("SIGMA", 0.2)

    @cached_property
    def ismear(self) -> int:
        """ISMEAR."""
        return self.incar.integer("ISMEAR", 1)

    @cached_property
    def encut(self) -> float:
        """ENCUT in eV, the largest ENMAX by default."""
        return self.incar.number("ENCUT", max(p.enmax for p in self.potcar))

    @cached_property
    def nelect(self) -> float:
        """NELECT, by default that of the neutral cell."""
        neutral = sum(p.zval * n for p, n in zip(self.potcar, self.poscar.counts, strict=True))
        return self.incar.number("NELECT", neutral)

    @cached_property
    def nbands(self) -> int:
        """NBANDS, by default as the VASP wiki has it."""
        n, total = len(self.species), self.nelect
        bands = max(int(total + 2.5) // 2 + max(n // 2, 3), int(0.6 * total))
        if self.spins == 2:
            bands += max(int((sum(self.magmom) + 1) // 2), 0)
        return self.incar.integer("NBANDS", bands)

    @cached_property
    def grid(self) -> tuple[int, int, int]:
        """NGXF, NGYF, NGZF: even and about 0.2 Å apart, coarser than VASP's."""
        sides = np.linalg.norm(self.poscar.cell, axis=1)
        tags = ("NGXF", "NGYF", "NGZF")
        n1, n2, n3 = (
            self.incar.integer(tag, 2 * max(4, int(np.ceil(side / 0.4))))
            for tag, side in zip(tags, sides, strict=True)
        )
        return n1, n2, n3

    @cached_property
    def algorithm(self) -> str:
        """First letter of ALGO: N, F, V, A, D, ..."""
        return (self.incar.text("ALGO", "Normal")[:1] or "N").upper()

    @cached_property
    def lorbit(self) -> int:
        """LORBIT."""
        return self.incar.integer("LORBIT", 0)

    def energies(self, step: Step, error: float = 0.0) -> Energies:
        """Return the energies of a step, the entropy by the order of the smearing.

        ``error`` (eV) is what an unconverged run is off by.
        """
        order = self.ismear
        ts = ENTROPY * len(self.species) * (self.sigma / 0.05) ** 2 if order >= 0 else 0.0
        zero = step.point.energy + error
        free = zero - ts / (order + 2) if order >= 0 else zero
        return Energies(free, free + ts, zero)

    def electronic(self, number: int, *, unconverged: bool = False) -> list[float]:
        """Distances (eV) from the converged energy in the electronic steps of an ionic step."""
        least = max(10 if number == 1 else 5, self.incar.integer("NELMIN", 2))
        count = self.nelm if unconverged else max(1, min(least, self.nelm - 1))
        end = UNCONVERGED if unconverged else 0.0
        return [end + (10.0 ** (1 - k) if k < count - 1 else 0.0) for k in range(count)]


def read_run(directory: Path) -> Run:
    """Read the four inputs, or raise what VASP would say."""
    incar = read_incar(directory / "INCAR")
    poscar = read_poscar(directory / "POSCAR")
    potcar = read_potcar(directory / "POTCAR")
    if [p.element for p in potcar] != poscar.symbols:
        raise InputError(f"ERROR: POTCAR is of {[p.element for p in potcar]}, {poscar.symbols=}")
    kpoints = read_kpoints(directory / "KPOINTS", poscar.cell, incar)
    if incar.flag("LDAU", default=False) and len(incar.numbers("LDAUU")) != len(potcar):
        raise InputError("Error reading item 'LDAUU' from file INCAR.\nError code was IERR= 0 ...")
    magmom = moments.start(poscar.species, incar, directory / "WAVECAR")
    final = magmom
    if incar.integer("ISPIN", 1) == 2:
        final = moments.settle(poscar.species, magmom, incar.number("NUPDOWN", -1.0))
    return Run(incar, poscar, potcar, kpoints, magmom, final)
