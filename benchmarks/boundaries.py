"""Boundary cells and their delithiation: seconds and atoms of each step, on one core.

    OMP_NUM_THREADS=1 python benchmarks/boundaries.py

Targets (issue 4): the 192-atom tilt with its translation search under 10 s, 1000 atoms under a
minute, the proof of 6 of 48 Li under 30 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from vacancy_flows.structures import prepare_host
from vacancy_flows.structures.boundaries import (
    Orientation,
    bicrystals,
    find_matches,
    preset_boundary,
)
from vacancy_flows.structures.delithiation_mc import delithiate
from vacancy_flows.structures.ncm import layered_host

TILT = Orientation((-1, 0, 0), (0, 0, 1), -71.0, 38.0)


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Run once, print seconds."""
    start = time.perf_counter()
    result = work()
    print(f"{name:45s} {time.perf_counter() - start:7.2f} s")
    return result


def main() -> None:
    """Time each step."""
    bulk = layered_host("Co")
    match = timed("match table", lambda: find_matches(bulk, TILT, depth=2)[0])
    timed("192 atoms, search and push", lambda: bicrystals(bulk, match, 1))
    timed("192 atoms, four candidates", lambda: bicrystals(bulk, match, 4))
    tilt = timed("tilt_109 with decoration", lambda: preset_boundary("tilt_109")[0])
    timed("tilt_109_ordered, 288 atoms", lambda: preset_boundary("tilt_109_ordered"))
    timed("twin_104, 96 atoms", lambda: preset_boundary("twin_104"))
    large = find_matches(bulk, TILT, thickness=24.0, depth=4)[0]
    timed(f"{large.n_atoms} atoms, search and push", lambda: bicrystals(bulk, large, 1))
    host = prepare_host(tilt)
    proof = timed("6 of 48 Li left, proved", lambda: delithiate(host, 42, keep=4))
    timed("6 of 48 Li left, sampled", lambda: delithiate(host, 42, keep=4, proof_limit=0))
    print(proof.as_dict())


if __name__ == "__main__":
    main()
