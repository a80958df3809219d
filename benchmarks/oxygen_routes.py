"""mu_O by O2 and by Li2O with GPAW at several cutoffs, and how far the two are apart.

Ten minutes of one core for the cutoffs of docs/gpaw.md. ``Li=sv`` takes another setup of an
element, from a folder that GPAW_SETUP_PATH names.

    OMP_NUM_THREADS=1 python benchmarks/oxygen_routes.py 350 500 520 600 700
    OMP_NUM_THREADS=1 GPAW_SETUP_PATH=$PWD python benchmarks/oxygen_routes.py 350 500 600 Li=sv
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings

from vacancy_flows.analysis import mu_o_from_li2o
from vacancy_flows.analysis.routes import O2_OVERBINDING
from vacancy_flows.engines import REFERENCE_KINDS, get_engine

FMAX, STEPS = 0.05, 30  # eV/Å


def main(cutoffs: list[float], setups: dict[str, str]) -> None:
    """Calculate the references at each cutoff."""
    warnings.simplefilter("ignore")
    print(f"GPAW, energy scale pbe, eV; O2 with a shift of {O2_OVERBINDING:+} eV per O atom\n")
    print("| cutoff, eV | E(O2) | E(Li) | E(Li2O) | mu_O by O2 | by Li2O | apart |", flush=True)
    for cutoff in cutoffs:
        engine = get_engine("gpaw", {"encut": cutoff, "stress": False, "setups": setups})
        energies = {}
        for kind in REFERENCE_KINDS:
            cell = engine.reference(kind)
            maker = engine.relax_maker(cell.cell, FMAX, STEPS, f"{kind} {cutoff:g}")
            energies[kind] = maker.relax(cell.structure).energy / cell.units
        by_o2 = energies["O2"] / 2 + O2_OVERBINDING
        by_li2o = mu_o_from_li2o(energies["Li2O"], energies["Li"])
        values = [*(energies[kind] for kind in ("O2", "Li", "Li2O")), by_o2, by_li2o]
        told = " | ".join(f"{value:.3f}" for value in [*values, by_li2o - by_o2])
        print(f"| {cutoff:g} | {told} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    wanted = [float(word) for word in sys.argv[1:] if "=" not in word]
    named = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main(wanted, named)
