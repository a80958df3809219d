"""What `run` does, without the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from vacancy_flows.campaign import Campaign
from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.lock import WriterLock
from vacancy_flows.output_paths import make_directory
from vacancy_flows.outputs import summary, write_csv, write_figures
from vacancy_flows.planning import expected_calculations, plan_hosts, plan_references
from vacancy_flows.predictions import write_predictions
from vacancy_flows.progress import Progress, duration
from vacancy_flows.reporting import write_page
from vacancy_flows.runner import Report, run_campaign
from vacancy_flows.tables import campaign_table


def run_here(spec: Path, directory: Path, workers: int, *, dry_run: bool = False) -> int:
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
        Only say what would be calculated.

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
    engine.check()
    plans = plan_hosts(campaign, engine)  # everything is checked before a file is made
    if dry_run:
        click.echo(cost_text(campaign, engine, plans, workers))
        return 0
    make_directory(directory, "-d")
    progress = Progress(_say, workers)
    with WriterLock(directory / "results.db"):
        report = run_campaign(campaign, engine, directory, workers, progress)
        reused = f", {progress.reused} were there" if progress.reused else ""
        _say(f"{report.computed} calculated{reused}, {len(report.failures)} with problems")
        write_results(campaign, report, directory)
    for failure in report.failures:
        click.echo(f"PROBLEM {failure}", err=True)
    return 1 if report.failures else 0


def write_results(campaign: Campaign, report: Report, directory: Path) -> None:
    """Write table and figures of a campaign and print its summary."""
    database = ResultsDatabase(directory / "results.db")
    reference = campaign.oxygen_reference.reference()
    order = [host.name for host in campaign.hosts]
    table = campaign_table(database, report.hosts, reference, order)
    if table.empty:
        click.echo("no vacancy was finished: there is no table and no figure", err=True)
        return
    write_csv(table, directory / "vacancies.csv")
    figures = write_figures(table, directory / "figures", reference)
    page = write_page(database, [(reference, table)], directory, campaign.name)
    predicted = write_predictions(campaign, database, table, directory, reference)
    click.echo(summary(table, reference))
    if predicted.note:
        click.echo(f"\n{predicted.note}")
    click.echo()
    files = [directory / "results.db", directory / "vacancies.csv", *figures, page]
    for path in [*files, *predicted.paths]:
        click.echo(f"wrote {path}")


def cost_text(campaign: Campaign, engine: Engine, plans: list[Any], workers: int) -> str:
    """Return how many calculations a campaign takes and about how long."""
    kinds = {"reference": len(plan_references(campaign, engine))}
    seconds: float | None = 0.0
    for plan in plans:
        for kind, number in expected_calculations(plan).items():
            kinds[kind] = kinds.get(kind, 0) + number
            cost = engine.seconds(len(plan.root), kind)
            seconds = None if seconds is None or cost is None else seconds + number * cost
    listed = ", ".join(f"{number} {kind}" for kind, number in kinds.items() if number)
    time = "unknown time" if seconds is None else f"{duration(seconds / workers)} estimated"
    return (
        f"campaign {campaign.name}: about {sum(kinds.values())} calculations ({listed}), "
        f"{time} on {workers} worker(s); sites are those of the unrelaxed cells"
    )


def _say(line: str) -> None:
    click.echo(line, err=True)
    sys.stderr.flush()
