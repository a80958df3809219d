"""Oxygen references and whole campaigns as flows."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow import Flow, Maker

from vacancy_flows.campaign import Campaign
from vacancy_flows.campaign_file import check_engine
from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.flows.calculation import CalculationMaker
from vacancy_flows.flows.host import HostMaker
from vacancy_flows.planning import plan_hosts, plan_references


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
    engine: Engine = field(default_factory=lambda: get_engine("chgnet"))

    def make(self, campaign: Campaign) -> Flow:
        """Return the flow; its output maps ``O2``, ``Li``, ``Li2O`` to records."""
        maker = CalculationMaker("reference", self.engine)
        calculations = plan_references(campaign, self.engine)
        flows = {str(c.reference_kind): maker.make(c) for c in calculations}
        output = {kind: flow.output for kind, flow in flows.items()}
        return Flow(list(flows.values()), output=output, name=self.name)


@dataclass
class CampaignMaker(Maker):
    """Everything a campaign file asks for, as one flow for any jobflow manager.

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
        engine.check()
        plans = plan_hosts(campaign, engine)
        flows = [HostMaker(engine=engine).make(plan) for plan in plans]
        references = OxygenReferenceMaker(engine=engine).make(campaign)
        if references.jobs:
            flows.insert(0, references)
        return Flow(flows, name=f"{self.name} {campaign.name}")
