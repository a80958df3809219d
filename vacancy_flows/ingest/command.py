"""What `ingest` does, without the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.ingest.documents import FOLDER
from vacancy_flows.ingest.entries import Found, read_places
from vacancy_flows.ingest.storing import ingest
from vacancy_flows.ingest.summary import summary
from vacancy_flows.location import is_url, writer_lock
from vacancy_flows.output_paths import make_directory


def ingest_here(
    places: Sequence[Path],
    location: str,
    pristine: Sequence[Path] = (),
    mu_o: float | None = None,
    *,
    allow: bool = False,
) -> int:
    """Store finished runs in a database, and print what was stored.

    Parameters
    ----------
    places
        Directories, or files vasprun.xml.
    location
        ``results.db``, made where it is missing.
    pristine
        Runs that are pristine cells, where several are possible.
    mu_o
        For the E_f that are printed, eV per O atom; it is not stored.
    allow
        Whether settings that differ are flagged instead of refused.

    Returns
    -------
    int
        0, or 1 where runs were skipped or refused.

    Raises
    ------
    InputError
        Where places or database cannot be used; nothing is written.
    """
    if is_url(location):
        problem = "is a server: name a file, beside which the documents of the runs are kept"
        raise InputError(problem, key="--db")
    path = Path(location)
    reference = _reference(mu_o)
    if path.is_file():
        ResultsDatabase.open(path)  # refuses another file
    found = read_places(places)
    named = read_places(pristine, "--pristine") if pristine else Found({}, [], [])
    make_directory(path.parent, "--db", [path.name, f"{path.name}.writer"], [FOLDER])
    with writer_lock(path):
        done = ingest(found, named, path, allow=allow)
    for line in summary(ResultsDatabase(path), done.records, reference):
        click.echo(line)
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
    for problem in done.problems:
        click.echo(f"PROBLEM {problem}", err=True)
    return 1 if done.problems else 0


def _reference(mu_o: float | None) -> OxygenReference | None:
    try:
        return None if mu_o is None else OxygenReference("user", mu_o=mu_o)
    except ValueError as error:
        raise InputError(str(error), key="--mu-o") from None
