"""Calculations as FireWorks workflows, with what users of ``lpad`` look for in every spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fireworks import Firework, Workflow
from jobflow import OnMissing
from jobflow.managers.fireworks import flow_to_workflow

from vacancy_flows.cluster.tasks import CalculationTask, NextTask
from vacancy_flows.engines import Engine
from vacancy_flows.flows.calculation import CalculationMaker, metadata
from vacancy_flows.plan import HostPlan
from vacancy_flows.schemas import Calculation

BIG, SMALL = "big", "small"
"""Categories (``_category``): what runs the engine, and what takes seconds of Python."""
# What opens most work goes first (``_priority``), as in `vacancy_flows.runner`.
_PRIORITY = {"reference": 40, "host": 30, "candidate": 30, "pristine": 20, "vacancy": 10}
_DECISIONS = 50


def groups_of(calculations: Sequence[Calculation]) -> list[list[Calculation]]:
    """Return what is decided on together: all candidates, every other calculation alone."""
    candidates = [c for c in calculations if c.kind == "candidate"]
    others = [[c] for c in calculations if c.kind != "candidate"]
    return [candidates, *others] if candidates else others


def workflow_of(
    calculations: Iterable[Calculation],
    engine: Engine,
    settings: dict[str, str],
    followed: Sequence[tuple[HostPlan, list[Calculation], dict[str, Any]]] = (),
    earlier: Mapping[str, dict[str, str]] | None = None,
) -> Workflow:
    """Return one workflow of some calculations and of what shall follow them.

    Parameters
    ----------
    calculations
        To be done; none of them is anywhere else.
    engine
        That does them.
    settings
        Of the campaign: its ``settings``, kept in every spec.
    followed
        Plan, group of calculations (see `groups_of`) and the campaign's oxygen reference, for
        each `NextTask`; it waits for those of the group that are in this workflow.
    earlier
        uid → directories of an earlier try (see `calculation_fireworks`).
    """
    fireworks: list[Firework] = []
    records: dict[str, Firework] = {}
    first: Calculation | None = None
    for calculation in calculations:
        first = first or calculation
        tried = (earlier or {}).get(calculation.uid)
        if calculation.kind == "vacancy":  # many, and nothing follows them
            fireworks.append(_vacancy_firework(calculation, engine, settings, tried))
        else:
            fireworks += calculation_fireworks(calculation, engine, settings, tried)
        records[calculation.uid] = fireworks[-1]
    for plan, group, reference in followed:
        parents = [records[c.uid] for c in group if c.uid in records]
        fireworks.append(next_firework(plan, group, engine, settings, reference, parents=parents))
    found = fireworks[0].spec if first is None else metadata(first, engine)
    kinds = {fw.spec["kind"] for fw in fireworks}
    return Workflow(fireworks, name=_name(found, kinds), metadata=_described(found, kinds))


def calculation_fireworks(
    calculation: Calculation,
    engine: Engine,
    settings: dict[str, str],
    earlier: Mapping[str, str] | None = None,
) -> list[Firework]:
    """Return the Fireworks of a calculation, that of its record last.

    Parameters
    ----------
    calculation, engine, settings
        See `workflow_of`.
    earlier
        Name of a job → its directory in an earlier try, from whose files it goes on.
    """
    flow = CalculationMaker(engine=engine).make(calculation)
    if calculation.kind == "candidate":
        # Its record runs, and fails too, where its relaxation failed: FireWorks lets no
        # Firework run whose parent only waits.
        flow.jobs[-1].config.on_missing_references = OnMissing.NONE
    fireworks: list[Firework] = flow_to_workflow(flow).fws
    for firework in fireworks:
        job = firework.tasks[0]["job"]
        makes = job.maker is not None
        if earlier and firework.name in earlier and "prev_dir" in job.function_kwargs:
            job.function_kwargs["prev_dir"] = earlier[firework.name]
        firework.spec |= {
            **settings,
            "n_atoms": calculation.n_atoms,
            "_category": BIG if makes else SMALL,
            "_priority": _PRIORITY[calculation.kind] if makes else _DECISIONS,
        }
    fireworks.sort(key=lambda firework: bool(firework.spec.get("record")))
    return fireworks


def _vacancy_firework(
    calculation: Calculation,
    engine: Engine,
    settings: dict[str, str],
    earlier: Mapping[str, str] | None,
) -> Firework:
    """Return the one Firework that a vacancy is until its turn comes."""
    spec = {
        **metadata(calculation, engine),
        **settings,
        "n_atoms": calculation.n_atoms,
        "_category": SMALL,
        "_priority": _PRIORITY["vacancy"],
    }
    task = CalculationTask.of(calculation, engine, settings, earlier)
    return Firework([task], spec=spec, name=f"{calculation.uid} {calculation.title}")


def next_firework(
    plan: HostPlan,
    group: list[Calculation],
    engine: Engine,
    settings: dict[str, str],
    reference: dict[str, Any],
    *,
    parents: list[Firework] | None = None,
) -> Firework:
    """Return the Firework that adds what a group of calculations makes possible."""
    first = group[0]
    names = {c.uid: [c.ordering, c.ordering_energy] for c in group}
    task = NextTask(plan=plan, engine=engine, reference=reference, names=names, settings=settings)
    spec: dict[str, Any] = {
        **{k: v for k, v in metadata(first, engine).items() if k not in {"uid", "site"}},
        **settings,
        "campaign": plan.campaign,
        "host": plan.host,
        "kind": "decision",
        "follows": sorted(names),
        "_category": SMALL,
        "_priority": _DECISIONS,
        "_add_launchpad_and_fw_id": True,
    }
    if first.kind == "candidate":
        spec["_allow_fizzled_parents"] = True
    what = f"orderings of {plan.host}" if first.kind == "candidate" else first.title
    return Firework([task], spec=spec, name=f"what follows {what}", parents=parents or [])


def _described(found: dict[str, Any], kinds: set[str]) -> dict[str, Any]:
    names = ("campaign", "host", "strain_mode", "strain", "engine")
    return {**{n: found[n] for n in names if n in found}, "kinds": sorted(kinds - {"decision"})}


def _name(found: dict[str, Any], kinds: set[str]) -> str:
    parts = [found.get("campaign", ""), found.get("host", "")]
    if "reference" in kinds:
        parts.append("oxygen references")
    elif found.get("strain_mode") == "none":
        parts.append("unstrained")
    elif found.get("strain_mode"):
        parts.append(f"{found['strain_mode']} {100 * found['strain']:+g} %")
    return " ".join(part for part in parts if part)
