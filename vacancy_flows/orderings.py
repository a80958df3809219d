"""Orderings of a delithiated host: which ones are tried, how they are ranked, which are kept."""

from __future__ import annotations

from typing import Any

from pymatgen.core import Structure

from vacancy_flows.host_plan import HostPlan, initial_moments_operation
from vacancy_flows.schemas import Calculation, Record
from vacancy_flows.structures import (
    Removal,
    distinct_removals,
    electrostatic_energies,
    lowest,
    oxidation_states,
    removal_count,
    remove_labels,
)
from vacancy_flows.structures.delithiation_mc import delithiate

_TIE = 1e-6  # eV; orderings closer than this are kept together


def ranked(candidates: list[Record]) -> list[Record]:
    """Return the converged candidates, the lowest energy first, with rank and energy.

    Parameters
    ----------
    candidates
        Finished candidates of one parent; those that did not converge are left out.

    Returns
    -------
    list of Record
        ``ordering`` counts from 0; ``ordering_energy`` is eV per cell above the lowest.
    """
    converged = [record for record in candidates if record.result.converged]
    converged.sort(key=lambda r: (r.result.energy, r.calculation.operation["remove"]))
    return [
        _with_ordering(record, position, record.result.energy - converged[0].result.energy)
        for position, record in enumerate(converged)
    ]


def rank(plan: HostPlan, candidates: list[Record]) -> list[Record]:
    """Return the candidates kept: ``keep`` of `ranked`, more where energies tie.

    Parameters
    ----------
    plan
        Of the host.
    candidates
        Finished candidates of one parent.
    """
    if plan.delithiate is None:
        raise ValueError(f"host {plan.host} is not delithiated: there is nothing to rank")
    order = ranked(candidates)
    keep = plan.delithiate.keep
    if len(order) <= keep:
        return order
    last = order[keep - 1].calculation.ordering_energy or 0.0
    return [r for r in order if (r.calculation.ordering_energy or 0.0) <= last + _TIE]


def orderings(plan: HostPlan, parent: str, structure: Structure) -> list[Calculation]:
    """Orderings of the delithiated host: candidates for the engine, or hosts by electrostatics.

    The distinct ways are those of the root's symmetry, which a relaxation keeps; energies
    are those of ``structure``.

    Parameters
    ----------
    plan
        Of the host.
    parent
        uid of the built root or of the relaxed lithiated host.
    structure
        Geometry of that parent.
    """
    wanted = plan.delithiate
    if wanted is None:
        raise ValueError(f"host {plan.host} is not delithiated")
    if searches_orderings(plan):
        return _lowest_orderings(plan, parent, structure)
    ways = removals(plan)
    by_engine = wanted.rank == "engine"
    count = wanted.candidates if by_engine else wanted.keep
    energies: dict[tuple[str, ...], float] = {}
    if not by_engine or len(ways) > count:
        values = electrostatic_energies(structure, ways, oxidation_states(structure))
        ways, energies = (
            lowest(ways, values, count),
            {way.labels: float(value) for way, value in zip(ways, values, strict=True)},
        )
    calculations = []
    for position, way in enumerate(ways):
        cell = remove_labels(structure, way.labels)
        description: dict[str, Any] = {}
        if not by_engine:
            bottom = min(energies.values())
            description = {
                "ordering": position,
                "ordering_energy": energies[way.labels] - bottom,
            }
        operation = {
            "remove": list(way.labels),
            **initial_moments_operation(cell),
            **plan.prerelaxation(),
        }
        kind = "candidate" if by_engine else "host"
        calculations.append(
            plan.calculation(kind, parent, operation, cell, wanted.cell, **description)
        )
    return calculations


def searches_orderings(plan: HostPlan) -> bool:
    """Whether a host has too many orderings to list, and the lowest are searched for."""
    by_charges = plan.delithiate is not None and plan.delithiate.rank == "electrostatics"
    return by_charges and "boundary" in plan.root.properties


def _lowest_orderings(plan: HostPlan, parent: str, structure: Structure) -> list[Calculation]:
    """Return the lowest orderings of a boundary cell, which has too many to list."""
    wanted = plan.delithiate
    if wanted is None:
        raise ValueError(f"host {plan.host} is not delithiated")
    n_li = sum(site.specie.symbol == "Li" for site in structure)
    count = removal_count(n_li, wanted.fraction)
    states = structure.properties.get("oxidation_states")
    found = delithiate(structure, count, states=states, keep=wanted.keep)
    calculations = []
    for position, (way, energy) in enumerate(zip(found.removals, found.energies, strict=True)):
        cell = remove_labels(structure, way.labels)
        cell.properties["delithiation"] = found.as_dict()
        operation = {
            "remove": list(way.labels),
            **initial_moments_operation(cell),
            **plan.prerelaxation(),
        }
        above = {"ordering": position, "ordering_energy": float(energy - found.energies[0])}
        calculations.append(plan.calculation("host", parent, operation, cell, wanted.cell, **above))
    return calculations


def _removal(plan: HostPlan, cell: Structure, way: Removal) -> dict[str, Any]:
    """Return the operation that makes an ordering."""
    moments = initial_moments_operation(cell)
    return {"remove": list(way.labels), **moments, **plan.prerelaxation()}


def removals(plan: HostPlan) -> list[Removal]:
    """Return the symmetry-distinct ways to delithiate the root of a plan."""
    if plan.delithiate is None:
        return []
    n_li = sum(site.specie.symbol == "Li" for site in plan.root)
    return distinct_removals(plan.root, removal_count(n_li, plan.delithiate.fraction))


def _with_ordering(record: Record, position: int, energy: float) -> Record:
    update = {"ordering": position, "ordering_energy": energy}
    return record.model_copy(update={"calculation": record.calculation.model_copy(update=update)})
