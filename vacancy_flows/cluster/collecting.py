"""`collect`: finished calculations of clusters into a results database, again and again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import click
from jobflow import JobStore
from monty.json import MontyDecoder

from vacancy_flows.cluster.connection import open_cluster, open_jobstore
from vacancy_flows.cluster.finished import Finished, finished_calculations, record_documents
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.registry import Submitted, all_submitted
from vacancy_flows.cluster.standing import reasons, standings
from vacancy_flows.cluster.submitting import Submission, prepared
from vacancy_flows.commands import (
    RESULT_FILES,
    RESULT_FOLDERS,
    check_documents,
    open_results,
    say,
    write_results,
)
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.lock import WriterLock
from vacancy_flows.output_paths import make_directory
from vacancy_flows.progress import Progress
from vacancy_flows.rawstore import RawStore
from vacancy_flows.runner import CampaignRun
from vacancy_flows.schemas import Calculation, Record
from vacancy_flows.worker import Outcome

_AT_ONCE = 50  # documents in memory


class Collector:
    """Stands where the workers of a local run stand: it finds instead of calculating.

    Parameters
    ----------
    stores
        JobStores that may hold calculations; of one that several hold the best counts.
    launchpads
        That say what failed.
    database
        With what was collected before. A vacancy waits for its references, with which its
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
        database: ResultsDatabase,
    ) -> None:
        self.stores, self.launchpads = stores, launchpads
        self.pending: list[Calculation] = []
        self._asked: list[Calculation] = []
        self._stored = database.uids()
        table = database.table()
        self._tries = self._tried(table["uid"][~table["converged"]].tolist())

    def _tried(self, uids: Sequence[str]) -> dict[str, list[Finished]]:
        """Return what the JobStores hold of calculations that did not converge."""
        tries: dict[str, list[Finished]] = {}
        for store in self.stores:
            for uid, found in finished_calculations(store, uids).items():
                tries.setdefault(uid, []).append(found)
        return tries

    def may_better(self, record: Record) -> bool:
        """Tell whether a JobStore holds a better try of what is stored unconverged."""
        return not record.result.converged and any(
            (found.created, found.effort) != (record.created, record.effort)
            and (found.converged or found.created > record.created)
            for found in self._tries.get(record.uid, ())
        )

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
        waiting = {c.uid for c in early}
        missing = {c.uid: c for c in asked if c.uid not in waiting}
        for uid, document in record_documents(self.stores, missing).items():
            del missing[uid]
            self._stored.add(uid)
            record = MontyDecoder().process_decoded(document["output"])
            yield Outcome(uid, record, [document])
        why = self._failures(missing)
        self.pending += [c for uid, c in missing.items() if uid not in why]
        for uid, told in why.items():
            yield Outcome(uid, error=told)

    def _failures(self, uids: Collection[str]) -> dict[str, str]:
        """Say why calculations failed, those that did wherever they were tried."""
        failed: dict[str, str] = {}
        elsewhere: set[str] = set()
        for pad in self.launchpads:
            found = standings(pad, uids)
            first = {uid: s.failed[0] for uid, s in found.items() if s.state == "failed"}
            elsewhere |= found.keys() - first.keys()
            why = reasons(pad, first.values())
            failed = {uid: why[fw["fw_id"]] for uid, fw in first.items()} | failed
        return {uid: told for uid, told in failed.items() if uid not in elsewhere}


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
        all_submitted(pads)  # or says that nothing was
    specs = [spec] if spec is not None else _specs(pads)
    submissions = [prepared(file) for file in specs]  # all are checked before a folder is made
    make_directory(directory, "-d", RESULT_FILES, RESULT_FOLDERS)
    check_documents(directory)
    with WriterLock(directory / "results.db"):
        return max(_collect(each, directory, stores, pads) for each in submissions)


def _collect(
    submission: Submission,
    directory: Path,
    stores: Sequence[JobStore],
    launchpads: Sequence[CampaignLaunchPad],
) -> int:
    """Collect one campaign."""
    campaign, engine = submission.campaign, submission.engine
    database = open_results(directory / "results.db")
    collector = Collector(stores, launchpads, database)
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
        Where there is none, one is not here, or two of one name have different settings.
    """
    noted: dict[str, dict[str, list[Submitted]]] = {}  # by name, by settings
    for (name, settings), found in all_submitted(launchpads).items():
        noted.setdefault(name, {})[settings] = found
    return [_file_of(name, by_settings) for name, by_settings in noted.items()]


def _file_of(name: str, by_settings: dict[str, list[Submitted]]) -> Path:
    """Return the file of the campaign of a name, of which a database holds one."""
    files = dict.fromkeys(one.spec for found in by_settings.values() for one in found)
    if len(by_settings) > 1 and len(files) > 1:
        told = " and ".join(str(found[-1]) for found in by_settings.values())
        problem = (
            f"campaigns of one name with different settings: {told}; collect each into a directory "
            "of its own, `collect SPEC -d DIR`, or give one another name and submit it again"
        )
        raise InputError(problem, key=name)
    here = [Path(file) for file in files if Path(file).is_file()]
    if not here:
        problem = f"campaign {name}: its file is not here: name it, `collect SPEC -d DIR`"
        raise InputError(problem, file=next(iter(files)))
    return here[-1]
