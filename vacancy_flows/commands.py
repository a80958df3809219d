"""What `run` does, without the command line."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from vacancy_flows import rawstore
from vacancy_flows.boundary_tables import boundary_energies, energy_lines, lithiated_hosts
from vacancy_flows.campaign import Campaign
from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.check import require_engine
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import get_engine
from vacancy_flows.errors import InputError
from vacancy_flows.location import is_url, writer_lock
from vacancy_flows.lock import WriterLock
from vacancy_flows.output_paths import make_directory
from vacancy_flows.outputs import remove_figures, summary, write_csv, write_figures
from vacancy_flows.planning import elements_of, plan_hosts
from vacancy_flows.predictions import prediction_figures, write_predictions
from vacancy_flows.progress import Progress
from vacancy_flows.reporting import write_page
from vacancy_flows.runner import Report, run_campaign
from vacancy_flows.standing import cost_text
from vacancy_flows.tables import campaign_table

RESULT_FILES = (
    "results.db",
    "results.db.writer",
    "vacancies.csv",
    "strain_predictions.csv",
    "boundary_energy.csv",
    "report.html",
    *rawstore.FILES,
)
RESULT_FOLDERS = (*rawstore.FOLDERS, "figures")
"""What is written into a directory for results."""


def run_here(
    spec: Path,
    directory: Path,
    workers: int,
    *,
    dry_run: bool = False,
    location: str | Path | None = None,
) -> int:
    """Run a campaign on this machine and print its summary.

    Parameters
    ----------
    spec
        Campaign file.
    directory
        Gets ``results.db``, ``vacancies.csv`` and ``figures/``.
    workers
        Number of processes.
    dry_run
        Only say what is not calculated yet.
    location
        Results database, a file or ``postgresql://...``; where None ``results.db`` in the
        directory.

    Returns
    -------
    int
        0, or 1 where calculations failed or did not converge.

    Raises
    ------
    InputError
        Before anything is computed or written, where the input is wrong.
    """
    campaign = load_campaign(spec)
    engine = get_engine(campaign.engine, campaign.settings)
    require_engine(engine, spec)
    plans = plan_hosts(campaign, engine)  # everything is checked before a file is made
    require_engine(engine, spec, elements_of(plans))
    place = _place(directory, location)
    if dry_run:
        there = is_url(place) or Path(place).exists()
        earlier = ResultsDatabase.open(place) if there else None
        click.echo(cost_text(campaign, engine, plans, workers, earlier))
        return 0
    open_results(place)  # what is no database is named before a folder is made
    make_directory(directory, "-d", RESULT_FILES, RESULT_FOLDERS)
    check_documents(directory)
    progress = Progress(say, workers)
    cores = os.cpu_count()
    if cores and workers > cores and not engine.leaves_files:
        say(f"{workers} workers on {cores} cores take more memory and no less time")
    with ExitStack() as locks:
        locks.enter_context(WriterLock(directory / "results.db"))  # for the raw documents
        if place != directory / "results.db":
            locks.enter_context(writer_lock(place))
        database = open_results(place)
        report = run_campaign(campaign, engine, database, directory, workers, progress)
        reused = f", {progress.reused} were there" if progress.reused else ""
        say(f"{report.computed} calculated{reused}, {len(report.failures)} with problems")
        write_results(campaign, report, database, directory)
    for failure in report.failures:
        click.echo(f"PROBLEM {failure}", err=True)
    return 1 if report.failures else 0


def _place(directory: Path, location: str | Path | None) -> str | Path:
    """Return where the rows go: a server's URL, or a file in a folder that exists."""
    own = directory / "results.db"
    if location is None or is_url(location):
        return own if location is None else location
    if "://" in str(location):
        raise InputError(
            "is no server this can write to: give postgresql://... or the path of a file",
            file=str(location),
            key="--db",
        )
    path = Path(location)
    if path.resolve() == own.resolve():
        return own
    problem = _wrong_place(directory.resolve(), path)
    if problem:
        raise InputError(f"{problem}: name a file for the results", file=path, key="--db")
    make_directory(path.parent, "--db", [path.name, f"{path.name}.writer"])
    return path


def _wrong_place(directory: Path, path: Path) -> str:
    """Return why a file cannot hold the rows of a run into a directory; empty where it can."""
    if path.is_dir():
        return "is a folder"
    if not path.parent.is_dir():
        return "is in a folder that does not exist"
    if path.exists() and not path.is_file():
        return "is no ordinary file"
    own = path.resolve()
    taken = {directory / name for name in RESULT_FILES}
    if own in taken or own.suffix == ".writer":
        return "is written by the run itself"
    if any(own.is_relative_to(directory / folder) for folder in (*RESULT_FOLDERS, "work")):
        return "is in a folder of the run itself"
    return ""


def check_documents(directory: Path) -> None:
    """Refuse what is no store of raw documents, where nobody is about to make it one.

    Raises
    ------
    InputError
        Where something else lies there, or another process writes.
    """
    lock = WriterLock(directory / "results.db")
    try:
        rawstore.has_documents(directory)
    except InputError:
        if not lock.path.exists():  # made before the documents
            raise
        with lock:
            rawstore.has_documents(directory)


def open_results(location: str | Path) -> ResultsDatabase:
    """Return a results database to write to; a file is made with the first row."""
    path = None if is_url(location) else Path(location)
    if path is None or (path.is_file() and path.stat().st_size):
        return ResultsDatabase.open(location)
    return ResultsDatabase(path)  # of nothing, or of a run killed before its first row


def write_results(
    campaign: Campaign, report: Report, database: ResultsDatabase, directory: Path
) -> None:
    """Write table and figures of a campaign and print its summary."""
    reference = campaign.oxygen_reference.reference()
    order = [host.name for host in campaign.hosts]
    table = campaign_table(database, campaign.name, report.uids, reference, order)
    write_csv(table, directory / "vacancies.csv")
    if table.empty:
        removed = remove_figures(directory)
        click.echo("no vacancy was finished: there is no figure and no page", err=True)
        for path in removed:
            click.echo(f"removed {path}, of earlier settings", err=True)
        return
    figures = write_figures(table, directory / "figures", reference)
    predicted = write_predictions(campaign.predictions, database, table, directory, reference)
    drawn = [prediction_figures(predicted)]
    page = write_page(database, [(reference, table)], directory, campaign.name, drawn)
    click.echo(summary(table, reference))
    if predicted.note:
        click.echo(f"\n{predicted.note}")
    energies = _boundary_energies(campaign, database, directory)
    click.echo()
    click.echo(f"wrote {database.location}")
    for path in [directory / "vacancies.csv", *figures, page, *predicted.paths, *energies]:
        click.echo(f"wrote {path}")


def _boundary_energies(
    campaign: Campaign, database: ResultsDatabase, directory: Path
) -> list[Path]:
    """Write and print the boundary energies of a campaign; nothing where it has no boundary."""
    path = directory / "boundary_energy.csv"
    if not any(host.is_boundary for host in campaign.hosts):
        path.unlink(missing_ok=True)
        return []
    table = boundary_energies(lithiated_hosts(database, {campaign.name}))
    if table.empty:
        return []
    write_csv(table, path)
    click.echo("\n" + "\n".join(energy_lines(table)))
    return [path]


def say(line: str) -> None:
    """Tell of progress, on standard error and at once."""
    click.echo(line, err=True)
    sys.stderr.flush()
