"""Campaigns of 12 atoms at a loose fmax, and what tests do to their files."""

import contextlib
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace

import ase.db
import pytest

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.commands import open_results
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.lock import WriterLock
from vacancy_flows.progress import Progress
from vacancy_flows.rawstore import RawStore
from vacancy_flows.runner import run_campaign


def go_on(spec, directory, engine):
    """Run a campaign in this process; the report and what was said."""
    said = []
    with WriterLock(directory / "results.db"):
        database = open_results(directory / "results.db")
        progress = Progress(said.append)
        report = run_campaign(load_campaign(spec), engine, database, directory, 1, progress)
    return report, said


def energies(directory):
    records = ResultsDatabase(directory / "results.db").records()
    return {record.uid: record.result.energy for record in records}


def uid_of(directory, **wanted):
    """uid of the one calculation whose description has these values."""
    table = ResultsDatabase(directory / "results.db").table()
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table.uid.item()


def forget_row(directory, uid):
    database = ase.db.connect(directory / "results.db", use_lock_file=False)
    database.delete([next(database.select(unique_id=uid)).id])


def forget(directory, uid):
    """Take row and documents of a calculation away."""
    forget_row(directory, uid)
    raw = RawStore(directory)
    raw.store.docs_store.remove_docs({"metadata.uid": uid})
    raw.close()


def documents(directory):
    """uids of the records among the raw documents, one entry per document."""
    raw = RawStore(directory)
    found = raw.store.docs_store.query({"metadata.record": True}, ["metadata"])
    uids = [document["metadata"]["uid"] for document in found]
    raw.close()
    return uids


def processes(group):
    """Living processes of a process group: pid and command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            state, _, its_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            line = (entry / "cmdline").read_text().replace("\0", " ")
            if int(its_group) == group and state != "Z":
                found[int(entry.name)] = line
    return found


def until(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    pytest.fail(f"waited {seconds} s in vain for {what}")


def rows(directory):
    """Number of rows, read as any other process may read while a run writes."""
    try:
        with contextlib.closing(sqlite3.connect(directory / "results.db", timeout=5)) as connection:
            return connection.execute("SELECT COUNT(*) FROM systems").fetchone()[0]
    except sqlite3.OperationalError:  # not there yet
        return 0


@pytest.fixture(scope="session")
def runs():
    """Helpers that are shared between files: the functions above."""
    return SimpleNamespace(
        go_on=go_on,
        energies=energies,
        uid_of=uid_of,
        forget_row=forget_row,
        forget=forget,
        documents=documents,
        processes=processes,
        until=until,
        rows=rows,
    )
