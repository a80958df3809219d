"""CPU time of four vacancy relaxations: atomate2's default CHGNet Maker against ours.

Two oxygen sites of Li2MnO3 in the 24-atom cell (23 atoms with the vacancy) and in a
1×1×2 cell (47 atoms), frozen cell, fmax 0.01 eV/Å, one thread, both in one process, each
model loaded once before the clock starts. Prints CPU seconds, their ratio and the
difference of the final energies.

    OMP_NUM_THREADS=1 python benchmarks/relaxation.py
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings

from atomate2.forcefields.jobs import ForceFieldRelaxMaker
from pymatgen.core import Structure

from vacancy_flows.engines import get_engine
from vacancy_flows.structures import built_in_host, prepare_host, remove_labels

FMAX, STEPS = 0.01, 500


def vacancies() -> dict[str, Structure]:
    """Return unrelaxed vacancy cells cut from the relaxed host."""
    engine = get_engine("chgnet")
    cells = {}
    for size in (1, 2):
        host = prepare_host(built_in_host("Li2MnO3"), (1, 1, size))
        relaxed = engine.relax_maker("free", FMAX, STEPS).relax(host).structure
        for label in ("O-4i-1", "O-8j-1"):
            cells[f"{len(host) - 1} atoms, {label}"] = remove_labels(relaxed, [label])
    return cells


def main() -> None:
    """Time both Makers on the same cells."""
    warnings.simplefilter("ignore")
    ours = get_engine("chgnet").relax_maker("fixed", FMAX, STEPS)
    theirs = ForceFieldRelaxMaker(
        force_field_name="CHGNet", relax_cell=False, steps=STEPS, relax_kwargs={"fmax": FMAX}
    )
    with contextlib.redirect_stdout(io.StringIO()):
        _ = theirs.calculator
    total = [0.0, 0.0]
    print(f"{'cell':22} {'atomate2 s':>11} {'ours s':>8} {'ratio':>6} {'dE meV':>8}")
    for name, cell in vacancies().items():
        start = time.process_time()
        result = theirs.run_ase(cell.copy())
        middle = time.process_time()
        mine = ours.relax(cell)
        end = time.process_time()
        energy = result.trajectory.frame_properties[-1]["energy"]
        spent = [middle - start, end - middle]
        total = [a + b for a, b in zip(total, spent, strict=True)]
        difference = 1000 * (mine.energy - energy)
        print(
            f"{name:22} {spent[0]:11.1f} {spent[1]:8.1f} {spent[0] / spent[1]:6.2f} "
            f"{difference:8.2f}"
        )
    print(f"{'all four':22} {total[0]:11.1f} {total[1]:8.1f} {total[0] / total[1]:6.2f}")


if __name__ == "__main__":
    main()
