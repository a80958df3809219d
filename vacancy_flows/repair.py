"""A results database rebuilt from the raw documents of a campaign directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.lock import WriterLock
from vacancy_flows.rawstore import RawStore


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
