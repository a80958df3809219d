"""What the commands do, without the command line."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import click
import pandas as pd

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.campaign import Campaign
from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.database import NUMERIC_COLUMNS, ResultsDatabase
from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.errors import InputError
from vacancy_flows.lock import WriterLock
from vacancy_flows.outputs import summary, to_csv, write_csv, write_figures
from vacancy_flows.planning import expected_calculations, plan_hosts, plan_references
from vacancy_flows.predictions import write_predictions
from vacancy_flows.progress import Progress, duration
from vacancy_flows.rawstore import RawStore
from vacancy_flows.reporting import write_page
from vacancy_flows.runner import Report, run_campaign
from vacancy_flows.selection import parse_selection, select, typed
from vacancy_flows.tables import Tables, calculations_table, campaign_table, vacancy_tables


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
    _make_directory(directory)
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


def query_database(path: str | Path, selection: str, style: str, options: dict[str, Any]) -> str:
    """Return rows of a database as text.

    Parameters
    ----------
    path
        ``results.db`` or ``postgresql://...``.
    selection
        In ASE's syntax.
    style
        ``table``, ``csv``, ``json``, ``extxyz`` (cells) or ``entries`` (pymatgen).
    options
        ``oxygen_scheme``, ``mu_o``, ``temperature``, ``pressure``; None where not given.

    Raises
    ------
    InputError
        For unknown columns and references that do not fit.
    """
    database = ResultsDatabase.open(path)
    reference = reference_of(options)
    terms = parse_selection(selection)
    if any(key == "kind" for key, _, _ in terms):
        found = select(calculations_table(database), selection)
        return _formatted(database, found, style, [])
    tables = _selected(database, reference, selection)
    notes = []
    for used, table in tables:
        scales = sorted(table["energy_scale"].dropna().unique())
        notes += [f"oxygen reference ({scale}): {used.label(scale)}" for scale in scales]
    joined = [table for _, table in tables if not table.empty] or [tables[0][1]]
    return _formatted(database, pd.concat(joined, ignore_index=True), style, notes)


def report_database(
    path: str | Path, directory: Path, selection: str, options: dict[str, Any]
) -> list[Path]:
    """Write tables, figures and ``report.html`` of a database.

    Parameters
    ----------
    path
        ``results.db`` or ``postgresql://...``.
    directory
        Made where it does not exist.
    selection
        In ASE's syntax.
    options
        As in `query_database`.

    Returns
    -------
    list of Path
        Files written, the page first.
    """
    from vacancy_flows.reporting import report_tables

    database = ResultsDatabase.open(path)
    tables = _selected(database, reference_of(options), selection)
    _make_directory(directory)
    return report_tables(database, tables, directory, "Oxygen vacancies")


def _selected(
    database: ResultsDatabase, reference: OxygenReference | None, selection: str
) -> Tables:
    """Return the tables of a selection; those that it leaves empty only where all are."""
    terms = typed(parse_selection(selection), NUMERIC_COLUMNS)
    tables = vacancy_tables(database, reference, terms)
    found = [(used, select(table, selection)) for used, table in tables]
    return [(used, table) for used, table in found if not table.empty] or found[:1]


def reference_of(options: dict[str, Any]) -> OxygenReference | None:
    """Return the oxygen reference of command-line options, None where none is given.

    Raises
    ------
    InputError
        Where they contradict each other.
    """
    scheme, mu_o = options.get("oxygen_scheme"), options.get("mu_o")
    if all(value is None for value in options.values()):
        return None
    if mu_o is not None and scheme not in (None, "user"):
        raise InputError(f"--mu-o is your own mu_O: leave out {scheme}", key="--oxygen-scheme")
    if mu_o is not None and not math.isfinite(mu_o):
        raise InputError("must be a number", key="--mu-o")
    try:
        return OxygenReference(
            scheme="user" if mu_o is not None else scheme or "O2",
            temperature=options.get("temperature") or 0.0,
            pressure=1.0 if options.get("pressure") is None else options["pressure"],
            mu_o=mu_o,
        )
    except ValueError as error:
        raise InputError(str(error), key="oxygen reference") from None


def repair_directory(directory: Path) -> str:
    """Rebuild ``results.db`` from the raw documents; the old file is kept beside it.

    Raises
    ------
    InputError
        Where there are no raw documents.
    """
    if not (directory / "jobstore").is_dir():
        raise InputError("holds no jobstore: there is nothing to repair from", file=directory)
    path = directory / "results.db"
    with WriterLock(path):
        raw = RawStore(directory)
        fresh = path.with_name("results.db.new")
        fresh.unlink(missing_ok=True)
        rebuilt = ResultsDatabase(fresh)
        number = rebuilt.add(raw.records())
        raw.close()
        if number == 0:
            raise InputError("holds no finished calculation", file=directory / "jobstore")
        for name, description in _campaigns(path).items():
            rebuilt.describe_campaign(name, description)
        if path.exists():
            path.replace(path.with_name("results.db.old"))
        fresh.replace(path)
    return f"{path}: {number} calculations rebuilt; `vacancy-flows run` writes the tables again"


def _campaigns(path: Path) -> dict[str, Any]:
    try:
        return ResultsDatabase.open(path).campaigns if path.exists() else {}
    except InputError:
        return {}  # what could not be read is what is being repaired


def _formatted(database: ResultsDatabase, table: pd.DataFrame, style: str, notes: list[str]) -> str:
    if style == "csv":
        return to_csv(table)
    if style == "json":
        content = {"reference": notes, "rows": json.loads(table.to_json(orient="records"))}
        return json.dumps(content, indent=1) + "\n"
    if style in ("extxyz", "entries"):
        from vacancy_flows.exports import to_entries, to_extxyz

        records = (record for uid in table["uid"] if (record := database.get(uid)))
        return to_extxyz(records) if style == "extxyz" else to_entries(records)
    shown = table.dropna(axis="columns", how="all")
    text = "no rows" if shown.empty else shown.to_string(index=False, na_rep="")
    return "\n".join([*notes, text]) + "\n"


def _say(line: str) -> None:
    click.echo(line, err=True)
    sys.stderr.flush()


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError("is a file, not a directory", file=directory, key="-d") from None
    except OSError as error:
        raise InputError(f"cannot be made ({error.strerror})", file=directory, key="-d") from None
