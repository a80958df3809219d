"""OUTCAR: what pymatgen, custodian and people look for, and nothing else."""

import time
from pathlib import Path

import numpy as np

from standin_vasp.bands import FERMI
from standin_vasp.density import charges
from standin_vasp.relax import Step
from standin_vasp.run import DECLARED, VERSION, Run
from standin_vasp.vasprun import TO_KB

SOFT_STOP = "soft stop encountered!  aborting job ..."
REACHED = " reached required accuracy - stopping structural energy minimisation"
ORDER = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))  # XX YY ZZ XY YZ ZX
RULE = "-" * 104


class OutcarWriter:
    """Write the header at once and each ionic step as it comes."""

    def __init__(self, path: Path, run: Run) -> None:
        self.run = run
        self.started = time.monotonic()
        self.number = 0
        self.file = path.open("w", encoding="ascii")
        self.file.write(_header(run))
        self.file.flush()

    def step(self, step: Step, electronic: list[float], *, converged: bool = True) -> None:
        """Write an ionic step with its electronic steps."""
        self.number += 1
        run = self.run
        free, energies = run.energies(step).free, run.energies(step, electronic[-1])
        text = ""
        for k, distance in enumerate(electronic, start=1):
            text += f"{'-' * 39} Iteration {self.number:6d}({k:4d})  {'-' * 39}\n\n"
            text += f"  entropy T*S    EENTRO =      {energies.entropy:14.8f}\n"
            text += f" free energy    TOTEN  =      {free + distance:18.8f} eV\n\n"
            text += (
                f" number of electron {run.nelect:15.7f} magnetization {run.moments.sum():15.7f}\n"
            )
        reason = "EDIFF is reached" if converged else "EDIFF was not reached (unconverged)"
        text += f"{'-' * 24} aborting loop because {reason} {'-' * 24}\n\n"
        text += f" E-fermi : {FERMI:8.4f}     XC(G=0):   0.0000     alpha+bet :   0.0000\n\n"
        text += _stress(step) + _forces(step)
        text += "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n"
        text += f"  free  energy   TOTEN  = {energies.free:18.8f} eV\n\n"
        text += f"  energy  without entropy= {energies.without:18.8f}"
        text += f"  energy(sigma->0) = {energies.zero:18.8f}\n\n"
        text += "     LOOP+:  cpu time    0.0100: real time    0.0100\n"
        self.file.write(text)
        self.file.flush()

    def finish(self, step: Step, *, soft_stop: bool) -> None:
        """Write what VASP writes once at the end: moments, charges, times."""
        text = f"{SOFT_STOP}\n" if soft_stop else ""
        text += f"{REACHED}\n" if step.reached else ""
        text += _table("total charge", charges(self.run))
        if self.run.lorbit >= 10 and self.run.spins == 2:
            text += _table("magnetization (x)", self.run.moments)
        seconds = time.monotonic() - self.started
        text += "\n General timing and accounting informations for this job:\n"
        text += " ========================================================\n\n"
        for name in ("Total CPU time used", "User time", "System time", "Elapsed time"):
            text += f"{name + ' (sec)':>42}: {seconds:12.3f}\n"
        text += f"\n{'Maximum memory used (kb)':>42}: {0.0:12.0f}\n"
        text += f"{'Average memory used (kb)':>42}:          N/A\n"
        self.file.write(text)
        self.file.close()


def _header(run: Run) -> str:
    text = f" vasp.{VERSION} {DECLARED}\n"
    text += f" executed on             none date {time.strftime('%Y.%m.%d  %H:%M:%S')}\n"
    text += " running    1 mpi-ranks, with    1 threads/rank, on    1 nodes\n\n"
    text += "".join(f" POTCAR:    {p.titel}\n" for p in run.potcar)
    for p in run.potcar:
        text += f"   VRHFIN ={p.element}: stand-in\n   TITEL  = {p.titel}\n"
        text += f"   POMASS = {p.mass:8.3f}; ZVAL   = {p.zval:8.3f}    mass and valenz\n"
        text += f"   ENMAX  = {p.enmax:8.3f}; ENMIN  = {0.75 * p.enmax:8.3f} eV\n"
    n = len(run.kpoints.points)
    grid = run.grid
    text += f"\n   k-points           NKPTS = {n:6d}   k-points in BZ     NKDIM = {n:6d}"
    text += f"   number of bands    NBANDS= {run.nbands:6d}\n"
    text += (
        f"   number of dos      NEDOS =    301   number of ions     NIONS = {len(run.species):6d}\n"
    )
    text += f"   total plane-waves  NPLWV = {grid[0] * grid[1] * grid[2]:6d}\n"
    text += "   dimension x,y,z NGXF={:6d} NGYF={:6d} NGZF={:6d}\n".format(*grid)
    text += f"   ENCUT  = {run.encut:7.1f} eV\n"
    text += f"   ISPIN  = {run.spins:6d}    spin polarized calculation?\n"
    text += f"   NELM   = {run.nelm:6d}\n   ISMEAR = {run.ismear:6d};   SIGMA  = {run.sigma:6.2f}\n"
    nsw = run.incar.integer("NSW", 0)
    text += f"   NSW    = {nsw:6d}    number of steps for IOM\n"
    text += f"   IBRION = {run.incar.integer('IBRION', 0 if nsw else -1):6d}    ionic relax\n"
    text += f"   ISIF   = {run.incar.integer('ISIF', 2):6d}    stress and relaxation\n"
    text += f"   NELECT = {run.nelect:12.4f}    total number of electrons\n"
    text += f"   LORBIT = {run.lorbit:6d}\n\n initial charge density was supplied:\n"
    magnetization = run.magmom.sum()
    return text + f" number of electron {run.nelect:15.7f} magnetization {magnetization:15.7f}\n\n"


def _stress(step: Step) -> str:
    """Return 'in kB' with VASP's sign: -dE/dε / V, positive under compression."""
    volume = abs(np.linalg.det(step.cell))
    stress = -step.point.stress * TO_KB
    total = " ".join(f"{-step.point.stress[i] * volume:12.5f}" for i in ORDER)
    kilobar = " ".join(f"{stress[i]:12.5f}" for i in ORDER)
    text = "  FORCE on cell =-STRESS in cart. coord.  units (eV):\n"
    text += "  Direction    XX          YY          ZZ          XY          YZ          ZX\n"
    text += f"  {RULE[:86]}\n  Total  {total}\n  in kB  {kilobar}\n"
    pressure = np.trace(stress) / 3
    text += f"  external pressure = {pressure:12.2f} kB  Pullay stress = {0.0:10.2f} kB\n\n"
    return text + f"  volume of cell : {volume:12.4f}\n\n"


def _forces(step: Step) -> str:
    rows = np.hstack([step.frac @ step.cell, step.point.forces])
    text = " POSITION                                       TOTAL-FORCE (eV/Angst)\n"
    text += f" {RULE[:83]}\n"
    text += "".join(" ".join(f"{x:13.6f}" for x in row) + "\n" for row in rows)
    drift = " ".join(f"{x:13.6f}" for x in step.point.forces.sum(axis=0))
    return text + f" {RULE[:83]}\n    total drift:                      {drift}\n\n"


def _table(title: str, values: np.ndarray) -> str:
    """Return a table by ions; all of a value is put into the d column."""
    head = f"\n\n {title}\n\n# of ion       s       p       d       tot\n{RULE[:50]}\n"
    body = "".join(
        f"{k:5d} {0:10.3f}{0:10.3f}{v:10.3f}{v:10.3f}\n" for k, v in enumerate(values, 1)
    )
    total = float(np.sum(values))
    return head + body + f"{RULE[:50]}\ntot   {0:10.3f}{0:10.3f}{total:10.3f}{total:10.3f}\n\n"
