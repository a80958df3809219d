"""An invented rule for magnetic moments, with VASP's ways of starting and constraining them.

Final moments are 0.95 of the nearest whole number for transition metals (so 4 → 3.8,
3 → 2.85 and a restart from 2.85 stays there) and zero elsewhere, except oxygen that starts
above 0.8 μB. NUPDOWN fixes the sum.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from standin_vasp.inputs import Incar, InputError

Array = NDArray[np.float64]

TRANSITION = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu")
MODEL = {"Mn": 3.0, "Fe": 4.0, "Ni": 1.0}  # μB where no start is given
COVALENT = 0.95
KEEPS = 0.8  # μB from which oxygen stays magnetic


def start(species: list[str], incar: Incar, wavecar: Path) -> Array:
    """Return the moments that the run begins with, in μB.

    As in VASP, MAGMOM is ignored where a WAVECAR is read (ISTART > 0, the default if there
    is one): then they are those of the WAVECAR, or of the model if it is of other atoms.
    """
    n = len(species)
    model = np.array([MODEL.get(s, 0.0) for s in species])
    if incar.integer("ISPIN", 1) != 2:
        return np.zeros(n)
    if incar.integer("ISTART", 1) > 0 and wavecar.is_file() and wavecar.stat().st_size:
        stored = json.loads(wavecar.read_text())
        return np.array(stored["moments"]) if stored["species"] == species else model
    given = incar.numbers("MAGMOM")
    if given and len(given) < n:
        said = f"Error code was IERR= 0 ... Found N= {len(given):4d} data."
        raise InputError(f"Error reading item 'MAGMOM' from file INCAR.\n{said}")
    return np.array(given[:n]) if given else model


def settle(species: list[str], moments: Array, nupdown: float) -> Array:
    """Return the moments that the run ends with, in μB; the rule is its own fixed point."""
    final = np.zeros(len(species))
    for k, (element, moment) in enumerate(zip(species, moments, strict=True)):
        magnetic = element in TRANSITION or (element == "O" and abs(moment) >= KEEPS)
        final[k] = COVALENT * np.round(moment / (COVALENT if _settled(moment) else 1.0))
        final[k] *= magnetic
    if nupdown >= 0:
        carriers = [k for k, s in enumerate(species) if s in TRANSITION] or list(range(len(final)))
        final[carriers] += (nupdown - final.sum()) / len(carriers)
    return final


def _settled(moment: float) -> bool:
    """Whether a moment is already one of the rule's."""
    return abs(moment / COVALENT - round(moment / COVALENT)) < 1e-3


def write_wavecar(path: Path, species: list[str], moments: Array) -> None:
    """Write a WAVECAR that holds nothing but the moments."""
    content = {"stand-in": "no wave functions", "species": species, "moments": moments.tolist()}
    path.write_text(json.dumps(content))
