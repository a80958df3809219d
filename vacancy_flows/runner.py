"""A whole campaign on this machine: scheduling, resume, one writer."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from vacancy_flows.campaign import Campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import Engine
from vacancy_flows.guard import compared, mu_o_of
from vacancy_flows.ledger import Ledger, describe
from vacancy_flows.plan import HostPlan, after, lacks_moments, rank, ranked, start
from vacancy_flows.planning import plan_hosts, plan_references
from vacancy_flows.pool import Finder, Workers
from vacancy_flows.progress import Progress
from vacancy_flows.rawstore import RawStore
from vacancy_flows.schemas import Calculation, Record
from vacancy_flows.worker import Outcome

logger = logging.getLogger(__name__)

# What opens most work goes first.
_PRIORITY = {"reference": 0, "host": 1, "candidate": 1, "pristine": 2, "vacancy": 3}


Then = Callable[[Record | None], None]
"""What follows a calculation: its record, None where it failed."""


@dataclass
class Report:
    """What a run did.

    Attributes
    ----------
    uids
        Of every calculation that belongs to the campaign and is stored.
    computed
        Number calculated now; the rest was there.
    failures
        A line for each calculation that failed, or that others waited for in vain.
    """

    uids: set[str] = field(default_factory=set)
    computed: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass
class _Group:
    """Orderings that are decided between when all of them are finished."""

    missing: set[str]
    records: list[Record] = field(default_factory=list)


class CampaignRun:
    """Run a campaign to its end, from wherever it stands.

    Parameters
    ----------
    campaign, engine
        Checked.
    database
        Where finished rows go, at once.
    raw
        Where the documents go, before the row.
    workers
        What calculates; what it never brings is pending, and so is the campaign.
    progress
        Told of everything that happens.
    """

    def __init__(  # noqa: PLR0917
        self,
        campaign: Campaign,
        engine: Engine,
        database: ResultsDatabase,
        raw: RawStore,
        workers: Finder,
        progress: Progress,
    ) -> None:
        self.campaign, self.engine = campaign, engine
        self.database, self.raw = database, raw
        self.workers, self.progress = workers, progress
        self.report = Report()
        self._queue: list[tuple[int, int, Calculation]] = []
        self._order = count()
        self._waiting: dict[str, list[tuple[Calculation, Then]]] = {}
        self._used: list[Record] = []
        self._references: dict[str, Record] = {}
        self.ledger = Ledger(campaign.name, database, raw, progress.say)

    def run(self) -> Report:
        """Calculate what is not there yet and return what happened.

        Raises
        ------
        InputError
            Where the oxygen reference does not fit the energy scale (after the references).
        """
        plans = plan_hosts(self.campaign, self.engine)
        self.progress.expect(self.campaign, self.engine, plans)
        self.ledger.adopt()
        self.ledger.begin(describe(self.campaign, self.engine, plans))
        if not plan_references(self.campaign, self.engine):
            self.ledger.settle()
        try:
            self._calculate(plans)
        finally:
            self._write_uses()
        complete = not self.report.failures and not self._waiting
        self.ledger.finish(self.report.uids, complete=complete)
        return self.report

    def _calculate(self, plans: list[HostPlan]) -> None:
        for reference in plan_references(self.campaign, self.engine):
            self._want(reference, self._reference_done)
        for plan in plans:
            self._all(plan, start(plan))
        while self._queue or self.workers.busy:
            while self._queue and self.workers.free > 0:
                self.workers.start(heapq.heappop(self._queue)[2])
            for outcome in self.workers.finished():
                self._store(outcome)

    def _want(self, calculation: Calculation, then: Then) -> None:
        """See that a calculation is done, here or earlier, and go on with its record."""
        waiting = self._waiting.get(calculation.uid)
        if waiting is not None:  # another host wants the same
            waiting.append((calculation, then))
            return
        record = self.database.get(calculation.uid)
        if record is not None and not self.workers.may_better(record):
            self.progress.known(calculation)
            self._finish(record, calculation, then)
            return
        self._waiting[calculation.uid] = [(calculation, then)]
        entry = (_PRIORITY[calculation.kind], next(self._order), calculation)
        heapq.heappush(self._queue, entry)
        self.progress.queued(calculation)

    def _store(self, outcome: Outcome) -> None:
        if outcome.record is None:
            self.progress.failed(outcome)
            title = self.progress.title(outcome.uid)
            self.report.failures.append(f"{title}: {outcome.error}")
            for _, then in self._waiting.pop(outcome.uid):
                then(None)
            return
        self.raw.add(outcome.documents)
        record = compared(outcome.record, self.database.get)
        self.database.replace(record)
        self.report.computed += 1
        self.progress.done(record)
        for calculation, then in self._waiting.pop(outcome.uid):
            self._finish(record, calculation, then)
        self._write_uses()

    def _finish(self, record: Record, calculation: Calculation, then: Then) -> None:
        """Go on with a record under the names of the host that wants it."""
        own = record.described_by(calculation)
        self.report.uids.add(own.uid)
        self._used.append(own)
        then(own)

    def _write_uses(self) -> None:
        self.ledger.use(self._used)
        self._used.clear()

    def _all(self, plan: HostPlan, calculations: list[Calculation]) -> None:
        self.progress.planned(plan, calculations)
        candidates = [c for c in calculations if c.kind == "candidate"]
        group = _Group({c.uid for c in candidates})
        for calculation in calculations:
            if calculation.kind == "candidate":
                self._want(calculation, partial(self._ranked, plan, group, calculation.uid))
            elif calculation.kind == "vacancy":
                self._want(calculation, self._vacancy_done)
            else:
                self._want(calculation, partial(self._next, plan))

    def _next(self, plan: HostPlan, record: Record | None) -> None:
        """Go on from a host or a pristine cell; an unconverged one is the end of its branch."""
        if record is None:
            return
        if not record.result.converged:
            self._unconverged(record)
            return
        self._after(plan, record)

    def _after(self, plan: HostPlan, record: Record) -> None:
        """Start what a converged calculation makes possible; it begins with its moments."""
        problem = lacks_moments(plan, record)
        if problem:
            self.report.failures.append(f"{record.calculation.title}: {problem}")
            return
        self._all(plan, after(plan, record))

    def _ranked(self, plan: HostPlan, group: _Group, uid: str, record: Record | None) -> None:
        group.missing.discard(uid)
        if record is not None:
            group.records.append(record)
            if not record.result.converged:
                self._unconverged(record)
        if group.missing:
            return
        self._used += ranked(group.records)
        kept = rank(plan, group.records)
        if not kept:
            self.report.failures.append(f"host {plan.host}: no ordering converged")
        for chosen in kept:
            self._after(plan, chosen)

    def _vacancy_done(self, record: Record | None) -> None:
        if record is not None and not record.result.converged:
            self._unconverged(record)

    def _unconverged(self, record: Record) -> None:
        told = record.shortfall(self.engine.effort())
        self.report.failures.append(f"{record.calculation.title}: {told}")

    def _reference_done(self, record: Record | None) -> None:
        if record is None:
            return
        if not record.result.converged:
            self._unconverged(record)
        kind = str(record.calculation.reference_kind)
        self._references[kind] = record
        if len(self._references) == len(plan_references(self.campaign, self.engine)):
            self._guard()

    def _guard(self) -> None:
        """Compare both routes to mu_O before any E_f is made of them."""
        reference = self.campaign.oxygen_reference
        scale = self.engine.energy_scale
        mu_o = mu_o_of(reference, scale, self._references, file=self.campaign.path)
        self.ledger.settle()
        self.progress.say(f"mu_O = {mu_o:.3f} eV, {reference.reference().label(scale)}")


def run_campaign(  # noqa: PLR0917
    campaign: Campaign,
    engine: Engine,
    database: ResultsDatabase,
    directory: Path,
    workers: int,
    progress: Progress,
) -> Report:
    """Run a campaign into a database and a directory, whose locks the caller holds.

    Parameters
    ----------
    campaign, engine
        Checked.
    database
        For the rows.
    directory
        Gets ``jobstore/`` and, of engines that leave files, ``work/UID/``.
    workers
        Number of processes.
    progress
        Told of everything that happens.
    """
    raw = RawStore(directory)
    pool = Workers(engine, workers, (directory / "work").absolute())
    try:
        report = CampaignRun(campaign, engine, database, raw, pool, progress).run()
    finally:
        pool.close()
        raw.close()
    return report
