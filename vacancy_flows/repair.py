"""A results database rebuilt from the raw documents of a campaign directory."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vacancy_flows import rawstore
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.guard import compared
from vacancy_flows.ingest import FOLDER, ingested_records
from vacancy_flows.ingest.campaigns import read_campaigns
from vacancy_flows.lock import WriterLock
from vacancy_flows.output_paths import make_directory
from vacancy_flows.rawstore import RawStore
from vacancy_flows.schemas import Record
from vacancy_flows.uses import Use, claimed, with_use

_FILES = ("results.db", "results.db.new", "results.db.old", "results.db.writer", *rawstore.FILES)


def repair_directory(directory: Path) -> str:
    """Rebuild ``results.db`` from the raw documents; the old file is kept beside it.

    Raises
    ------
    InputError
        Where there are no raw documents; nothing is written.
    """
    if not any((directory / name).is_dir() for name in ("jobstore", FOLDER)):
        problem = f"holds neither jobstore nor {FOLDER}: there is nothing to repair from"
        raise InputError(problem, file=directory)
    make_directory(directory, "DIRECTORY", _FILES, (*rawstore.FOLDERS, FOLDER))
    if not rawstore.has_documents(directory) and not any((directory / FOLDER).glob("*.json")):
        raise _nothing(directory)
    path = directory / "results.db"
    fresh = path.with_name("results.db.new")
    with WriterLock(path):
        fresh.unlink(missing_ok=True)
        try:
            number, unknown = _rebuild(directory, path, fresh)
            _set_aside(path)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    return f"{path}: {number} calculations rebuilt; " + _next(directory, unknown)


def _rebuild(directory: Path, path: Path, fresh: Path) -> tuple[int, list[str]]:
    """Fill a new file; return the number of rows and the campaigns whose reference is lost."""
    old = _Old.read(path)
    records = list(ingested_records(directory))
    descriptions = {**old.campaigns, **_ingested_campaigns(directory)}
    if rawstore.has_documents(directory):
        raw = RawStore(directory)
        try:
            descriptions |= raw.descriptions()
            records += raw.records()  # last: what a campaign calculated itself counts
        finally:
            raw.close()
    if not records:
        raise _nothing(directory)
    known = {record.uid for record in records}
    records += [record for record in old.records if record.uid not in known]
    stored = {record.uid: record for record in records}
    records = [compared(record, stored.get) for record in records]
    rebuilt = ResultsDatabase(fresh)
    number = rebuilt.add(records)
    rebuilt.set_uses({r.uid: _uses(old, descriptions, r, r.uid in known) for r in records})
    for name, description in descriptions.items():
        # Without the uses, which rows the present settings gave is for the next run to find.
        gone = {"uses"} if "uses" in description or name in old.campaigns else {"settings"}
        kept = {key: value for key, value in description.items() if key not in gone}
        rebuilt.describe_campaign(name, kept)
    named = {record.calculation.campaign for record in records} - {""}
    return number, sorted(named - descriptions.keys())


def _ingested_campaigns(directory: Path) -> dict[str, Any]:
    try:
        return read_campaigns(directory / FOLDER)
    except ValueError as error:
        raise InputError(f"{error}: move it away", file=directory / FOLDER) from None


@dataclass
class _Old:
    """What can be read of the file that is rebuilt: it may hold what other directories ran."""

    campaigns: dict[str, Any] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> _Old:
        """Read it whole, or nothing of it: what is damaged is what is being repaired."""
        try:
            database = ResultsDatabase.open(path)
            table = database.table()
            uses = dict(zip(table["uid"], table["uses"], strict=True))
            return cls(database.campaigns, uses, list(database.records()))
        except (sqlite3.Error, ValueError, KeyError, OSError):
            return cls()


def _uses(old: _Old, descriptions: dict[str, Any], record: Record, documented: bool) -> list[Use]:
    """Return who uses a calculation: by the documents, and of other campaigns by the old file."""
    found = claimed(descriptions, record.calculation) if documented else []
    for use in old.uses.get(record.uid, ()):
        if "uses" not in descriptions.get(use.campaign, {}):
            found = with_use(found, use)
    return found


def _nothing(directory: Path) -> InputError:
    return InputError("holds no finished calculation, nor an ingested one", file=directory)


def _next(directory: Path, unknown: list[str]) -> str:
    """Say what is left to do."""
    if not unknown:
        return "`vacancy-flows run` writes the tables again"
    return (
        f"the oxygen reference of {', '.join(unknown)} is not known (O2 is taken for it): "
        f"`vacancy-flows run SPEC -d {directory}` restores it and writes the tables again"
    )


def _set_aside(path: Path) -> None:
    """Keep the old file; its journal would be played back into the new one."""
    for end in ("", "-journal"):
        part = path.with_name(path.name + end)
        if part.exists():
            part.replace(path.with_name(f"{path.name}.old{end}"))
