"""Many rows in the results database: insertion, a selection, a table.

Writes made-up rows (energies invented, marked by the campaign's name) to a SQLite file in a
temporary folder, or to a server, and prints rows per second and seconds.

    python benchmarks/database.py [ROWS] [postgresql://...]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import get_engine
from vacancy_flows.host_plan import HostPlan
from vacancy_flows.identity import root_uid
from vacancy_flows.reading import query_database
from vacancy_flows.schemas import Record, Result
from vacancy_flows.structures import built_in_host, prepare_host

ROWS = 100_000
BATCH = 5_000


def records(number: int) -> Any:
    """Yield made-up pristine cells and vacancies of a 95-atom cell, no physics in them."""
    engine = get_engine("chgnet")
    root = prepare_host(built_in_host("Li2MnO3"), (1, 2, 2))
    cell = root.copy()
    cell.remove_sites([len(root) - 1])
    plan = HostPlan(
        campaign="made-up", host="made-up", root=root, root_uid=root_uid(root), fingerprint={}
    )
    forces = [[0.001, 0.0, 0.0]] * len(cell)
    for index in range(number):
        host = f"host{index // 200}"
        pristine = index % 200 == 0
        structure = root if pristine else cell
        if pristine:
            partner = f"u{index:016x}"
        description: dict[str, Any] = {
            "host": host,
            "strain_mode": "hydrostatic",
            "strain": 0.01,
            "campaign": "made-up",
        }
        if not pristine:
            description |= {"site": f"O-8j-{index % 200}", "wyckoff": "8j", "multiplicity": 1}
            description |= {"coordination": 6, "removed_element": "O", "pristine_uid": partner}
        kind = "pristine" if pristine else "vacancy"
        calculation = plan.calculation(kind, "u0", {"n": index}, structure, "fixed", **description)
        calculation.uid = f"u{index:016x}"
        result = Result(
            structure=structure,
            energy=-600.0 + index * 1e-6,
            forces=forces[: len(structure)] if not pristine else [*forces, [0.0, 0.0, 0.0]],
            stress=[[0.0] * 3] * 3,
            max_force=0.001,
            converged=True,
            reason="made up",
        )
        yield Record(
            calculation=calculation,
            result=result,
            engine=engine.name,
            energy_scale=engine.energy_scale,
            fingerprint={},
        )


def main() -> None:
    """Insert, select and read."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    location: str | Path
    with tempfile.TemporaryDirectory() as folder:
        location = sys.argv[2] if len(sys.argv) > 2 else Path(folder) / "results.db"
        database = ResultsDatabase(location)
        batch: list[Record] = []
        spent = 0.0
        for record in records(number):
            batch.append(record)
            if len(batch) == BATCH:
                start = time.perf_counter()
                database.add(batch)
                spent += time.perf_counter() - start
                batch = []
        start = time.perf_counter()
        database.add(batch)
        spent += time.perf_counter() - start
        print(f"insertion: {number / spent:.0f} rows/s")
        for selection in ("host=host7", "host=host7,strain>0", "host=nothing"):
            start = time.perf_counter()
            lines = query_database(location, selection, "csv", {"mu_o": -4.8}).count("\n") - 1
            print(f"{selection}: {lines} rows in {time.perf_counter() - start:.3f} s")
        start = time.perf_counter()
        rows = len(database.vacancies([("strain", "=", 0.01)]))
        print(f"DataFrame: {rows} rows in {time.perf_counter() - start:.2f} s")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
