"""The raw jobflow documents of a campaign directory, written by one process.

Of the embedded stores only montydb on SQLite keeps documents on disk and opens fast
(JSONStore reads them all, quadratically). One writer means no concurrent first write.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobflow import JobStore
from maggma.stores import MemoryStore, MontyStore
from monty.json import MontyDecoder

from vacancy_flows.schemas import Record


class RawStore:
    """A JobStore in ``DIR/jobstore``, for `repair` and for whoever wants every document.

    Parameters
    ----------
    directory
        Of the campaign.
    """

    def __init__(self, directory: Path) -> None:
        folder = directory / "jobstore"
        folder.mkdir(parents=True, exist_ok=True)
        self.store = JobStore(MontyStore("documents", database_path=str(folder)))
        with contextlib.redirect_stdout(io.StringIO()):
            self.store.connect()

    def add(self, documents: list[dict[str, Any]]) -> None:
        """Store the documents of one finished calculation."""
        for document in documents:
            document.pop("_id", None)
        self.store.docs_store.update(documents, key=["uuid", "index"])

    def uids(self) -> set[str]:
        """Return the uids of all records stored."""
        criteria = {"metadata.record": True}
        return {
            document["metadata"]["uid"]
            for document in self.store.docs_store.query(criteria, ["metadata"])
        }

    def records(self, uids: set[str] | None = None) -> Iterator[Record]:
        """Yield the records among the documents, those of ``uids`` only where given."""
        for document in self.store.docs_store.query({"metadata.record": True}):
            if uids is None or document["metadata"]["uid"] in uids:
                yield MontyDecoder().process_decoded(document["output"])

    def close(self) -> None:
        """Let go of the files."""
        self.store.close()


def memory_store() -> JobStore:
    """Return a store for the jobs of one process."""
    return JobStore(MemoryStore())
