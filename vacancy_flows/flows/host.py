"""Dynamic flows of a host: relaxation → orderings → strains → sites → vacancies.

Each dynamic job receives a finished record and returns a replacement built from resolved
values only, so it converts with `jobflow.core.flow.get_flow` as FireWorks demands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker, Response, job

from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.errors import EngineError
from vacancy_flows.flows.calculation import CalculationMaker
from vacancy_flows.plan import HostPlan, after, rank, start
from vacancy_flows.schemas import Calculation, Record


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
    engine: Engine = field(default_factory=lambda: get_engine("chgnet"))

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
    engine: Engine = field(default_factory=lambda: get_engine("chgnet"))

    def make(self, plan: HostPlan) -> Flow:
        """Return the flow of a host; dynamic.

        Parameters
        ----------
        plan
            From `vacancy_flows.planning.plan_hosts`, or made by hand.
        """
        flow = next_flow(start(plan), plan, self.engine)
        flow.name = f"{self.name} {plan.host}"
        return flow


@job
def follow(record: Record, plan: HostPlan, engine: Engine) -> Response:
    """Replace a finished, converged record by the flow of what it makes possible.

    Raises
    ------
    EngineError
        Where the record did not converge: nothing is built on it.
    """
    if not record.result.converged:
        raise EngineError(
            f"{record.calculation.title} did not converge ({record.result.reason}): "
            "raise relax.max_steps"
        )
    return Response(output=record.uid, replace=next_flow(after(plan, record), plan, engine))


@job
def choose(candidates: list[Record], plan: HostPlan, engine: Engine) -> Response:
    """Rank finished orderings and go on with those that are kept.

    Raises
    ------
    EngineError
        Where no candidate converged.
    """
    kept = rank(plan, candidates)
    if not kept:
        raise EngineError(f"no ordering of {plan.host} converged: raise relax.max_steps")
    flows = [next_flow(after(plan, record), plan, engine) for record in kept]
    ranks = {record.uid: record.calculation.ordering for record in kept}
    return Response(output=ranks, replace=Flow(flows, name=f"orderings kept of {plan.host}"))


def next_flow(calculations: list[Calculation], plan: HostPlan, engine: Engine) -> Flow:
    """Return the flow of some calculations of a host and of all that follows them."""
    flows: list[Any] = []
    candidates = []
    for calculation in calculations:
        if calculation.kind == "vacancy":
            flows.append(VacancyMaker(engine=engine).make(calculation))
        elif calculation.kind == "candidate":
            candidates.append(CalculationMaker("ordering", engine).make(calculation))
        elif calculation.kind == "pristine":
            flows.append(StrainMaker(engine=engine).make(calculation, plan))
        else:
            flows.append(_followed(CalculationMaker("host", engine), calculation, plan))
    if candidates:
        decision = choose([flow.output for flow in candidates], plan, engine)
        decision.name = f"rank orderings of {plan.host}"
        decision.update_metadata(_metadata(plan, engine))
        flows += [*candidates, decision]
    return Flow(flows, name=f"{plan.campaign} {plan.host}".strip())


def _followed(maker: CalculationMaker, calculation: Calculation, plan: HostPlan) -> Flow:
    flow = maker.make(calculation)
    then = follow(flow.output, plan, maker.engine)
    then.name = f"{calculation.uid} what follows {calculation.title}"
    then.update_metadata(_metadata(plan, maker.engine))
    return Flow([flow, then], output=flow.output, name=flow.name)


def _metadata(plan: HostPlan, engine: Engine) -> dict[str, str]:
    """Return what a decision is searched by; it is no calculation and has no uid."""
    return {"campaign": plan.campaign, "host": plan.host, "engine": engine.name}
