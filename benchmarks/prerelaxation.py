"""Force calls of GPAW that a potential saves: one vacancy relaxation in 12-atom Li2MnO3.

The O-4i vacancy at 350 eV, 2×2×2, U 4.2, in the cell that CHGNet relaxes, to 0.03 eV/Å. GPAW
starts from the relaxed pristine positions, from CHGNet's relaxed vacancy, and from
CHGNet-r2SCAN's. Prints force calls, CPU seconds and the difference of the final energies; logs
stay in a temporary folder while it runs. Half an hour of one core.

    OMP_NUM_THREADS=1 python benchmarks/prerelaxation.py
"""

from __future__ import annotations

import os
import tempfile
import warnings

from vacancy_flows.engines import get_engine
from vacancy_flows.flows.calculation import start_from
from vacancy_flows.structures import built_in_host, initial_moments, prepare_host, remove_labels

FMAX, STEPS, NEAR = 0.03, 100, 0.05  # eV/Å; NEAR is what `prerelax` asks of the potential


def main() -> None:
    """Relax the same vacancy from three starts."""
    warnings.simplefilter("ignore")
    chgnet = get_engine("chgnet")
    host = chgnet.relax_maker("free", 0.01, 500).relax(
        prepare_host(built_in_host("Li2MnO3", "primitive"))
    )
    pristine = host.structure
    pristine.add_site_property("magmom", initial_moments(pristine, "fm", {}))
    cell = remove_labels(pristine, ["O-4i-1"])
    starts = {"pristine positions": cell}
    for name in ("chgnet", "chgnet-r2scan"):
        before = get_engine(name).relax_maker("fixed", NEAR, 500).relax(cell)
        starts[name] = start_from.original(cell, before, keep_moments=False)
    gpaw = get_engine("gpaw", {"encut": 350.0, "stress": False})
    print(
        f"{'GPAW starts from':20} {'calls':>6} {'CPU s':>7} {'dE meV':>8} {'fmax':>6}", flush=True
    )
    first = None
    for name, start in starts.items():
        result = gpaw.relax_maker("fixed", FMAX, STEPS, name).relax(start)
        first = result.energy if first is None else first
        print(
            f"{name:20} {result.force_calls:6} {result.cpu_s:7.0f} "
            f"{1000 * (result.energy - first):8.2f} {result.max_force:6.3f}",
            flush=True,
        )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        main()
