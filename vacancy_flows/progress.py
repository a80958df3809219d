"""What a person sees while a campaign runs: what, how many of how many, time left."""

from __future__ import annotations

from collections.abc import Callable

from vacancy_flows.campaign import Campaign
from vacancy_flows.engines import Engine
from vacancy_flows.plan import HostPlan
from vacancy_flows.planning import expected_calculations, plan_references
from vacancy_flows.schemas import Calculation, Record
from vacancy_flows.worker import Outcome


class Progress:
    """Count calculations and tell about them, one line each.

    How many there will be is estimated from the built cells until each host's own
    calculations are known.

    Parameters
    ----------
    say
        Takes a line.
    workers
        Number of processes, for the time left.
    """

    def __init__(self, say: Callable[[str], None], workers: int = 1) -> None:
        self.say = say
        self.workers = workers
        self._expected: dict[str, dict[str, int]] = {}
        self._known: dict[str, dict[str, int]] = {}
        self._cost: dict[str, float] = {}
        self._calculations: dict[str, Calculation] = {}
        self._finished: set[str] = set()
        self._work_done = self._wall_done = 0.0
        self._computed = 0
        self._reused = 0
        self._engine: Engine | None = None

    def expect(self, campaign: Campaign, engine: Engine, plans: list[HostPlan]) -> None:
        """Estimate how much there is to do."""
        self._engine = engine
        references = len(plan_references(campaign, engine))
        self._expected[""] = {"reference": references}
        for plan in plans:
            self._expected[plan.host] = expected_calculations(plan)
        self.say(
            f"campaign {campaign.name}: engine {engine.name}, energy scale "
            f"{engine.energy_scale}, about {self.total} calculations"
        )

    def planned(self, plan: HostPlan, calculations: list[Calculation]) -> None:
        """Replace an estimate by what is now known."""
        known = self._known.setdefault(plan.host, {})
        for calculation in calculations:
            known[calculation.kind] = known.get(calculation.kind, 0) + 1
        pristine = known.get("pristine", 0)
        if pristine and all(c.kind == "vacancy" for c in calculations):
            per_cell = known["vacancy"] / max(1, self._cells_with_vacancies(plan, calculations))
            self._expected[plan.host]["vacancy"] = round(per_cell * pristine)
        for kind in ("host", "candidate", "pristine"):
            if kind in known:
                self._expected[plan.host][kind] = known[kind]

    def known(self, calculation: Calculation) -> None:
        """Count a calculation that was finished before."""
        self._calculations[calculation.uid] = calculation
        if calculation.uid not in self._finished:
            self._finished.add(calculation.uid)
            self._reused += 1

    def queued(self, calculation: Calculation) -> None:
        """Remember a calculation that is to be done."""
        self._calculations[calculation.uid] = calculation

    def done(self, record: Record) -> None:
        """Tell that a calculation has finished."""
        self._finished.add(record.uid)
        result = record.result
        if record.calculation.kind != "reference":  # tiny, and the first one loads the model
            self._work_done += self._work(record.calculation)
            self._wall_done += result.wall_s
            self._computed += 1
        state = "" if result.converged else f"NOT CONVERGED: {result.reason}, "
        self._line(
            record.uid,
            f"{state}{result.n_steps} steps, {result.wall_s:.1f} s{self._time_left()}",
        )

    def failed(self, outcome: Outcome) -> None:
        """Tell that a calculation has failed."""
        self._finished.add(outcome.uid)
        self._line(outcome.uid, f"FAILED: {outcome.error}")

    def title(self, uid: str) -> str:
        """Return what a calculation is called."""
        return self._calculations[uid].title

    @property
    def reused(self) -> int:
        """Number of calculations that were there already."""
        return self._reused

    @property
    def total(self) -> int:
        """Expected number of calculations."""
        estimate = sum(sum(kinds.values()) for kinds in self._expected.values())
        return max(estimate, len(self._calculations))

    def _cells_with_vacancies(self, plan: HostPlan, calculations: list[Calculation]) -> int:
        parents = {
            c.parent_uid
            for c in [*self._calculations.values(), *calculations]
            if c.kind == "vacancy" and c.host == plan.host
        }
        return len(parents)

    def _line(self, uid: str, text: str) -> None:
        done = f"[{len(self._finished)}/{self.total}]"
        self.say(f"{done} {self.title(uid)}: {text}")

    def _work(self, calculation: Calculation) -> float:
        seconds = None
        if self._engine is not None:
            seconds = self._engine.seconds(calculation.n_atoms, calculation.kind)
        return float(calculation.n_atoms) if seconds is None else seconds

    def _time_left(self) -> str:
        left = self.total - len(self._finished)
        if left <= 0 or not self._computed:
            return ""
        open_work = sum(
            self._work(c) for uid, c in self._calculations.items() if uid not in self._finished
        )
        listed = sum(uid not in self._finished for uid in self._calculations)
        typical = self._work_done / self._computed
        open_work += max(0, left - listed) * typical
        seconds = self._wall_done / self._work_done * open_work / self.workers
        return f"; {duration(seconds)} left"


def duration(seconds: float) -> str:
    """Return a time as people say it.

    Examples
    --------
    >>> duration(42), duration(600), duration(8000)
    ('about 42 s', 'about 10 min', 'about 2.2 h')
    """
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
