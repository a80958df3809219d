"""Dynamic flows of a host: relaxation → orderings → strains → sites → vacancies.

Each dynamic job receives a finished record and returns a replacement built from resolved
values only, so it converts with `jobflow.core.flow.get_flow` as FireWorks demands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker, OnMissing, Response, job

from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.errors import EngineError
from vacancy_flows.flows.calculation import CalculationMaker
from vacancy_flows.plan import HostPlan, after, rank, start
from vacancy_flows.schemas import Calculation, Record


@dataclass
class Shared:
    """What the hosts of one campaign have in common.

    Attributes
    ----------
    flows
        Calculations that are in the campaign already, by uid; Makers add theirs.
    checked
        Output of the guard of the references, which every decision waits for; True where
        there is none.
    """

    flows: dict[str, Flow] = field(default_factory=dict)
    checked: Any = True


@dataclass
class VacancyMaker(CalculationMaker):
    """One vacancy: a cell with one site removed, relaxed."""

    name: str = "vacancy"


@dataclass
class StrainMaker(Maker):
    """One strained pristine cell, then a vacancy for every class of its sites.

    Parameters
    ----------
    name
        Of the flow.
    engine
        See `vacancy_flows.engines.get_engine`.
    """

    name: str = "strain"
    engine: Engine = field(default_factory=get_engine)

    def make(self, calculation: Calculation, plan: HostPlan) -> Flow:
        """Return the flow of a pristine calculation of ``plan``; dynamic."""
        return _followed(CalculationMaker("pristine", self.engine), calculation, plan)


@dataclass
class HostMaker(Maker):
    """A whole host, from its built cell to every vacancy.

    Parameters
    ----------
    name
        Of the flow.
    engine
        See `vacancy_flows.engines.get_engine`.
    """

    name: str = "host"
    engine: Engine = field(default_factory=get_engine)

    def make(self, plan: HostPlan, shared: Shared | None = None) -> Flow:
        """Return the flow of a host; dynamic.

        Parameters
        ----------
        plan
            From `vacancy_flows.planning.plan_hosts`, or made by hand.
        shared
            What other hosts of the same flow have calculated; by default nothing.
        """
        flow = next_flow(start(plan), plan, self.engine, shared)
        flow.name = f"{self.name} {plan.host}"
        return flow


@job
def follow(
    record: Record,
    plan: HostPlan,
    engine: Engine,
    names: dict[str, Any] | None = None,
    checked: Any = True,  # noqa: ARG001  # waited for: without it the job does not run
) -> Response:
    """Replace a finished, converged record by the flow of what it makes possible.

    Parameters
    ----------
    record
        Of a host, an ordering or a pristine cell.
    plan, engine
        Of the host.
    names
        What this host calls the calculation, which another host may have made.
    checked
        See `Shared`.

    Raises
    ------
    EngineError
        Where the record did not converge: nothing is built on it.
    """
    own = record.calculation.model_copy(update=names or {})
    record = record.model_copy(update={"calculation": own})
    if not record.result.converged:
        raise EngineError(
            f"{record.calculation.title} did not converge ({record.result.reason}): {record.remedy}"
        )
    return Response(output=record.uid, replace=next_flow(after(plan, record), plan, engine))


@job
def choose(
    candidates: list[Record | None], plan: HostPlan, engine: Engine, checked: Any = True
) -> Response:
    """Rank finished orderings and go on with those that are kept.

    Parameters
    ----------
    candidates
        Of one parent; None for one that failed, which takes no part.
    plan, engine
        Of the host.
    checked
        See `Shared`; None where the guard refused.

    Raises
    ------
    EngineError
        Where no candidate converged, or the references were refused.
    """
    if checked is None:
        raise EngineError("the oxygen references failed or disagree: see that job first")
    finished = [record for record in candidates if record is not None]
    kept = rank(plan, finished)
    if not kept:
        failed = len(candidates) - len(finished)
        remedy = finished[0].remedy if finished else "see why they failed"
        raise EngineError(
            f"no ordering of {plan.host} converged, {failed} of {len(candidates)} failed: {remedy}"
        )
    flows = [next_flow(after(plan, record), plan, engine) for record in kept]
    ranks = {record.uid: record.calculation.ordering for record in kept}
    return Response(output=ranks, replace=Flow(flows, name=f"orderings kept of {plan.host}"))


def next_flow(
    calculations: list[Calculation], plan: HostPlan, engine: Engine, shared: Shared | None = None
) -> Flow:
    """Return the flow of some calculations of a host and of all that follows them."""
    shared = shared or Shared()
    flows: list[Any] = []
    candidates = []
    for calculation in calculations:
        if calculation.kind == "vacancy":
            flows.append(VacancyMaker(engine=engine).make(calculation))
        elif calculation.kind == "candidate":
            candidates.append(calculation)
        elif calculation.kind == "pristine":
            flows.append(StrainMaker(engine=engine).make(calculation, plan))
        else:
            maker = CalculationMaker("host", engine)
            flows.append(_followed(maker, calculation, plan, shared))
    if candidates:
        flows += _decided(candidates, plan, engine, shared)
    return Flow(flows, name=f"{plan.campaign} {plan.host}".strip())


def _followed(
    maker: CalculationMaker, calculation: Calculation, plan: HostPlan, shared: Shared | None = None
) -> Flow:
    shared = shared or Shared()
    flow, new = _calculated(maker, calculation, shared)
    names = {name: getattr(calculation, name) for name in ("host", "ordering", "ordering_energy")}
    then = follow(flow.output, plan, maker.engine, names, shared.checked)
    then.name = f"{calculation.uid} what follows {calculation.title}"
    then.update_metadata(_metadata(plan, maker.engine))
    # A flow may only give out what is inside it.
    return Flow([*new, then], output=flow.output if new else None, name=flow.name)


def _decided(
    candidates: list[Calculation], plan: HostPlan, engine: Engine, shared: Shared
) -> list[Any]:
    """Return the flows of orderings and the job that chooses between those that finish."""
    flows: list[Any] = []
    outputs = []
    for calculation in candidates:
        flow, new = _calculated(CalculationMaker("ordering", engine), calculation, shared)
        # Its record runs, and fails too, where its relaxation failed: FireWorks lets no job
        # run whose parent only waits.
        flow.jobs[-1].config.on_missing_references = OnMissing.NONE
        outputs.append(flow.output)
        flows += new
    decision = choose(outputs, plan, engine, shared.checked)
    decision.name = f"rank orderings of {plan.host}"
    decision.config.on_missing_references = OnMissing.NONE
    decision.update_metadata(_metadata(plan, engine))
    return [*flows, decision]


def _calculated(
    maker: CalculationMaker, calculation: Calculation, shared: Shared
) -> tuple[Flow, list[Flow]]:
    """Return the flow of a calculation, and again in a list where it is new to the campaign."""
    known = shared.flows.get(calculation.uid)
    if known is not None:
        return known, []
    flow = shared.flows[calculation.uid] = maker.make(calculation)
    return flow, [flow]


def _metadata(plan: HostPlan, engine: Engine) -> dict[str, str]:
    """Return what a decision is searched by; it is no calculation and has no uid."""
    return {"campaign": plan.campaign, "host": plan.host, "engine": engine.name}
