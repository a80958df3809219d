"""What follows from what: pure functions from a finished calculation to the next ones.

The local runner and the jobflow Makers both ask here, so a campaign is the same wherever
it runs: host → strained pristine cells → one vacancy per class of sites. Orderings come
before (``from: built``) or after (``from: relaxed``) the relaxation of the host.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pymatgen.core import Structure

from vacancy_flows.host_plan import HostPlan, StrainPoint, initial_moments_operation
from vacancy_flows.identity import rounded
from vacancy_flows.orderings import orderings, rank, ranked
from vacancy_flows.schemas import MESH_LATTICE, Calculation, Record
from vacancy_flows.structures import (
    SiteClass,
    deform,
    select_classes,
)
from vacancy_flows.structures.neel import common_sign
from vacancy_flows.structures.reduction import electron_starts
from vacancy_flows.structures.vacant import with_vacancy

__all__ = [
    "HostPlan",
    "StrainPoint",
    "after",
    "lacks_moments",
    "pristine_calculation",
    "rank",
    "ranked",
    "site_classes_of",
    "start",
    "vacancy_calculation",
]


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
    moments = initial_moments_operation(plan.root)
    operation = {**moments, **plan.prerelaxation()}
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


def lacks_moments(plan: HostPlan, record: Record) -> str:
    """Say what to do where a calculation's final moments, which the next begin with, are unknown.

    Returns
    -------
    str
        Empty where they are known, or the engine uses none.
    """
    if "magmom" not in plan.root.site_properties or record.result.moments is not None:
        return ""
    return (
        "its row has no final moments; what depends on it was not started; put its OUTCAR beside "
        "vasprun.xml and ingest it again"
    )


def _own(plan: HostPlan, record: Record) -> Record:
    """Return a record with the properties of this plan's root: axes, oxidation states.

    Another host may have calculated it first, whose strain refers to other axes.
    """
    structure = record.structure.copy()
    structure.properties = deepcopy(plan.root.properties)
    return record.model_copy(
        update={"result": record.result.model_copy(update={"structure": structure})}
    )


def site_classes_of(record: Record) -> list[SiteClass]:
    """Return the classes of sites that were chosen when a pristine cell finished."""
    return [
        SiteClass(**{**entry, "members": tuple(entry["members"])})
        for entry in record.choice["classes"]
    ]


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
        operation |= plan.prerelaxation()
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
    operation = {"vacancy": found.label, **plan.prerelaxation()}
    operation |= _electrons(plan, structure, found.label)
    if plan.relax.cell == "free":  # one mesh for the pair, whatever becomes of the cell
        cell.properties[MESH_LATTICE] = structure.lattice.matrix.tolist()
    return plan.calculation(
        "vacancy",
        pristine.uid,
        operation,
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


def _electrons(plan: HostPlan, structure: Structure, label: str) -> dict[str, Any]:
    """Return where the electrons of a vacancy are placed at the start, one entry per start.

    Engines that take no moments get none, nor does a single start with ``prerelax``, which has
    moments of its own where all are parallel.
    """
    starts = plan.magnetic_starts
    moments = structure.site_properties.get("magmom")
    if not moments or "initial_magmom" not in structure.site_properties:
        return {}
    if plan.relax.prerelax is not None and starts == 1 and common_sign(moments) is not None:
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
