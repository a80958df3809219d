"""What is known of calculations before more is added: finished, on the LaunchPad, or missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from vacancy_flows.cluster.connection import Cluster
from vacancy_flows.cluster.finished import Finished, finished_calculations
from vacancy_flows.cluster.standing import FAILED, Standing, standings
from vacancy_flows.schemas import Calculation

Place = Literal["finished", "waits", "there", "missing"]


class Known(NamedTuple):
    """Where a calculation is.

    Attributes
    ----------
    place
        ``finished``: in the JobStore, nothing more is to be expected of it; ``waits``: on the
        LaunchPad, to run or running; ``there``: on the LaunchPad, failed or not looked at;
        ``missing``: to be added.
    finished
        What the JobStore holds of it.
    standing
        What the LaunchPad holds of it, where it was looked at.
    """

    place: Place
    finished: Finished | None
    standing: Standing | None


class Knowledge:
    """Ask a LaunchPad and its JobStore for calculations.

    What did not converge, or failed, and was not tried with the effort of now, is missing.

    Parameters
    ----------
    cluster
        To ask.
    effort
        Of the engine (`vacancy_flows.engines.Engine.effort`).
    """

    def __init__(self, cluster: Cluster, effort: dict[str, Any]) -> None:
        self.cluster, self.effort = cluster, effort
        self._all: set[str] | None = None
        self._failed: set[str] = set()

    def of(self, calculations: Sequence[Calculation], *, at_once: bool = False) -> dict[str, Known]:
        """Return where calculations are, by uid.

        Parameters
        ----------
        calculations
            To look for.
        at_once
            Whether to ask for everything on the LaunchPad, once, because many will be asked
            for; only what may have to be tried again is then looked at closely.
        """
        uids = [c.uid for c in calculations]
        finished = finished_calculations(self.cluster.store, uids)
        there: Collection[str] = ()
        unclear: Iterable[str] = uids
        if at_once:
            there = self._load()
            again = {uid for uid, found in finished.items() if not found.converged}
            unclear = there & (again | self._failed)
        known = standings(self.cluster.launchpad, set(uids).intersection(unclear))
        return {
            uid: Known(
                self._place(finished.get(uid), known.get(uid), uid in there),
                finished.get(uid),
                known.get(uid),
            )
            for uid in uids
        }

    def _load(self) -> set[str]:
        """Return all uids on the LaunchPad; asks once."""
        if self._all is None:
            fireworks = self.cluster.launchpad.fireworks
            self._all = set(fireworks.distinct("spec.uid", {"state": {"$ne": "ARCHIVED"}}))
            self._failed = set(fireworks.distinct("spec.uid", {"state": {"$in": FAILED}}))
        return self._all

    def _place(self, finished: Finished | None, standing: Standing | None, there: bool) -> Place:
        if finished is not None and finished.converged:
            return "finished"
        if standing is not None and standing.state in {"waiting", "running"}:
            return "waits"
        if finished is not None and finished.is_settled(self.effort):
            return "finished"
        if standing is None:
            return "there" if there and finished is None else "missing"
        if standing.effort == self.effort or (standing.state == "done" and finished is None):
            return "there"
        return "missing"
