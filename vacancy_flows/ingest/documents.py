"""What ingest keeps beside the database: one JSON per run, with its record.

A later ingest pairs new runs with these, and `repair` rebuilds the rows from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from monty.json import MontyEncoder
from pymatgen.core import Structure

from vacancy_flows.engines.vasp.reading import FinishedRun
from vacancy_flows.engines.vasp.run_settings import RunSettings
from vacancy_flows.errors import InputError
from vacancy_flows.ingest.entries import Entry
from vacancy_flows.ingest.sidecar import Sidecar
from vacancy_flows.schemas import Record

FOLDER = "ingested"
"""Folder beside the database."""
_FORMAT = 1


def ingested_records(directory: Path) -> Iterator[Record]:
    """Yield the records of runs that were ingested into a database of a directory.

    Parameters
    ----------
    directory
        Where ``results.db`` is.

    Raises
    ------
    InputError
        Where a document cannot be read.
    """
    for _, content in _documents(directory):
        yield Record.model_validate(content["record"])


def stored_entries(directory: Path) -> dict[str, Entry]:
    """Return the runs of earlier calls by uid, with their records.

    Raises
    ------
    InputError
        Where a document cannot be read.
    """
    found = {}
    for path, content in _documents(directory):
        try:
            run = _run(content["run"])
            sidecar = content.get("sidecar")
            entry = Entry(
                run,
                run.path,
                sidecar and Sidecar.model_validate(sidecar),
                Record.model_validate(content["record"]),
                here=False,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, error) from None
        found[entry.uid] = entry
    return found


def store(directory: Path, entry: Entry, record: Record) -> None:
    """Write the document of a run, or write it again.

    Parameters
    ----------
    directory
        Where ``results.db`` is.
    entry, record
        The run and what its row holds.
    """
    folder = directory / FOLDER
    folder.mkdir(exist_ok=True)
    run = {f.name: getattr(entry.run, f.name) for f in fields(entry.run)}
    content = {
        "format": _FORMAT,
        "run": {**run, "settings": entry.run.settings.model_dump()},
        "sidecar": entry.sidecar and entry.sidecar.model_dump(mode="json"),
        "record": record.model_dump(),
    }
    path = folder / f"{entry.uid}.json"
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, cls=MontyEncoder) + "\n", encoding="utf-8")
    part.replace(path)


def _documents(directory: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted((directory / FOLDER).glob("u*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise _damaged(path, error) from None
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise _damaged(path, "another format")
        yield path, content


def _run(content: dict[str, Any]) -> FinishedRun:
    structures = {name: Structure.from_dict(content[name]) for name in _STRUCTURES}
    settings = RunSettings.model_validate(content["settings"])
    return FinishedRun(**{**content, **structures, "settings": settings})


_STRUCTURES = ("initial_structure", "structure")


def _damaged(path: Path, error: Exception | str) -> InputError:
    detail = " ".join(str(error).split())[:200]
    problem = f"cannot be read ({detail}): move it away and ingest its run again"
    return InputError(problem, file=path)
