"""From an engine's result to the record that is stored."""

from __future__ import annotations

from dataclasses import asdict

from vacancy_flows.engines.base import Engine
from vacancy_flows.schemas import Calculation, Record, Result
from vacancy_flows.structures import site_classes


def make_record(calculation: Calculation, result: Result, engine: Engine) -> Record:
    """Join a calculation and its result.

    The classes of oxygen sites of a pristine cell are chosen here, once, on its relaxed
    geometry and its initial moments; a resumed campaign reads them.

    Parameters
    ----------
    calculation
        What was asked for.
    result
        What came out.
    engine
        That did it.
    """
    choice = {}
    if calculation.kind == "pristine":
        moments = result.structure.site_properties.get("initial_magmom")
        classes = site_classes(result.structure, moments=moments)
        choice = {"classes": [asdict(found) for found in classes]}
    return Record(
        calculation=calculation,
        result=result,
        engine=engine.name,
        energy_scale=engine.energy_scale,
        fingerprint=engine.fingerprint(),
        choice=choice,
    )
