"""An invented charge density: Gaussians on the atoms that hold ZVAL electrons and a guess of ions.

Cations give fixed charges, anions share them; where there is only one kind, atoms are
neutral. The valence integrates to NELECT, core and valence to all electrons.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from standin_vasp.run import Run
from standin_vasp.toy import ANIONS

Array = NDArray[np.float64]
GIVES = {"Li": 0.85, "Na": 0.85, "Mg": 1.6, "Mn": 1.8, "Ni": 1.3, "Co": 1.3}  # e
PROTONS = {"Li": 3, "N": 7, "O": 8, "F": 9, "Na": 11, "Mg": 12, "Al": 13, "S": 16, "Ti": 22}
PROTONS |= {"Mn": 25, "Fe": 26, "Co": 27, "Ni": 28, "Ga": 31}
VALENCE, CORE = 0.5, 0.32  # Å, widths


def charges(run: Run) -> Array:
    """Return the valence electrons of each atom, with sum NELECT."""
    zval = np.repeat([p.zval for p in run.potcar], run.poscar.counts)
    gives = np.array([0.0 if s in ANIONS else GIVES.get(s, 1.2) for s in run.species])
    anions = np.array([s in ANIONS for s in run.species])
    if anions.any() and not anions.all():
        gives[anions] = -gives.sum() / anions.sum()
    else:
        gives[:] = 0.0
    held = zval - gives
    return np.asarray(held * run.nelect / held.sum())


def _gaussians(run: Run, cell: Array, frac: Array, electrons: Array, width: float) -> Array:
    """Density times volume on the grid, through its exact Fourier series."""
    waves = [np.fft.fftfreq(n, 1.0 / n) for n in run.grid]
    phases = [np.exp(-2j * np.pi * np.outer(frac[:, k], waves[k])) for k in range(3)]
    series = np.einsum("a,ai,aj,ak->ijk", electrons, *phases, optimize=True)
    g = np.stack(np.meshgrid(*waves, indexing="ij"), -1) @ (2 * np.pi * np.linalg.inv(cell).T)
    series = series * np.exp(-0.5 * width**2 * np.sum(g**2, axis=-1))
    return np.fft.ifftn(series).real * np.prod(run.grid)


def _write(path: Path, head: str, run: Run, grids: list[Array]) -> None:
    text = head
    for grid in grids:
        values = grid.ravel(order="F")
        lines = [values[k : k + 5] for k in range(0, len(values), 5)]
        text += "{:5d}{:5d}{:5d}\n".format(*run.grid)
        text += "\n".join(" ".join(f"{v:.11E}" for v in line) for line in lines) + "\n"
    path.write_text(text)


def write_density(directory: Path, run: Run, cell: Array, frac: Array, head: str) -> None:
    """Write CHGCAR (LCHARG) and AECCAR0, AECCAR2 (LAECHG); ``head`` is the structure."""
    keep = run.incar.flag("LCHARG", default=True)
    both = run.incar.flag("LAECHG", default=False)
    if not keep and not both:
        return
    held = charges(run)
    valence = _gaussians(run, cell, frac, held, VALENCE)
    if keep:
        grids = [valence]
        if run.spins == 2:
            grids.append(_gaussians(run, cell, frac, run.moments, VALENCE))
        _write(directory / "CHGCAR", head, run, grids)
    if both:
        protons = np.array([PROTONS[s] for s in run.species], dtype=float)
        zval = np.repeat([p.zval for p in run.potcar], run.poscar.counts)
        core = _gaussians(run, cell, frac, protons - zval, CORE)
        _write(directory / "AECCAR0", head, run, [core])
        _write(directory / "AECCAR2", head, run, [valence])
