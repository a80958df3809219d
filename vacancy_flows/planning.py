"""From a checked campaign to plans: roots, references and what a campaign will cost."""

from __future__ import annotations

from collections.abc import Iterable

from pymatgen.core import Structure

from vacancy_flows.campaign import Campaign
from vacancy_flows.engines import REFERENCE_KINDS, Engine
from vacancy_flows.errors import InputError
from vacancy_flows.hosts import build_host, with_moments
from vacancy_flows.identity import root_uid, uid
from vacancy_flows.orderings import orderings, searches_orderings
from vacancy_flows.plan import HostPlan, StrainPoint, chosen_classes, start
from vacancy_flows.schemas import Calculation
from vacancy_flows.structures import (
    SiteClass,
    deform,
    removal_count,
    remove_labels,
    select_classes,
    site_classes,
)
from vacancy_flows.structures.boundaries import free_labels, region_labels

REFERENCE_FMAX, REFERENCE_STEPS = 0.01, 500


def plan_references(campaign: Campaign, engine: Engine) -> list[Calculation]:
    """Return O2, Li and Li2O, once per engine; none with a user's own mu_O.

    All three are wanted whatever the scheme, because the guard compares both routes to mu_O.
    """
    if campaign.oxygen_reference.scheme == "user":
        return []
    fingerprint = engine.fingerprint()
    calculations = []
    for kind in REFERENCE_KINDS:
        reference = engine.reference(kind)
        relax = {"cell": reference.cell, "fmax": REFERENCE_FMAX, "max_steps": REFERENCE_STEPS}
        operation = {"reference": kind, "units": reference.units, "relax": relax}
        calculations.append(
            Calculation(
                uid=uid(None, operation, fingerprint),
                kind="reference",
                parent_uid=None,
                operation=operation,
                structure=reference.structure,
                cell=reference.cell,
                fmax=REFERENCE_FMAX,
                max_steps=REFERENCE_STEPS,
                campaign=campaign.name,
                n_atoms=len(reference.structure),
                reference_kind=kind,
            )
        )
    return calculations


def plan_hosts(campaign: Campaign, engine: Engine) -> list[HostPlan]:
    """Return the plan of every host of a campaign.

    Raises
    ------
    InputError
        Where a host cannot be built, a site label does not exist, or two hosts are the
        same calculation.
    """
    reference_uids = {str(c.reference_kind): c.uid for c in plan_references(campaign, engine)}
    plans: list[HostPlan] = []
    seen: dict[str, str] = {}
    for index, host in enumerate(campaign.hosts):
        root = build_host(campaign, index)
        identity = root_uid(root)
        if engine.uses_moments:
            root = with_moments(campaign, root)
        elif campaign.magnetism.moments or campaign.magnetism.order != "fm":
            with_moments(campaign, root)  # checked all the same; this engine ignores it
        labels = _site_labels(campaign, root, index)
        plan = HostPlan(
            campaign=campaign.name,
            host=host.name,
            root=root,
            root_uid=identity,
            delithiate=host.delithiate,
            strains=[StrainPoint(mode=m, value=v) for m, v in campaign.strains_of(host)],
            labels=labels,
            free=_free_labels(campaign, root, index),
            relax=campaign.relax_of(host),
            magnetic_starts=campaign.magnetism.magnetic_starts,
            fingerprint=engine.fingerprint(),
            reference_uids=reference_uids,
        )
        _check_different(campaign, index, plan, seen)
        plans.append(plan)
    return plans


def elements_of(plans: Iterable[HostPlan]) -> set[str]:
    """Return the symbols of all elements of some hosts."""
    return {site.specie.symbol for plan in plans for site in plan.root}


def expected_calculations(plan: HostPlan) -> dict[str, int]:
    """Return how many calculations of each kind a host will take, seen from the built cell.

    An estimate: classes of sites are found on relaxed cells, and the ordering that the
    engine will keep is not known, so the first candidates stand for it.
    """
    before = [*start(plan), *expected_orderings(plan)]
    counts: dict[str, int] = {}
    for calculation in before:
        counts[calculation.kind] = counts.get(calculation.kind, 0) + 1
    cells = [c.structure for c in expected_parents(plan)]
    if plan.delithiate is not None and plan.delithiate.rank == "engine":
        cells = cells[: plan.delithiate.keep]
    counts["pristine"] = len(cells) * len(plan.strains)
    counts["vacancy"] = sum(
        len(expected_classes(plan, deform(cell, point.gradient_on(cell))))
        for cell in cells
        for point in plan.strains
    )
    return counts


def expected_orderings(plan: HostPlan, *, exact: bool = False) -> list[Calculation]:
    """Return the orderings that follow the host's relaxation (``from: relaxed``), as built.

    Parameters
    ----------
    plan
        Of the host.
    exact
        Whether a boundary's lowest orderings are searched for, which takes up to half a
        minute; else others stand for them, as many.
    """
    if plan.delithiate is None or plan.delithiate.start == "built":
        return []
    parent = start(plan)[0].uid
    if exact or not searches_orderings(plan):
        return orderings(plan, parent, plan.root)
    lithium = [site.properties["label"] for site in plan.root if site.specie.symbol == "Li"]
    count = removal_count(len(lithium), plan.delithiate.fraction)
    ways = [
        lithium[i : i + count] for i in range(min(plan.delithiate.keep, len(lithium) - count + 1))
    ]
    return [
        plan.calculation(
            "host", parent, {"remove": way}, remove_labels(plan.root, way), plan.delithiate.cell
        )
        for way in ways
    ]


def expected_parents(plan: HostPlan, *, exact: bool = False) -> list[Calculation]:
    """Return what pristine cells are made of, as built: the host, or all its orderings."""
    return expected_orderings(plan, exact=exact) or start(plan)


def expected_classes(plan: HostPlan, cell: Structure) -> list[SiteClass]:
    """Return the classes of sites of an unrelaxed cell, those of the plan's labels only."""
    classes = site_classes(cell, moments=cell.site_properties.get("initial_magmom"))
    return chosen_classes(plan, classes)


def _site_labels(campaign: Campaign, root: Structure, index: int) -> list[str] | None:
    """Return the labels of the sites that become vacant, chosen once; None for all.

    Near a boundary they are those of the built cell, so that they are the same in all that
    is made of it and known before anything is relaxed.
    """
    host = campaign.hosts[index]
    sites = campaign.sites_of(host)
    key = f"hosts.{index}.sites" if host.sites else "sites"
    try:
        if sites.within is not None:
            return region_labels(root, sites.within, sites.boundary, "O")
        if sites.labels is not None:
            select_classes(site_classes(root), sites.labels)
    except ValueError as error:
        part = "labels" if sites.within is None else "within"
        raise InputError(str(error), file=campaign.path, key=f"{key}.{part}") from None
    return sites.labels


def _free_labels(campaign: Campaign, root: Structure, index: int) -> list[str] | None:
    """Return the labels of atoms near a boundary, chosen once, on the built cell."""
    host = campaign.hosts[index]
    within = campaign.relax_of(host).free_within
    try:
        return None if within is None else free_labels(root, within)
    except ValueError as error:
        key = f"hosts.{index}.relax" if host.relax else "relax"
        raise InputError(str(error), file=campaign.path, key=f"{key}.free_within") from None


def _check_different(campaign: Campaign, index: int, plan: HostPlan, seen: dict[str, str]) -> None:
    """Refuse two hosts whose calculations would be the same.

    Orderings that are ranked by the engine and by electrostatics may be the same: what two
    hosts share is calculated once.
    """
    try:
        first = expected_parents(plan)[0].uid
    except ValueError as error:  # too many orderings, or no charges to rank them by
        place = f"hosts.{index}.delithiate"
        raise InputError(str(error), file=campaign.path, key=place) from None
    identity = f"{first} {plan.delithiate.rank if plan.delithiate else ''}"
    if identity in seen:
        raise InputError(
            f"hosts {seen[identity]!r} and {plan.host!r} are the same structure: "
            "make them one host with a list of strains",
            file=campaign.path,
            key=f"hosts.{index}",
        )
    seen[identity] = plan.host
