"""`collect`: finished calculations of clusters into a results database, again and again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import click
from jobflow import JobStore
from monty.json import MontyDecoder

from vacancy_flows import rawstore
from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.cluster.connection import open_cluster, open_jobstore, record_documents
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.registry import submitted
from vacancy_flows.cluster.standing import reason, standings
from vacancy_flows.commands import RESULT_FILES, RESULT_FOLDERS, open_results, say, write_results
from vacancy_flows.engines import get_engine
from vacancy_flows.errors import InputError
from vacancy_flows.lock import WriterLock
from vacancy_flows.output_paths import make_directory
from vacancy_flows.progress import Progress
from vacancy_flows.rawstore import RawStore
from vacancy_flows.runner import CampaignRun
from vacancy_flows.schemas import Calculation
from vacancy_flows.worker import Outcome

_AT_ONCE = 50  # documents in memory


class Collector:
    """Stands where the workers of a local run stand: it finds instead of calculating.

    Parameters
    ----------
    stores
        JobStores that may hold calculations; of one that is in two of them, the first counts.
    launchpads
        That say what failed.
    stored
        uids of what was collected before. A vacancy waits for its references, with which its
        settings are compared when it is stored.

    Attributes
    ----------
    pending
        Calculations that are neither finished nor failed.
    """

    free = 1_000_000

    def __init__(
        self,
        stores: Sequence[JobStore],
        launchpads: Sequence[CampaignLaunchPad],
        stored: Collection[str],
    ) -> None:
        self.stores, self.launchpads = stores, launchpads
        self.pending: list[Calculation] = []
        self._asked: list[Calculation] = []
        self._stored = set(stored)

    @property
    def busy(self) -> bool:
        """Whether something is still to be looked for."""
        return bool(self._asked)

    def start(self, calculation: Calculation) -> None:
        """Look for a calculation, when `finished` is asked."""
        self._asked.append(calculation)

    def finished(self) -> Iterator[Outcome]:
        """Yield what is found, and what failed; the rest is pending."""
        asked, self._asked = self._asked[:_AT_ONCE], self._asked[_AT_ONCE:]
        early = [c for c in asked if not self._stored.issuperset(c.reference_uids.values())]
        early = [c for c in early if c.kind == "vacancy"]
        self.pending += early
        missing = {c.uid: c for c in asked if c not in early}
        for store in self.stores:
            for uid, document in record_documents(store, list(missing)).items():
                del missing[uid]
                self._stored.add(uid)
                record = MontyDecoder().process_decoded(document["output"])
                yield Outcome(uid, record, [document])
        for uid, calculation in missing.items():
            why = self._failure(uid)
            if why:
                yield Outcome(uid, error=why)
            else:
                self.pending.append(calculation)

    def _failure(self, uid: str) -> str:
        """Say why a calculation failed, if it did wherever it was tried."""
        found = [(pad, standings(pad, [uid]).get(uid)) for pad in self.launchpads]
        there = [(pad, standing) for pad, standing in found if standing is not None]
        if not there or any(standing.state != "failed" for _, standing in there):
            return ""
        pad, standing = there[0]
        return reason(pad, standing.failed[0])


class _Told(Progress):
    """Progress without a time left: nothing is calculated."""

    def _time_left(self) -> str:
        return ""


def collect_here(
    directory: Path,
    spec: Path | None = None,
    launchpads: Sequence[Path] = (),
    jobstores: Sequence[Path] = (),
) -> int:
    """Store the finished calculations of campaigns and write tables, figures and report.

    Parameters
    ----------
    directory
        As for `vacancy_flows.commands.run_here`.
    spec
        Campaign file; where None, every campaign of the LaunchPads.
    launchpads
        Their files; FireWorks' own where there are no ``jobstores`` either.
    jobstores
        Files as ``jobflow.yaml``, of what was run without a LaunchPad (jobflow-remote).

    Returns
    -------
    int
        0, or 1 where calculations failed or did not converge.

    Raises
    ------
    InputError
        Where the input is wrong, or another process writes there.
    """
    alone = [open_jobstore(file) for file in jobstores]
    clusters = [open_cluster(file) for file in launchpads]
    if not clusters and not alone:
        clusters = [open_cluster()]
    pads = [cluster.launchpad for cluster in clusters]
    stores = [*(cluster.store for cluster in clusters), *alone]
    if not alone:
        submitted(pads)  # or says that nothing was
    specs = [spec] if spec is not None else _specs(pads)
    make_directory(directory, "-d", RESULT_FILES, RESULT_FOLDERS)
    rawstore.has_documents(directory)  # refuses another file
    with WriterLock(directory / "results.db"):
        return max((_collect(file, directory, stores, pads) for file in specs), default=0)


def _collect(
    spec: Path,
    directory: Path,
    stores: Sequence[JobStore],
    launchpads: Sequence[CampaignLaunchPad],
) -> int:
    """Collect one campaign."""
    campaign = load_campaign(spec)
    engine = get_engine(campaign.engine, campaign.settings)
    database = open_results(directory / "results.db")
    collector = Collector(stores, launchpads, database.uids())
    raw = RawStore(directory)
    try:
        run = CampaignRun(campaign, engine, database, raw, collector, _Told(say))
        report = run.run()
    finally:
        raw.close()
    say(f"{report.computed} collected, {len(collector.pending)} not finished yet")
    write_results(campaign, report, database, directory)
    for failure in report.failures:
        click.echo(f"PROBLEM {failure}", err=True)
    return 1 if report.failures else 0


def _specs(launchpads: Sequence[CampaignLaunchPad]) -> list[Path]:
    """Return the files of all campaigns that were submitted.

    Raises
    ------
    InputError
        Where there is none, or one is not here.
    """
    noted = submitted(launchpads)
    for name, campaign in noted.items():
        if not Path(campaign["spec"]).is_file():
            problem = f"campaign {name}: its file is not here: name it, `collect SPEC -d DIR`"
            raise InputError(problem, file=campaign["spec"])
    return [Path(campaign["spec"]) for campaign in noted.values()]
