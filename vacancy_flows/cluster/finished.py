"""What a JobStore holds of calculations: records, or no more than what became of them.

A calculation that did not converge and was tried again has several documents; which of them
counts is for `vacancy_flows.rawstore.best_documents` to say.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from jobflow import JobStore
from monty.json import MontyDecoder

from vacancy_flows.rawstore import best_documents, preference
from vacancy_flows.schemas import AGAIN, Record, remedy, shortfall

_BRIEF = ["metadata.uid", "completed_at"] + [
    f"output.{name}"
    for name in ("created", "effort", "result.converged", "result.reason", "choice.damage")
]


class Finished(NamedTuple):
    """What became of a calculation, without its structure.

    Attributes
    ----------
    converged, reason, damaged, created, effort
        Of the document that counts.
    efforts
        Of the engine, in every document: what it was tried with.
    """

    converged: bool
    reason: str
    damaged: bool
    created: str
    effort: dict[str, Any]
    efforts: Sequence[dict[str, Any]]

    def is_settled(self, effort: dict[str, Any]) -> bool:
        """Tell whether it converged, or was tried with this effort already."""
        return self.converged or effort in self.efforts

    def shortfall(self, kind: str, effort: dict[str, Any] | None = None) -> str:
        """Say as `Record.shortfall` that it did not converge; None: with the same effort."""
        again = effort is not None and not self.is_settled(effort)
        what_to_do = AGAIN if again else remedy(self.reason, damaged=self.damaged)
        return shortfall(kind, self.reason, what_to_do)


def finished_calculations(store: JobStore, uids: Collection[str]) -> dict[str, Finished]:
    """Return what became of calculations that are in a JobStore, by uid."""
    if not uids:
        return {}
    tries: dict[str, list[dict[str, Any]]] = {}
    for document in store.query(_records(uids), properties=_BRIEF):
        tries.setdefault(document["metadata"]["uid"], []).append(document)
    return {uid: _finished(documents) for uid, documents in tries.items()}


def finished_records(store: JobStore, uids: Collection[str]) -> dict[str, Record]:
    """Return the records of calculations that are in a JobStore, by uid."""
    return {
        uid: MontyDecoder().process_decoded(document["output"])
        for uid, document in record_documents([store], uids).items()
    }


def record_documents(
    stores: Iterable[JobStore], uids: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return the raw documents of records that count, by uid, from any of some JobStores."""
    if not uids:
        return {}
    return best_documents(
        document for store in stores for document in store.query(_records(uids), load=True)
    )


def _finished(documents: list[dict[str, Any]]) -> Finished:
    efforts = [document["output"].get("effort") or {} for document in documents]
    best = max(range(len(documents)), key=lambda i: preference(documents[i]))
    output = documents[best]["output"]
    return Finished(
        converged=bool(output["result"]["converged"]),
        reason=output["result"]["reason"],
        damaged=bool((output.get("choice") or {}).get("damage")),
        created=output["created"],
        effort=efforts[best],
        efforts=efforts,
    )


def _records(uids: Collection[str]) -> dict[str, Any]:
    return {"metadata.uid": {"$in": list(uids)}, "metadata.record": True}
