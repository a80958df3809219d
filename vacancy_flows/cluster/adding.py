"""Adding calculations to a LaunchPad: each uid once, whoever asks and however often."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fireworks import Workflow

from vacancy_flows.campaign_blocks import OxygenBlock
from vacancy_flows.cluster.connection import Cluster, finished_records, finished_uids
from vacancy_flows.cluster.registry import want
from vacancy_flows.cluster.standing import Standing, decisions, standings
from vacancy_flows.cluster.workflows import groups_of, next_firework, workflow_of
from vacancy_flows.cluster.writing import add_workflow, attach
from vacancy_flows.engines import Engine
from vacancy_flows.errors import InputError
from vacancy_flows.guard import mu_o_of
from vacancy_flows.plan import HostPlan, after, rank
from vacancy_flows.schemas import Calculation, Record


class Adder:
    """Add calculations of a campaign that are neither finished nor on the LaunchPad.

    Parameters
    ----------
    cluster
        LaunchPad and JobStore.
    engine
        Of the campaign.
    settings
        Kept in every spec; ``settings`` is the hash of the campaign.
    reference
        The campaign's oxygen reference, as plain values.
    dry
        Only count.

    Attributes
    ----------
    added
        Calculations added, by kind.
    there
        Calculations that were finished or on the LaunchPad.
    problems
        Why nothing follows a calculation, a line each.
    """

    def __init__(
        self,
        cluster: Cluster,
        engine: Engine,
        settings: dict[str, str],
        reference: dict[str, Any],
        *,
        dry: bool = False,
    ) -> None:
        self.cluster, self.engine, self.settings = cluster, engine, settings
        self.reference, self.dry = reference, dry
        self.added: dict[str, int] = {}
        self.there = 0
        self.problems: list[str] = []
        self._counted: set[str] = set()  # in a dry run: as if they were on the LaunchPad
        self._all: set[str] | None = None
        self._checked: set[str] = set()  # hosts whose references agree

    def references(self, calculations: Sequence[Calculation]) -> None:
        """Add the references that are missing, as a workflow of their own."""
        if not self.dry:
            want(self.cluster.launchpad, self.settings["settings"], calculations)
        self._add(self._missing(calculations, self._there(calculations)))

    def follow(self, plan: HostPlan, names: dict[str, Any], here: int | None = None) -> None:
        """Add what a group of finished calculations makes possible.

        Parameters
        ----------
        plan
            Of the host.
        names
            uid → rank and energy of its ordering, for this host.
        here
            fw_id that vacancies become children of; a workflow of their own where None.
        """
        records = finished_records(self.cluster.store, list(names))
        known = standings(self.cluster.launchpad, names.keys() - records.keys())
        if any(standing.state in {"waiting", "running"} for standing in known.values()):
            return  # in another workflow, which ends in this same step
        if not records and not known:
            self.problems.append(
                "the JobStore holds nothing of what this waits for: name the same JobStore in the "
                "jobflow.yaml of every machine, then `vacancy-flows retry`"
            )
            return
        group = [_named(plan, record, *names[uid]) for uid, record in records.items()]
        self._decide(plan, group, here)

    def stage(
        self, plan: HostPlan, calculations: Sequence[Calculation], here: int | None = None
    ) -> None:
        """Add calculations of a host with what follows them, as far as they are missing."""
        if not self.dry:
            want(self.cluster.launchpad, self.settings["settings"], calculations, plan.host)
        if all(c.kind == "vacancy" for c in calculations):
            there = self._there(calculations, at_once=here is None)
            self._add(self._missing(calculations, there), here=here)
            return
        uids = [c.uid for c in calculations]
        records = finished_records(self.cluster.store, uids)
        known = standings(self.cluster.launchpad, uids)
        missing = {c.uid for c in self._missing(calculations, {*records, *known})}
        new: list[list[Calculation]] = []
        for group in groups_of(calculations):
            waits = [c for c in group if c.uid not in records]
            if any(c.uid in missing for c in waits):
                new.append(group)
            self._attach(plan, group, [known[c.uid] for c in waits if c.uid in known])
            if all(c.uid in known and known[c.uid].state == "failed" for c in waits):
                found = [records[c.uid].described_by(c) for c in group if c.uid in records]
                if found:
                    self._decide(plan, found, here)
        strains = bool(new) and new[0][0].kind == "pristine"  # a workflow for each
        for groups in [[group] for group in new] if strains else [new]:
            fresh = [c for group in groups for c in group if c.uid in missing]
            followed = [(plan, group, self.reference) for group in groups]
            self._add(fresh, followed, None if strains else here)

    def _decide(self, plan: HostPlan, group: list[Record], here: int | None) -> None:
        """Add what follows a group, of which nothing more is to be expected."""
        converged = [record for record in group if record.result.converged]
        self.problems += [
            f"{r.calculation.title} did not converge ({r.result.reason}): raise relax.max_steps"
            for r in group
            if not r.result.converged and r.calculation.kind != "candidate"
        ]
        candidates = any(record.calculation.kind == "candidate" for record in group)
        if not converged:
            if candidates or not group:
                self.problems.append(f"no ordering of {plan.host} converged")
            return
        refused = self._refused(plan)
        if refused:
            self.problems.append(refused)
            return
        for record in rank(plan, converged) if candidates else converged:
            self.stage(plan, after(plan, record), here)

    def _refused(self, plan: HostPlan) -> str:
        """Say why the references, where all are finished, may not be used."""
        if plan.host in self._checked:
            return ""
        found = finished_records(self.cluster.store, list(plan.reference_uids.values()))
        if not plan.reference_uids or len(found) < len(plan.reference_uids):
            return ""
        references = {kind: found[uid] for kind, uid in plan.reference_uids.items()}
        block = OxygenBlock.model_validate(self.reference)
        try:
            mu_o_of(block, self.engine.energy_scale, references)
        except InputError as error:
            return str(error)
        self._checked.add(plan.host)
        return ""

    def _there(self, calculations: Sequence[Calculation], *, at_once: bool = False) -> set[str]:
        """Return which calculations are finished or on the LaunchPad.

        Parameters
        ----------
        calculations
            To look for.
        at_once
            Whether to ask for everything on the LaunchPad, once, because many will be asked for.
        """
        uids = [c.uid for c in calculations]
        if not at_once:
            known = set(standings(self.cluster.launchpad, uids))
        else:
            if self._all is None:
                query = {"state": {"$ne": "ARCHIVED"}}
                self._all = set(self.cluster.launchpad.fireworks.distinct("spec.uid", query))
            known = self._all.intersection(uids)
        rest = [uid for uid in uids if uid not in known]
        return known | finished_uids(self.cluster.store, rest) if rest else known

    def _missing(self, calculations: Sequence[Calculation], there: set[str]) -> list[Calculation]:
        missing = [c for c in calculations if c.uid not in there | self._counted]
        self.there += len(calculations) - len(missing)
        return missing

    def _add(
        self,
        calculations: list[Calculation],
        followed: Sequence[tuple[HostPlan, list[Calculation], dict[str, Any]]] = (),
        here: int | None = None,
    ) -> None:
        """Add calculations as one workflow, or below a Firework that runs."""
        if not calculations:
            return
        for calculation in calculations:
            self.added[calculation.kind] = self.added.get(calculation.kind, 0) + 1
            self._counted.add(calculation.uid)
        if self.dry:
            return
        workflow = workflow_of(calculations, self.engine, self.settings, followed)
        if here is None:
            add_workflow(self.cluster.launchpad, workflow)
        else:
            attach(self.cluster.launchpad, workflow, [here])

    def _attach(self, plan: HostPlan, group: list[Calculation], known: list[Standing]) -> None:
        """See that what follows is at the end of every workflow that a group waits for."""
        launchpad = self.cluster.launchpad
        uids = sorted(c.uid for c in group)
        records = [standing.record for standing in known if standing.record is not None]
        if not records or self.dry:
            return
        there = {
            fw["fw_id"]
            for fw in decisions(launchpad, [plan.campaign])
            if fw["spec"]["follows"] == uids and fw["spec"].get("host") == plan.host
        }
        for workflow in launchpad.workflows.find({"nodes": {"$in": records}}, {"nodes": 1}):
            if there.intersection(workflow["nodes"]):
                continue
            firework = next_firework(plan, group, self.engine, self.settings, self.reference)
            parents = [fw_id for fw_id in records if fw_id in workflow["nodes"]]
            attach(launchpad, Workflow.from_firework(firework), parents)


def _named(plan: HostPlan, record: Record, ordering: int | None, energy: float | None) -> Record:
    """Return a record under the names that a host gives it."""
    update = {
        "campaign": plan.campaign,
        "host": plan.host,
        "ordering": ordering,
        "ordering_energy": energy,
        "reference_uids": plan.reference_uids,
    }
    return record.model_copy(update={"calculation": record.calculation.model_copy(update=update)})
