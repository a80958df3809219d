"""The command line, ``vacancy-flows``.

Exit status: 0 all done, 1 some calculations failed, 2 the input is wrong.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
from pathlib import Path
from typing import Any

import click

from vacancy_flows.cli_cluster import COMMANDS
from vacancy_flows.cli_paths import Place as _Place
from vacancy_flows.errors import InputError

# Only what every command needs is imported above: `--help` must not wait for torch.

_REFERENCE_OPTIONS = (
    click.option("--oxygen-scheme", type=click.Choice(["O2", "Li2O", "user"]), default=None),
    click.option("--mu-o", type=float, default=None, help="Your own mu_O, eV per O atom."),
    click.option("--temperature", type=float, default=None, help="K; 0: no thermal term."),
    click.option("--pressure", type=float, default=None, help="Of O2, bar."),
)


def _reference_options(command: Any) -> Any:
    for option in reversed(_REFERENCE_OPTIONS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vacancy-flows")
@click.option("-v", "--verbose", is_flag=True, help="Say more, with tracebacks of failures.")
def cli(verbose: bool) -> None:
    """Oxygen vacancy formation energies of battery cathodes, from a campaign file."""
    level = logging.DEBUG if verbose else logging.WARNING
    handler = logging.StreamHandler()
    handler.addFilter(_is_ours_or_a_warning)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", handlers=[handler])
    logging.getLogger("vacancy_flows").setLevel(level)


@cli.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("-o", "--output", "directory", required=True, type=_Place(path_type=Path))
@click.option("--inputs", is_flag=True, help="Write VASP folders to submit by hand instead.")
@click.option(
    "--from",
    "source",
    type=_Place(path_type=Path),
    help="With --inputs: DIR with finished runs, besides those in the output.",
)
def build(spec: Path, directory: Path, inputs: bool, source: Path | None) -> None:
    """Write every structure of a campaign; calculate nothing.

    With --inputs the VASP folders that can be run now: call it again when they have run, until
    nothing waits, then `ingest` them.
    """
    from vacancy_flows.build import build_campaign
    from vacancy_flows.campaign_file import load_campaign
    from vacancy_flows.engines import get_engine

    if source is not None and not inputs:
        raise InputError("belongs to --inputs: add it, or leave this out", key="--from")
    campaign = load_campaign(spec)
    engine = get_engine(campaign.engine, campaign.settings)
    if inputs:
        from vacancy_flows.inputs import inputs_here

        sys.exit(inputs_here(campaign, engine, directory, source))
    click.echo(build_campaign(campaign, engine, directory).text)


@cli.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("-d", "--directory", required=True, type=_Place(path_type=Path), help="For results.")
@click.option("--workers", type=click.IntRange(1, 512), default=1, help="Processes.")
@click.option("--dry-run", is_flag=True, help="Only say what is not calculated yet.")
@click.option(
    "--db",
    "location",
    type=_Place(),
    help="Results database: postgresql://... or a file; else DIR/results.db.",
)
def run(spec: Path, directory: Path, workers: int, dry_run: bool, location: str | None) -> None:
    """Run a campaign here, from where it stands; start it again to go on."""
    from vacancy_flows.commands import run_here

    sys.exit(run_here(spec, directory, workers, dry_run=dry_run, location=location))


@cli.command()
@click.argument("places", metavar="DIR...", nargs=-1, required=True, type=_Place(path_type=Path))
@click.option("--db", "location", required=True, type=_Place(), help="results.db, made if need be.")
@click.option(
    "--pristine",
    multiple=True,
    type=_Place(path_type=Path),
    help="DIR of a pristine cell, where several are possible; may be repeated.",
)
@click.option("--mu-o", type=float, help="mu_O for the E_f that are printed, eV per O atom.")
@click.option("--allow-mismatch", is_flag=True, help="Flag rows whose settings differ.")
def ingest(
    places: tuple[Path, ...],
    location: str,
    pristine: tuple[Path, ...],
    mu_o: float | None,
    allow_mismatch: bool,
) -> None:
    """Store finished VASP runs: every vasprun.xml(.gz) under DIR, vacancies with their cells.

    Runs of earlier calls are paired with new ones. Without references mu_O and E_f stay empty
    until they are ingested, or `query --mu-o` gives a value.
    """
    from vacancy_flows.ingest.command import ingest_here

    sys.exit(ingest_here(places, location, pristine, mu_o, allow=allow_mismatch))


@cli.command()
@click.argument("database")
@click.argument("selection", default="")
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "csv", "json", "extxyz", "entries"]),
    default="table",
)
@_reference_options
def query(database: str, selection: str, style: str, **reference: Any) -> None:
    """Show vacancies of a results database, e.g. host=Li2MnO3,strain>0.02.

    Without options each row has the oxygen reference of its campaign; an option changes
    what it names and nothing else. A selection on
    `kind` (pristine, host, candidate, reference, vacancy) shows calculations as stored.
    """
    from vacancy_flows.reading import query_database

    click.echo(query_database(database, selection, style, reference), nl=False)


@cli.command()
@click.argument("database", type=_Place())
@click.argument("selection", default="")
@click.option("-o", "--output", "directory", required=True, type=_Place(path_type=Path))
@_reference_options
def report(database: str, selection: str, directory: Path, **reference: Any) -> None:
    """Write tables, figures and a page (report.html) of a results database."""
    from vacancy_flows.reading import report_database

    for path in report_database(database, directory, selection, reference):
        click.echo(f"wrote {path}")


@cli.command()
@click.argument("directory", type=_Place(path_type=Path))
def repair(directory: Path) -> None:
    """Rebuild results.db from the raw documents of a campaign directory."""
    from vacancy_flows.repair import repair_directory

    click.echo(repair_directory(directory))


@cli.command()
@click.argument("spec", required=False, type=click.Path(path_type=Path))
def check(spec: Path | None) -> None:
    """Say what this machine can run; with SPEC, whether it can run that campaign."""
    from vacancy_flows.check import check_campaign, check_machine

    if spec is not None:
        click.echo(check_campaign(spec))
        return
    for finding in check_machine():
        click.echo(finding)


for _command in COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command line; nothing a user types ends in a traceback."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        _stop("interrupted; what was finished is kept, start again to go on", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except InputError as error:
        _stop(str(error), 2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except PermissionError as error:
        _stop(f"{error.filename}: permission denied: choose a place you may write to", 2)
    except sqlite3.Error as error:
        _stop(f"the database could not be read or written ({error}): is the disk full?", 1)
    except MemoryError:
        _stop("the input needs more memory than there is: check the size of the cell", 2)
    except OSError as error:
        _stop(f"{error.filename or 'system'}: {error.strerror or error}", 1)
    except Exception as error:  # the last resort: a message, never a traceback
        logging.getLogger("vacancy_flows").debug("internal error", exc_info=True)
        _stop(f"internal error ({type(error).__name__}: {error}): -v shows where", 1)


def _is_ours_or_a_warning(record: logging.LogRecord) -> bool:
    """Leave out what others say to themselves: FireWorks' loggers print that on their own."""
    return record.name.startswith("vacancy_flows") or record.levelno >= logging.WARNING


def _stop(message: str, status: int) -> None:
    click.echo(f"vacancy-flows: {message}", err=True)
    sys.exit(status)
