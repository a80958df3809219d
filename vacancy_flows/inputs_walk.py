"""Which folders a campaign needs now: what has its parent finished, and what waits for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vacancy_flows.build_files import strain_folder
from vacancy_flows.engines.vasp.engine import VaspEngine
from vacancy_flows.inputs_runs import Runs
from vacancy_flows.inputs_stages import cell_of_last, last, stages, static_of
from vacancy_flows.plan import HostPlan, after, rank, ranked, start
from vacancy_flows.schemas import Calculation, Record
from vacancy_flows.uses import Use, with_use

_NAMED = 3  # unfinished runs in one line


@dataclass(frozen=True)
class Wanted:
    """A folder to write.

    Attributes
    ----------
    folder
        Relative to the output.
    calculation
        With the structure of POSCAR.
    cell
        Whether it moves, ``free`` or ``fixed``; or ``static``.
    first
        Whether no run of this calculation goes before: only then another engine may.
    """

    folder: str
    calculation: Calculation
    cell: str
    first: bool


@dataclass
class Walk:
    """From the references and hosts of a campaign down to what can be run now.

    Attributes
    ----------
    engine
        Of the campaign.
    runs
        What there is.
    wanted
        Folders to write, by uid.
    waiting
        Lines: what waits for what.
    problems
        Lines: runs that nothing is built upon.
    uses
        Hosts and orderings that ask for a calculation, by uid.
    """

    engine: VaspEngine
    runs: Runs
    wanted: dict[str, Wanted] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    _reasons: dict[str, str] = field(default_factory=dict)

    def reference(self, calculation: Calculation) -> Record | None:
        """Return the record of a reference, None where it is not finished."""
        self._use(calculation)
        return self._place(calculation, f"references/{calculation.reference_kind}")

    def host(self, plan: HostPlan) -> None:
        """Go through a host, as far as its calculations are finished."""
        self._level(plan, start(plan), plan.host)

    def _level(self, plan: HostPlan, calculations: Sequence[Calculation], base: str) -> None:
        """Go through the calculations of one parent, whose folder is ``base``."""
        candidates: list[tuple[Calculation, str, Record | None]] = []
        for number, calculation in enumerate(calculations):
            own, name = _place_of(calculation, base, number)
            self._use(calculation)
            record = self._place(calculation, f"{own}/{name}")
            if calculation.kind in ("pristine", "vacancy"):
                self._charges(record, f"{own}/{name}-static")
            if calculation.kind == "vacancy":
                continue
            if calculation.kind == "candidate":
                candidates.append((calculation, own, record))
            elif record is not None and record.result.converged:
                self._level(plan, after(plan, record), own)
            else:
                what = _followers(plan, calculation)
                self.waiting.append(f"{what}: {self._reasons[calculation.uid]}")
        if candidates:
            self._ranked(plan, candidates)

    def _ranked(
        self, plan: HostPlan, candidates: list[tuple[Calculation, str, Record | None]]
    ) -> None:
        """Go on with the orderings that are kept, when all candidates are finished."""
        missing = [self._reasons[c.uid] for c, _, record in candidates if record is None]
        if missing:
            more = f"; and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
            self.waiting.append(f"orderings of {plan.host}: {'; '.join(missing[:_NAMED])}{more}")
            return
        records = [record for _, _, record in candidates if record is not None]
        for record in ranked(records):
            self._use(record.calculation)
        kept = rank(plan, records)
        if not kept:
            self.problems.append(f"host {plan.host}: no ordering converged")
        folders = {calculation.uid: own for calculation, own, _ in candidates}
        for record in kept:
            self._level(plan, after(plan, record), folders[record.uid])

    def _charges(self, record: Record | None, folder: str) -> None:
        """Ask for the static of a finished cell, where its Bader charges are wanted."""
        if record is None or not record.result.converged or not self.engine.settings.bader:
            return
        if record.result.charges is not None or self.runs.has_charges(record.uid):
            return
        static = static_of(record, self.engine.fingerprint())
        if not self.runs.knows(static.uid):
            self._want(static, folder)

    def _use(self, calculation: Calculation) -> None:
        use = Use.of(calculation)
        self.uses[calculation.uid] = with_use(self.uses.get(calculation.uid, ()), use)

    def _place(self, calculation: Calculation, folder: str) -> Record | None:
        """Return a record, converged or not; else see that its inputs are, or will be, there."""
        uid = calculation.uid
        if uid in self.wanted:  # of another host too
            return None
        found = self.runs.of(calculation)
        if found is None:
            self._want(calculation, folder)
            return None
        if found.reason:
            self._reasons[uid] = found.reason
        if found.wrong and found.reason not in self.problems:
            self.problems.append(found.reason)
        return found.record and found.record.described_by(calculation)

    def _want(self, calculation: Calculation, folder: str) -> None:
        """Ask for the folder of a calculation, or for those of what goes before it."""
        uid = calculation.uid
        before = stages(calculation, self.engine.fingerprint())
        for stage in before.values():
            self._use(stage)
        records = [self._place(stage, f"{folder}-{name}") for name, stage in before.items()]
        finished = [record for record in records if record is not None]
        ready = last(calculation, finished) if len(finished) == len(records) else None
        if ready is None:
            reasons = [self._reasons[c.uid] for c in before.values() if c.uid in self._reasons]
            self._reasons[uid] = f"{folder} waits for others"
            self.waiting.append(f"{folder}: {'; '.join(reasons[:_NAMED])}")
            return
        self._reasons[uid] = f"{folder} is to be run"
        self.wanted[uid] = Wanted(folder, ready, cell_of_last(calculation), first=not before)


def _place_of(calculation: Calculation, base: str, number: int) -> tuple[str, str]:
    """Return the folder of a calculation and its followers, and its own name in it."""
    if calculation.kind == "vacancy":
        return base, str(calculation.site)
    if calculation.kind == "pristine":
        folder = strain_folder(calculation.strain_mode, calculation.strain)
        return f"{base}/{folder}", "pristine"
    if "remove" in calculation.operation:
        return f"{base}/ordering-{number:02d}", "ordering"
    return base, "host"


def _followers(plan: HostPlan, calculation: Calculation) -> str:
    """Name what follows a host or a pristine cell."""
    if calculation.kind == "pristine":
        return f"vacancies of {calculation.title}"
    if plan.delithiate is not None and "remove" not in calculation.operation:
        return f"orderings of {plan.host}"
    number = len(plan.strains)
    return f"{number} pristine cell{'s' if number > 1 else ''} of {plan.host}"
