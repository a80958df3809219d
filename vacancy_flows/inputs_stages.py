"""A calculation as folders: some need runs before the one whose energy counts.

As `vacancy_flows.flows.CalculationMaker` and `VaspRelaxMaker` have it: a free cell is followed
by a fixed one, and of several magnetic starts the lowest counts. By hand each of these runs has
a folder and a uid of its own, and the last one, with the campaign's uid, goes on from the lowest.
A static for Bader charges comes after it, with a uid of its own too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any

from jobflow import run_locally
from pymatgen.core import Structure

from vacancy_flows.engines import get_engine
from vacancy_flows.engines.vasp.run_files import settled
from vacancy_flows.flows.calculation import start_from, start_of
from vacancy_flows.identity import uid
from vacancy_flows.ingest.sidecar import STATIC
from vacancy_flows.rawstore import memory_store
from vacancy_flows.schemas import Calculation, Record

_STAGE = "stage"  # of an operation: part of a calculation


def stages(calculation: Calculation, fingerprint: dict[str, Any]) -> dict[str, Calculation]:
    """Return the runs that go before a calculation, by what is added to its folder's name.

    Parameters
    ----------
    calculation
        Of a campaign.
    fingerprint
        Of the engine.

    Returns
    -------
    dict
        Empty where one run is enough. Kinds are ``host`` (free cell) and ``candidate``, which
        stand in no E_f.
    """
    starts = _starts(calculation)
    free = calculation.cell != "fixed" and _ends_fixed(calculation)
    if len(starts) > 1:
        names = [f"start-{number}" for number in range(1, len(starts) + 1)]
    elif free:
        names = ["free"]
    else:
        return {}
    return {
        name: _stage(calculation, name, electrons, fingerprint, free=free)
        for name, electrons in zip(names, starts, strict=True)
    }


def last(calculation: Calculation, before: Sequence[Record]) -> Calculation | None:
    """Return a calculation on the lowest of what went before; None where none converged.

    Parameters
    ----------
    calculation
        Of a campaign; where nothing goes before, it begins with its electrons placed.
    before
        Records of its `stages`.
    """
    if not before:
        structure = start_of(calculation.structure, _starts(calculation)[0])
        return calculation.model_copy(update={"structure": structure})
    converged = [record for record in before if record.result.converged]
    if not converged:
        return None
    lowest = min(converged, key=lambda record: record.result.energy)
    structure = settled(calculation, lowest.structure, lowest.result.moments)
    return calculation.model_copy(update={"structure": structure})


def static_of(record: Record, fingerprint: dict[str, Any]) -> Calculation:
    """Return the static of a finished cell, whose densities give its Bader charges.

    Parameters
    ----------
    record
        Of a cell with its moments; the static's parent.
    fingerprint
        Of the engine.
    """
    update = {
        "uid": uid(record.uid, STATIC, fingerprint),
        "kind": "candidate",
        "parent_uid": record.uid,
        "operation": dict(STATIC),
        "structure": record.structure,
        "cell": "fixed",
        "pristine_uid": None,
        "reference_uids": {},
    }
    return record.calculation.model_copy(update=update)


def cell_of_last(calculation: Calculation) -> str:
    """Return what the run whose energy counts is: its cell ``free`` or ``fixed``, or ``static``."""
    if calculation.operation == STATIC:
        return "static"
    return "fixed" if _ends_fixed(calculation) else calculation.cell


def prerelaxed(calculation: Calculation) -> Structure:
    """Return where a run starts: relaxed by another engine here, where that is wanted."""
    wanted = calculation.operation.get("prerelax")
    if wanted is None:
        return calculation.structure
    cell: Any = calculation.cell.split("-")[0]
    engine = get_engine(wanted["engine"])
    maker = engine.relax_maker(cell, wanted["fmax"], calculation.max_steps, name="prerelax")
    job = maker.make(calculation.structure)
    with tempfile.TemporaryDirectory() as folder:
        options = {"log": False, "create_folders": True, "raise_immediately": True}
        done = run_locally(job, store=memory_store(), root_dir=folder, **options)
    relaxed = max(done[job.output.uuid].items())[1].output
    placed = bool(calculation.operation.get("magnetic_starts"))
    structure: Structure = start_from.original(calculation.structure, relaxed, keep_moments=placed)
    return structure


def _starts(calculation: Calculation) -> list[dict[str, float]]:
    """Return electrons to place, one entry for each start; of a stage they are in place."""
    if _STAGE in calculation.operation:
        return [{}]
    return calculation.operation.get("magnetic_starts") or [{}]


def _ends_fixed(calculation: Calculation) -> bool:
    return calculation.cell == "free-fixed" or calculation.kind == "reference"


def _stage(
    calculation: Calculation,
    name: str,
    electrons: dict[str, float],
    fingerprint: dict[str, Any],
    *,
    free: bool,
) -> Calculation:
    operation = {**calculation.operation, _STAGE: name}
    update = {
        "uid": uid(calculation.parent_uid, operation, fingerprint),
        "kind": "host" if free else "candidate",
        "operation": operation,
        "structure": start_of(calculation.structure, electrons),
        "cell": "free" if free else "fixed",
        "pristine_uid": None,
        "reference_uids": {},
        "reference_kind": None,
    }
    return calculation.model_copy(update=update)
