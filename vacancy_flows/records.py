"""From an engine's result to the record that is stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from vacancy_flows.engines.base import Engine
from vacancy_flows.schemas import Calculation, Record, Result
from vacancy_flows.structures import site_classes
from vacancy_flows.structures.boundaries import damage
from vacancy_flows.structures.magnetic_state import magnetic_state
from vacancy_flows.structures.vacant import vacancy_move


def make_record(calculation: Calculation, result: Result, engine: Engine) -> Record:
    """Join a calculation and its result.

    The classes of oxygen sites of a pristine cell are chosen here, once, on its relaxed
    geometry and its initial moments; a resumed campaign reads them. Where the engine uses
    moments, ``choice["magnetic_state"]`` of a vacancy tells whether its electrons went where
    formal states expect them (`magnetic_state`). A relaxation that moved the vacancy or tore a
    boundary's grains apart is not converged, and its reason says so; ``choice["damage"]`` lists
    what happened.

    Parameters
    ----------
    calculation
        What was asked for.
    result
        What came out.
    engine
        That did it.
    """
    result, choice = judged(calculation, result, uses_moments=engine.uses_moments)
    return Record(
        calculation=calculation,
        result=result,
        engine=engine.name,
        energy_scale=engine.energy_scale,
        fingerprint=engine.fingerprint(),
        choice=choice,
        effort=engine.effort(),
    )


def judged(
    calculation: Calculation, result: Result, *, uses_moments: bool
) -> tuple[Result, dict[str, Any]]:
    """Return a result and what is decided on it once; see `make_record`."""
    choice = _choice(calculation, result, uses_moments=uses_moments)
    found = relaxation_damage(calculation, result)
    if found:
        choice["damage"] = found
        stopped = [] if result.converged else [result.reason]
        update = {"converged": False, "reason": "; ".join([*stopped, *found])}
        result = result.model_copy(update=update)
    return result, choice


def relaxation_damage(calculation: Calculation, result: Result) -> list[str]:
    """Say what a relaxation did that makes its energy that of something else.

    Parameters
    ----------
    calculation
        With the cell as it was before.
    result
        With the same sites, relaxed.

    Returns
    -------
    list of str
        Empty where the vacancy stayed and the grains are whole.
    """
    before, after = calculation.structure, result.structure
    found = []
    if before.properties.get("vacancy"):
        found.append(vacancy_move(before, after))
    if before.properties.get("boundary"):
        found += damage(before, after)
    return [text for text in found if text]


def _choice(calculation: Calculation, result: Result, *, uses_moments: bool) -> dict[str, Any]:
    """Return classes of sites, or where electrons went."""
    choice: dict[str, Any] = {}
    if calculation.kind == "pristine":
        moments = result.structure.site_properties.get("initial_magmom")
        classes = site_classes(result.structure, moments=moments)
        choice["classes"] = [asdict(found) for found in classes]
    before = calculation.structure.site_properties.get("magmom")
    if calculation.kind == "vacancy" and uses_moments and before and result.moments:
        removed = calculation.removed_element or "O"
        choice["magnetic_state"] = magnetic_state(calculation.structure, result.moments, removed)
    return choice


def keep_lowest(records: list[Record | None], placed: list[dict[str, float]]) -> Record:
    """Return the record of the magnetic start that is lowest, with what became of the others.

    Parameters
    ----------
    records
        One for each start, None where it failed; not all None.
    placed
        Label to moment (µB) of the electrons placed, for each start.

    Returns
    -------
    Record
        Of the lowest energy that converged, of the lowest of all where none did. Its ``choice``
        has ``magnetic_starts``: which was ``kept``, counted from 1, and of each of ``starts``
        the electrons placed, energy (eV), total moment (µB) and whether it converged. Times are
        the sums over all.
    """
    done = {i: record for i, record in enumerate(records) if record is not None}
    order = sorted(done, key=lambda i: (not done[i].result.converged, done[i].result.energy))
    kept = done[order[0]]
    starts = [_start(done.get(i), electrons) for i, electrons in enumerate(placed)]
    choice = {**kept.choice, "magnetic_starts": {"kept": order[0] + 1, "starts": starts}}
    times = {
        "wall_s": sum(record.result.wall_s for record in done.values()),
        "cpu_s": sum(record.result.cpu_s for record in done.values()),
    }
    return kept.model_copy(
        update={"choice": choice, "result": kept.result.model_copy(update=times)}
    )


def _start(record: Record | None, electrons: dict[str, float]) -> dict[str, Any]:
    """Return what became of one magnetic start."""
    found: dict[str, Any] = {"electrons": electrons, "energy": None, "converged": False}
    if record is None:
        return {**found, "total_moment": None}
    result = record.result
    total = result.provenance.get("total_moment")
    if total is None and result.moments is not None:
        total = round(sum(result.moments), 3)
    return {**found, "energy": result.energy, "converged": result.converged, "total_moment": total}
