"""Records of ingested runs as rows; what is known of a run may change with the next one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.schemas import Record
from vacancy_flows.uses import Use


def write_rows(
    database: ResultsDatabase, records: Iterable[Record], changed: Collection[str]
) -> None:
    """Store records; rows of earlier ingests are replaced where anything changed.

    A row that a campaign calculated itself stays as it is.

    Parameters
    ----------
    database
        To write; the caller holds its lock.
    records
        Of ingested runs.
    changed
        uids of those that differ from what an earlier ingest stored.
    """
    records = list(records)
    known = database.uids()
    uses: dict[str, list[Use]] = {}
    for uid in known.intersection(changed):
        old = database.get(uid)
        if old is not None and "ingested_from" in old.result.provenance:
            uses[uid] = database.remove(uid)
    database.add(record for record in records if record.uid in uses or record.uid not in known)
    database.set_uses(
        {uid: found for uid, found in uses.items() if any(use.campaign for use in found)}
    )
