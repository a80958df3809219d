"""A whole campaign on this machine: scheduling, resume, one writer."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from vacancy_flows.analysis import ReferenceMismatch, chemical_potential
from vacancy_flows.campaign import Campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import Engine
from vacancy_flows.errors import InputError
from vacancy_flows.plan import HostPlan, after, rank, ranked, start
from vacancy_flows.planning import plan_hosts, plan_references
from vacancy_flows.pool import Workers
from vacancy_flows.progress import Progress
from vacancy_flows.rawstore import RawStore
from vacancy_flows.schemas import Calculation, Record
from vacancy_flows.worker import Outcome

logger = logging.getLogger(__name__)

# What opens most work goes first.
_PRIORITY = {"reference": 0, "host": 1, "candidate": 1, "pristine": 2, "vacancy": 3}


@dataclass
class Report:
    """What a run did.

    Attributes
    ----------
    hosts
        Host of every calculation that belongs to the campaign and is stored, by uid.
    computed
        Number calculated now; the rest was there.
    failures
        A line for each calculation that failed, or that others waited for in vain.
    """

    hosts: dict[str, str] = field(default_factory=dict)
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
        What calculates.
    progress
        Told of everything that happens.
    """

    def __init__(  # noqa: PLR0917
        self,
        campaign: Campaign,
        engine: Engine,
        database: ResultsDatabase,
        raw: RawStore,
        workers: Workers,
        progress: Progress,
    ) -> None:
        self.campaign, self.engine = campaign, engine
        self.database, self.raw = database, raw
        self.workers, self.progress = workers, progress
        self.report = Report()
        self._queue: list[tuple[int, int, Calculation]] = []
        self._order = count()
        self._then: dict[str, list[Callable[[Record | None], None]]] = {}
        self._used: list[Record] = []
        self._references: dict[str, Record] = {}

    def run(self) -> Report:
        """Calculate what is not there yet and return what happened.

        Raises
        ------
        InputError
            Where the oxygen reference does not fit the energy scale (after the references).
        """
        plans = plan_hosts(self.campaign, self.engine)
        self.progress.expect(self.campaign, self.engine, plans)
        adopt(self.database, self.raw)
        for reference in plan_references(self.campaign, self.engine):
            self._want(reference, self._reference_done)
        for plan in plans:
            self._all(plan, start(plan))
        while self._queue or self.workers.busy:
            while self._queue and self.workers.free > 0:
                self.workers.start(heapq.heappop(self._queue)[2])
            for outcome in self.workers.finished():
                self._store(outcome)
        self.database.use(self._used)
        return self.report

    def _want(self, calculation: Calculation, then: Callable[[Record | None], None]) -> None:
        """See that a calculation is done, here or earlier, and go on with its record."""
        waiting = self._then.get(calculation.uid)
        if waiting is not None:
            waiting.append(then)
            return
        record = self.database.get(calculation.uid)
        if record is not None:
            self.progress.known(calculation)
            self._finish(_described(record, calculation), then)
            return
        self._then[calculation.uid] = [then]
        entry = (_PRIORITY[calculation.kind], next(self._order), calculation)
        heapq.heappush(self._queue, entry)
        self.progress.queued(calculation)

    def _store(self, outcome: Outcome) -> None:
        if outcome.record is None:
            self.progress.failed(outcome)
            title = self.progress.title(outcome.uid)
            self.report.failures.append(f"{title}: {outcome.error}")
            for then in self._then.pop(outcome.uid):
                then(None)
            return
        self.raw.add(outcome.documents)
        self.database.add([outcome.record])
        self.report.computed += 1
        self.progress.done(outcome.record)
        for then in self._then.pop(outcome.uid):
            self._finish(outcome.record, then)

    def _finish(self, record: Record, then: Callable[[Record | None], None]) -> None:
        if record.uid not in self.report.hosts:
            self.report.hosts[record.uid] = record.calculation.host
            self._used.append(record)
        then(record)

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
            self._unconverged(record, "what depends on it was not started; ")
            return
        self._all(plan, after(plan, record))

    def _ranked(self, plan: HostPlan, group: _Group, uid: str, record: Record | None) -> None:
        group.missing.discard(uid)
        if record is not None:
            group.records.append(record)
            if not record.result.converged:
                self._unconverged(record, "it takes no part in the ranking; ")
        if group.missing:
            return
        order = {r.uid: r for r in ranked(group.records)}
        self._used = [order.get(used.uid, used) for used in self._used]
        kept = rank(plan, group.records)
        if not kept:
            self.report.failures.append(f"host {plan.host}: no ordering converged")
        for chosen in kept:
            self._all(plan, after(plan, chosen))

    def _vacancy_done(self, record: Record | None) -> None:
        if record is not None and not record.result.converged:
            self._unconverged(record, "its row is marked; ")

    def _unconverged(self, record: Record, consequence: str) -> None:
        self.report.failures.append(
            f"{record.calculation.title}: not converged ({record.result.reason}); "
            f"{consequence}raise relax.max_steps"
        )

    def _reference_done(self, record: Record | None) -> None:
        if record is None:
            return
        if not record.result.converged:
            self._unconverged(record, "no E_f is converged without it; ")
        kind = str(record.calculation.reference_kind)
        self._references[kind] = record
        if len(self._references) == len(plan_references(self.campaign, self.engine)):
            self._guard()

    def _guard(self) -> None:
        """Compare both routes to mu_O before any E_f is made of them."""
        energies = {
            kind: record.result.energy / record.calculation.operation["units"]
            for kind, record in self._references.items()
        }
        reference = self.campaign.oxygen_reference.reference()
        try:
            mu_o = chemical_potential(reference, self.engine.energy_scale, energies)
        except ReferenceMismatch as error:
            raise InputError(str(error), file=self.campaign.path, key="oxygen_reference") from None
        self.progress.say(f"mu_O = {mu_o:.3f} eV, {reference.label(self.engine.energy_scale)}")


def adopt(database: ResultsDatabase, raw: RawStore) -> int:
    """Take records into the database whose documents were stored, but no row.

    That is what a kill between the two leaves behind.

    Returns
    -------
    int
        Number of rows added.
    """
    missing = raw.uids() - database.uids()
    return database.add(raw.records(missing)) if missing else 0


def run_campaign(
    campaign: Campaign, engine: Engine, directory: Path, workers: int, progress: Progress
) -> Report:
    """Run a campaign into a directory, whose writer's lock the caller holds.

    Parameters
    ----------
    campaign, engine
        Checked.
    directory
        Gets ``results.db`` and ``jobstore/``.
    workers
        Number of processes.
    progress
        Told of everything that happens.
    """
    path = directory / "results.db"
    database = ResultsDatabase.open(path) if path.exists() else ResultsDatabase(path)
    raw = RawStore(directory)
    pool = Workers(engine, workers)
    try:
        # First of all: what a kill leaves behind must show the campaign's own reference.
        database.describe_campaign(campaign.name, describe(campaign))
        report = CampaignRun(campaign, engine, database, raw, pool, progress).run()
    finally:
        pool.close()
        raw.close()
    return report


def describe(campaign: Campaign) -> dict[str, object]:
    """Return what a reader of the database needs to show a campaign's own numbers."""
    return {
        "engine": campaign.engine,
        "oxygen_reference": campaign.oxygen_reference.model_dump(),
    }


def _described(record: Record, calculation: Calculation) -> Record:
    """Return a stored record under the names this campaign gives it."""
    names = ("campaign", "host", "ordering", "ordering_energy", "reference_uids")
    update = {name: getattr(calculation, name) for name in names}
    return record.model_copy(update={"calculation": record.calculation.model_copy(update=update)})
