"""What follows from what: pure functions from a finished calculation to the next ones.

The local runner and the jobflow Makers both ask here, so a campaign is the same wherever
it runs: host → strained pristine cells → one vacancy per class of sites. Orderings come
before (``from: built``) or after (``from: relaxed``) the relaxation of the host.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pymatgen.core import Structure

from vacancy_flows.host_plan import HostPlan, StrainPoint
from vacancy_flows.identity import rounded
from vacancy_flows.schemas import MESH_LATTICE, Calculation, Record
from vacancy_flows.structures import (
    Removal,
    SiteClass,
    deform,
    distinct_removals,
    electrostatic_energies,
    lowest,
    oxidation_states,
    removal_count,
    remove_labels,
    select_classes,
)
from vacancy_flows.structures.delithiation_mc import delithiate
from vacancy_flows.structures.neel import MAGNETIC
from vacancy_flows.structures.reduction import electron_starts
from vacancy_flows.structures.vacant import with_vacancy

__all__ = [
    "HostPlan",
    "StrainPoint",
    "after",
    "orderings",
    "pristine_calculation",
    "rank",
    "ranked",
    "removals",
    "site_classes_of",
    "start",
    "vacancy_calculation",
]

_TIE = 1e-6  # eV; orderings closer than this are kept together
_PRERELAX_FMAX = 0.05  # eV/Å; what is left is the other engine's error anyway


def start(plan: HostPlan) -> list[Calculation]:
    """Return the calculations that need nothing before them.

    Returns
    -------
    list of Calculation
        The host, or its orderings; where they are of kind ``candidate``, `rank` decides
        between them when all are finished.
    """
    if plan.delithiate is not None and plan.delithiate.start == "built":
        return orderings(plan, plan.root_uid, plan.root)
    moments = _initial_moments(plan.root)
    operation = {**moments, **_prerelax(plan)}
    return [plan.calculation("host", plan.root_uid, operation, plan.root, "free")]


def after(plan: HostPlan, record: Record) -> list[Calculation]:
    """Return what a converged calculation makes possible.

    Parameters
    ----------
    plan
        Of the host.
    record
        A host, a chosen candidate, or a pristine cell; nothing follows a vacancy.

    Returns
    -------
    list of Calculation
        Orderings, strained pristine cells, or vacancies.
    """
    kind = record.calculation.kind
    record = _own(plan, record)
    if kind == "pristine":
        return _vacancies(plan, record)
    if kind not in ("host", "candidate"):
        return []
    if plan.delithiate is not None and "remove" not in record.calculation.operation:
        return orderings(plan, record.uid, record.structure)
    structure = _with_found_moments(record)
    return [
        pristine_calculation(plan, record.calculation, structure, point) for point in plan.strains
    ]


def _own(plan: HostPlan, record: Record) -> Record:
    """Return a record with the properties of this plan's root: axes, oxidation states.

    Another host may have calculated it first, whose strain refers to other axes.
    """
    structure = record.structure.copy()
    structure.properties = deepcopy(plan.root.properties)
    return record.model_copy(
        update={"result": record.result.model_copy(update={"structure": structure})}
    )


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


def site_classes_of(record: Record) -> list[SiteClass]:
    """Return the classes of sites that were chosen when a pristine cell finished."""
    return [
        SiteClass(**{**entry, "members": tuple(entry["members"])})
        for entry in record.choice["classes"]
    ]


def _with_ordering(record: Record, position: int, energy: float) -> Record:
    update = {"ordering": position, "ordering_energy": energy}
    return record.model_copy(update={"calculation": record.calculation.model_copy(update=update)})


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
        operation = {"remove": list(way.labels), **_initial_moments(cell), **_prerelax(plan)}
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
        operation = {"remove": list(way.labels), **_initial_moments(cell), **_prerelax(plan)}
        above = {"ordering": position, "ordering_energy": float(energy - found.energies[0])}
        calculations.append(plan.calculation("host", parent, operation, cell, wanted.cell, **above))
    return calculations


def removals(plan: HostPlan) -> list[Removal]:
    """Return the symmetry-distinct ways to delithiate the root of a plan."""
    if plan.delithiate is None:
        return []
    n_li = sum(site.specie.symbol == "Li" for site in plan.root)
    return distinct_removals(plan.root, removal_count(n_li, plan.delithiate.fraction))


def pristine_calculation(
    plan: HostPlan, host: Calculation, structure: Structure, point: StrainPoint
) -> Calculation:
    """Return the calculation of one strained pristine cell.

    Parameters
    ----------
    plan
        Of the host.
    host
        Parent: the host, or the ordering that was kept.
    structure
        Its geometry, relaxed (or, for an estimate, as built).
    point
        Strain to put on it.
    """
    # The uid takes F on the axes of the built cell, so that it is known beforehand and no
    # relaxed coordinate enters; the strain itself is on the engine's own relaxed cell.
    operation = {"strain": point.mode, "deform": rounded(point.gradient_on_root(plan.root))}
    if point.mode != "none":  # the unstrained cell has just been relaxed
        operation |= _prerelax(plan)
    return plan.calculation(
        "pristine",
        host.uid,
        operation,
        deform(structure, point.gradient_on(structure)),
        "fixed",
        strain_mode=point.mode,
        strain=point.value,
        ordering=host.ordering,
        ordering_energy=host.ordering_energy,
        reference_uids=plan.reference_uids,
    )


def vacancy_calculation(
    plan: HostPlan,
    pristine: Calculation,
    structure: Structure,
    found: SiteClass,
    net_charge: float | None = None,
) -> Calculation:
    """Return the calculation of the vacancy of one class of sites.

    Parameters
    ----------
    plan
        Of the host.
    pristine
        Parent.
    structure
        Its geometry, relaxed (or, for an estimate, as built).
    found
        The class; its first member is removed.
    net_charge
        Of that member in the pristine cell, e, where the engine found one.
    """
    cell = with_vacancy(structure, found.label)
    if plan.relax.cell == "free":  # one mesh for the pair, whatever becomes of the cell
        cell.properties[MESH_LATTICE] = structure.lattice.matrix.tolist()
    return plan.calculation(
        "vacancy",
        pristine.uid,
        {"vacancy": found.label, **_prerelax(plan), **_electrons(plan, structure, found.label)},
        cell,
        "fixed" if plan.relax.cell == "fixed" else "free-fixed",
        strain_mode=pristine.strain_mode,
        strain=pristine.strain,
        ordering=pristine.ordering,
        ordering_energy=pristine.ordering_energy,
        site=found.label,
        wyckoff=found.wyckoff,
        multiplicity=found.multiplicity,
        coordination=found.coordination,
        removed_element=found.label.split("-", maxsplit=1)[0],
        net_charge=net_charge,
        pristine_uid=pristine.uid,
        reference_uids=plan.reference_uids,
        n_atoms=len(structure),
    )


def _vacancies(plan: HostPlan, pristine: Record) -> list[Calculation]:
    classes = site_classes_of(pristine)
    structure = _with_found_moments(pristine)
    classes = chosen_classes(plan, classes)
    labels = structure.site_properties["label"]
    charges = dict(zip(labels, pristine.result.charges or (), strict=False))
    return [
        vacancy_calculation(plan, pristine.calculation, structure, found, charges.get(found.label))
        for found in classes
    ]


def chosen_classes(plan: HostPlan, classes: list[SiteClass]) -> list[SiteClass]:
    """Return the classes of sites that become vacant: all, or those of the plan's labels."""
    return classes if plan.labels is None else select_classes(classes, plan.labels)


def _initial_moments(structure: Structure) -> dict[str, Any]:
    moments = structure.site_properties.get("initial_magmom")
    if not moments:
        return {}
    labels = structure.site_properties["label"]
    return {"moments": dict(sorted(zip(labels, rounded(moments, 4), strict=True)))}


def _prerelax(plan: HostPlan) -> dict[str, Any]:
    """Return which engine relaxes a cell before ours does."""
    engine = plan.relax.prerelax
    return {} if engine is None else {"prerelax": {"engine": engine, "fmax": _PRERELAX_FMAX}}


def _electrons(plan: HostPlan, structure: Structure, label: str) -> dict[str, Any]:
    """Return where the electrons of a vacancy are placed at the start, one entry per start.

    Engines that take no moments get none, nor does a single start with ``prerelax``, which has
    moments of its own where all are parallel.
    """
    starts = plan.magnetic_starts
    moments = structure.site_properties.get("magmom")
    if not moments or "initial_magmom" not in structure.site_properties:
        return {}
    parallel = min(moments) > -MAGNETIC or max(moments) < MAGNETIC
    if plan.relax.prerelax is not None and starts == 1 and parallel:
        return {}
    try:
        found = electron_starts(structure, label, moments, starts)
    except ValueError:  # no formal states: the pristine cell's moments are the start
        return {}
    return {"magnetic_starts": found} if found else {}


def _with_found_moments(record: Record) -> Structure:
    """Start from the moments a calculation ended with, where the engine uses moments."""
    structure = record.structure
    if "magmom" not in structure.site_properties or record.result.moments is None:
        return structure
    result = structure.copy()
    result.add_site_property("magmom", record.result.moments)
    return result
