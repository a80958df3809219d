"""From runs to documents and rows: what each of them is, and what it goes with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monty.json import MontyEncoder

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.ingest.campaigns import claim
from vacancy_flows.ingest.charges import add_charges
from vacancy_flows.ingest.documents import FOLDER, store, stored_entries
from vacancy_flows.ingest.entries import Entry, Found
from vacancy_flows.ingest.pairing import Pairing, pair_up
from vacancy_flows.ingest.records import (
    cell_record,
    reference_record,
    vacancy_record,
    with_references,
)
from vacancy_flows.ingest.references import (
    Reference,
    choose_references,
    reference_kind,
    stored_references,
)
from vacancy_flows.ingest.rows import write_rows
from vacancy_flows.schemas import Record

_UNRELAXED = 0.1  # eV/Å


@dataclass
class Ingested:
    """What came of an ingest.

    Attributes
    ----------
    records
        Of every run that this call named or changed, by uid.
    problems
        Runs that were skipped or refused, and why.
    skipped
        uids of runs of which the problems say that they cannot be used.
    unfit
        Why references were refused, and the vacancies they were refused for.
    notes
        What a user may want to know.
    """

    records: dict[str, Record] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    unfit: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def ingest(found: Found, named: Found, path: Path, *, allow: bool = False) -> Ingested:
    """Pair runs with each other and with those of earlier calls, and store them.

    Parameters
    ----------
    found
        Runs to store.
    named
        Pristine cells that the user named.
    path
        The database, whose lock the caller holds.
    allow
        Whether settings that differ are flagged instead of refused.
    """
    database = ResultsDatabase(path)
    done = Ingested(problems=[*found.problems, *named.problems], notes=list(found.notes))
    pool = stored_entries(path.parent)
    for uid, entry in {**named.entries, **found.entries}.items():
        known = pool.get(uid)
        if known is not None:
            entry.record = known.record
            if known.run.uid == entry.run.uid and entry.run.charges is None:
                entry.take_charges(known.run)  # of a static that is not here any more
        pool[uid] = entry
    done.notes += add_charges(pool, found.statics)
    pairing = pair_up(pool, set(named.entries), allow=allow)
    _tell(pool, pairing, set(named.entries), done)
    references = _references(pool, pairing, done)
    available = [reference for reference, _ in references.values()]
    available += stored_references(database, set(pool))
    changed = set()
    for uid, entry in pool.items():
        record = _record(entry, pairing, references, available, done, allow=allow)
        if record is not None:
            done.records[uid] = record
            if record is not entry.record:
                changed.add(uid)
                store(path.parent, entry, record)
    write_rows(database, done.records.values(), changed)
    claim(database, path.parent / FOLDER, found.campaigns)
    for problem, names in done.unfit.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        done.problems.append(f"{names[0]}{more}: {problem}")
    return done


def _tell(pool: dict[str, Entry], pairing: Pairing, named: set[str], done: Ingested) -> None:
    """Say what could not be paired, and what a user may have meant otherwise."""
    for uid, problem in pairing.refused.items():
        lines = done.problems if pool[uid].here else done.notes
        lines.append(f"{pool[uid].name}: {problem}")
    for uid in sorted(named - pairing.fitting - pairing.partners):
        done.problems.append(
            f"{pool[uid].name}: --pristine names it, but no vacancy of it is there"
        )
    for pair in pairing.pairs.values():
        pristine = pair.pristine.run
        moved = pair.vacancy.run.settings.run != "static"
        if moved and pristine.settings.run == "static" and pristine.max_force > _UNRELAXED:
            done.notes.append(
                f"{pair.pristine.name}: a static cell with forces up to {pristine.max_force:.2f} "
                f"eV/Å is the pristine cell of the relaxed {pair.vacancy.name}"
            )


def _references(
    pool: dict[str, Entry], pairing: Pairing, done: Ingested
) -> dict[str, tuple[Reference, int]]:
    """Return the references of a pool by uid, with the number of their units."""
    taken = {*pairing.pairs, *pairing.refused, *pairing.partners}
    found = {}
    for uid, entry in pool.items():
        stored = entry.record.calculation.kind if entry.record else "reference"
        if entry.sidecar and entry.sidecar.calculation["kind"] != "reference":
            continue  # the free cell that goes before a reference is none
        if uid in taken or (stored != "reference" and not entry.here):
            continue
        try:
            kind = reference_kind(entry.run)
        except ValueError as error:
            done.problems.append(f"{entry.name}: {error}")
            done.skipped.add(uid)
            continue
        if kind is not None:
            settings = entry.run.settings
            found[uid] = (Reference(uid, kind[0], entry.name, settings, entry.here), kind[1])
    return found


def _record(
    entry: Entry,
    pairing: Pairing,
    references: dict[str, tuple[Reference, int]],
    available: Sequence[Reference],
    done: Ingested,
    *,
    allow: bool,
) -> Record | None:
    """Return the record of a run, None where nothing is to be written."""
    uid, stored = entry.uid, entry.record
    if uid in pairing.refused or uid in done.skipped:
        return None
    if uid in references and entry.here:
        reference, units = references[uid]
        return _kept_if_same(reference_record(entry, reference.kind, units), stored)
    is_vacancy = stored is not None and stored.calculation.kind == "vacancy"
    if uid in pairing.pairs or (is_vacancy and not entry.here):
        kept = entry.reference_uids
        choice = choose_references(
            entry.run.settings, available, kept, here=entry.here, allow=allow
        )
        for problem in choice.problems:
            done.unfit.setdefault(problem, []).append(entry.name)
        if uid in pairing.pairs:
            return _kept_if_same(vacancy_record(pairing.pairs[uid], choice), stored)
        return with_references(stored, choice) if stored and choice.uids != kept else None
    partner = uid in pairing.partners
    if not entry.here and not (partner and stored and stored.calculation.kind != "pristine"):
        return None
    return _kept_if_same(cell_record(entry, partner=partner), stored)


def _kept_if_same(record: Record, stored: Record | None) -> Record:
    """Return the stored record where the new one differs in its date alone."""
    if stored is None:
        return record
    texts = [
        json.dumps(r.model_dump(exclude={"created"}), cls=MontyEncoder) for r in (record, stored)
    ]
    return stored if texts[0] == texts[1] else record
