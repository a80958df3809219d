"""Adding calculations to a LaunchPad: each uid once, whoever asks and however often.

What did not converge is added again where the engine's effort has changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fireworks import Workflow

from vacancy_flows.campaign_blocks import OxygenBlock
from vacancy_flows.cluster.connection import Cluster
from vacancy_flows.cluster.finished import finished_records
from vacancy_flows.cluster.known import Knowledge, Known
from vacancy_flows.cluster.registry import want
from vacancy_flows.cluster.standing import Standing, decisions, directories, standings
from vacancy_flows.cluster.workflows import groups_of, next_firework, workflow_of
from vacancy_flows.cluster.writing import add_workflow, attach
from vacancy_flows.engines import Engine
from vacancy_flows.errors import InputError
from vacancy_flows.guard import mu_o_of
from vacancy_flows.plan import HostPlan, after, lacks_moments, rank
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
    unconverged
        A line for each calculation that did not converge and is not tried again.
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
        self.unconverged: list[str] = []
        self._knowledge = Knowledge(cluster, engine.effort())
        self._tried: dict[str, Standing] = {}  # with another effort
        self._counted: set[str] = set()  # in a dry run: as if they were on the LaunchPad
        self._checked: set[str] = set()  # hosts whose references agree

    def references(self, calculations: Sequence[Calculation]) -> None:
        """Add the references that are missing, as a workflow of their own."""
        if not self.dry:
            want(self.cluster.launchpad, self.settings["settings"], calculations)
        self._add(self._missing(calculations, self._look(calculations)))

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
        better = {uid for uid in names if uid not in records or not records[uid].result.converged}
        known = standings(self.cluster.launchpad, better)
        if any(standing.state in {"waiting", "running"} for standing in known.values()):
            return  # in another workflow, which ends in this same step
        if not records and not known:
            self.problems.append(
                "the JobStore holds nothing of what this waits for: name the same JobStore in the "
                "jobflow.yaml of every machine, then `vacancy-flows retry`"
            )
            return
        group = [plan.named(record, *names[uid]) for uid, record in records.items()]
        self._decide(plan, group, here)

    def stage(
        self, plan: HostPlan, calculations: Sequence[Calculation], here: int | None = None
    ) -> None:
        """Add calculations of a host with what follows them, as far as they are missing."""
        if not self.dry:
            want(self.cluster.launchpad, self.settings["settings"], calculations, plan.host)
        vacancies = all(c.kind == "vacancy" for c in calculations)
        known = self._look(calculations, at_once=vacancies and here is None)
        added = self._missing(calculations, known)
        if vacancies:
            self._add(added, here=here)
            return
        missing = {c.uid for c in added}
        new = self._groups(plan, calculations, known, missing, here)
        strains = bool(new) and new[0][0].kind == "pristine"  # a workflow for each
        for groups in [[group] for group in new] if strains else [new]:
            fresh = [c for group in groups for c in group if c.uid in missing]
            followed = [(plan, group, self.reference) for group in groups]
            self._add(fresh, followed, None if strains else here)

    def _groups(
        self,
        plan: HostPlan,
        calculations: Sequence[Calculation],
        known: dict[str, Known],
        missing: set[str],
        here: int | None,
    ) -> list[list[Calculation]]:
        """Return groups of which something is missing; see to what follows the others."""
        stored = [uid for uid, found in known.items() if found.finished]
        records = finished_records(self.cluster.store, stored)
        new: list[list[Calculation]] = []
        for group in groups_of(calculations):
            if any(c.uid in missing for c in group):
                new.append(group)
            waits = [known[c.uid] for c in group if known[c.uid].place != "finished"]
            there = [k.standing for k in waits if k.place != "missing" and k.standing]
            self._attach(plan, group, there)
            if len(there) == len(waits) and all(s.state == "failed" for s in there):
                found = [records[c.uid].described_by(c) for c in group if c.uid in records]
                if found:
                    self._decide(plan, found, here)
        return new

    def _decide(self, plan: HostPlan, group: list[Record], here: int | None) -> None:
        """Add what follows a group, of which nothing more is to be expected."""
        converged = [record for record in group if record.result.converged]
        self.problems += [
            f"{record.calculation.title}: {record.shortfall(self._knowledge.effort)}"
            for record in group
            if not record.result.converged and record.calculation.kind != "candidate"
        ]
        candidates = any(record.calculation.kind == "candidate" for record in group)
        if not converged:
            if candidates or not group:
                told = [f"no ordering of {plan.host} converged", *(r.remedy for r in group)]
                self.problems.append("; ".join(dict.fromkeys(told)))
            return
        refused = self._refused(plan)
        if refused:
            self.problems.append(refused)
            return
        for record in rank(plan, converged) if candidates else converged:
            problem = lacks_moments(plan, record)
            if problem:
                self.problems.append(f"{record.calculation.title}: {problem}")
            else:
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

    def _look(
        self, calculations: Sequence[Calculation], *, at_once: bool = False
    ) -> dict[str, Known]:
        """Return where calculations are, and note what did not converge."""
        known = self._knowledge.of(calculations, at_once=at_once)
        for calculation in calculations:
            place, finished, standing = known[calculation.uid]
            if place == "missing" and standing is not None:
                self._tried[calculation.uid] = standing
            if place == "finished" and finished is not None and not finished.converged:
                told = finished.shortfall(calculation.kind, self._knowledge.effort)
                self.unconverged.append(f"{calculation.title}: {told}")
        return known

    def _missing(
        self, calculations: Sequence[Calculation], known: dict[str, Known]
    ) -> list[Calculation]:
        """Return what is to be added, and count the rest."""
        missing = [c for c in calculations if known[c.uid].place == "missing"]
        missing = [c for c in missing if c.uid not in self._counted]
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
        tried = {c.uid: self._tried[c.uid] for c in calculations if c.uid in self._tried}
        earlier = directories(self.cluster.launchpad, tried)
        workflow = workflow_of(calculations, self.engine, self.settings, followed, earlier)
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
            for fw in decisions(launchpad, plan.campaign, self.settings["settings"])
            if fw["spec"]["follows"] == uids and fw["spec"].get("host") == plan.host
        }
        for workflow in launchpad.workflows.find({"nodes": {"$in": records}}, {"nodes": 1}):
            if there.intersection(workflow["nodes"]):
                continue
            firework = next_firework(plan, group, self.engine, self.settings, self.reference)
            parents = [fw_id for fw_id in records if fw_id in workflow["nodes"]]
            attach(launchpad, Workflow.from_firework(firework), parents)
