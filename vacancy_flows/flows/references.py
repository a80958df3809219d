"""Oxygen references and whole campaigns as flows."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow import Flow, Job, Maker, job

from vacancy_flows.campaign import Campaign
from vacancy_flows.campaign_blocks import OxygenBlock
from vacancy_flows.campaign_file import check_engine
from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.flows.calculation import CalculationMaker
from vacancy_flows.flows.host import HostMaker, Shared
from vacancy_flows.guard import mu_o_of
from vacancy_flows.planning import elements_of, plan_hosts, plan_references
from vacancy_flows.schemas import Record


@dataclass
class OxygenReferenceMaker(Maker):
    """O2 in a box, Li and Li2O: both routes to mu_O, for one engine.

    Parameters
    ----------
    name
        Of the flow.
    engine
        See `vacancy_flows.engines.get_engine`.
    """

    name: str = "oxygen references"
    engine: Engine = field(default_factory=get_engine)

    def make(self, campaign: Campaign) -> Flow:
        """Return the flow; its output maps ``O2``, ``Li``, ``Li2O`` to records."""
        maker = CalculationMaker("reference", self.engine)
        calculations = plan_references(campaign, self.engine)
        flows = {str(c.reference_kind): maker.make(c) for c in calculations}
        output = {kind: flow.output for kind, flow in flows.items()}
        return Flow(list(flows.values()), output=output, name=self.name)


@job
def check_references(
    records: dict[str, Record], reference: OxygenBlock, energy_scale: str
) -> float:
    """Return mu_O, eV per O atom, or fail: then no vacancy is calculated.

    Parameters
    ----------
    records, reference, energy_scale
        See `vacancy_flows.guard.mu_o_of`.

    Raises
    ------
    InputError
        Where the references disagree.
    """
    return mu_o_of(reference, energy_scale, records)


@dataclass
class CampaignMaker(Maker):
    """Everything a campaign file asks for, as one flow for any jobflow manager.

    Hosts share what they have in common before anything is decided on it; strained cells
    and vacancies wait until the references were found to agree.

    On a laptop ``vacancy-flows run`` does the same with resume and several processes.

    Parameters
    ----------
    name
        Of the flow; the campaign's name is appended.
    """

    name: str = "campaign"

    def make(self, campaign: Campaign) -> Flow:
        """Return the flow of a campaign.

        Raises
        ------
        InputError
            Where the campaign cannot be run.
        """
        check_engine(campaign, campaign.path)
        engine = get_engine(campaign.engine, campaign.settings)
        plans = plan_hosts(campaign, engine)
        engine.check(elements_of(plans))
        flows, shared = [], Shared()
        references = OxygenReferenceMaker(engine=engine).make(campaign)
        if references.jobs:
            guard = _guard(campaign, engine, references)
            flows += [references, guard]
            shared.checked = guard.output
        for plan in plans:
            flows.append(HostMaker(engine=engine).make(plan, shared))
        return Flow(flows, name=f"{self.name} {campaign.name}")


def _guard(campaign: Campaign, engine: Engine, references: Flow) -> Job:
    guard = check_references(references.output, campaign.oxygen_reference, engine.energy_scale)
    guard.name = "check of the oxygen references"
    guard.update_metadata({"campaign": campaign.name, "engine": engine.name})
    return guard
