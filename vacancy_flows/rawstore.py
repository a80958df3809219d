"""The raw jobflow documents of a campaign directory, written by one process.

Of the embedded stores only montydb on SQLite keeps documents on disk and opens fast
(JSONStore reads them all, quadratically). One writer means no concurrent first write.
"""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jobflow import JobStore
from maggma.stores import MemoryStore, MontyStore
from monty.json import MontyDecoder

from vacancy_flows.errors import InputError
from vacancy_flows.schemas import Record
from vacancy_flows.uses import Use, with_use

FILES = ("jobstore/campaigns.json", "jobstore/db/documents.collection")
"""What a store writes, relative to the directory of the campaign."""
FOLDERS = ("jobstore", "jobstore/db")

# What SQLite says of another file, or of a damaged one. SQLITE_ERROR: the table is not there.
_FOREIGN = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}


class RawStore:
    """A JobStore in ``DIR/jobstore``, for `repair` and for whoever wants every document.

    Parameters
    ----------
    directory
        Of the campaign.

    Raises
    ------
    InputError
        Where what lies there is no such store.
    """

    def __init__(self, directory: Path) -> None:
        has_documents(directory)  # refuses another file
        folder = directory / "jobstore"
        self._documents, self._campaigns = _documents(directory), folder / "campaigns.json"
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
        with _told(self._documents):
            return {
                document["metadata"]["uid"]
                for document in self.store.docs_store.query(criteria, ["metadata"])
            }

    def records(self, uids: set[str] | None = None) -> Iterator[Record]:
        """Yield the records among the documents, those of ``uids`` only where given.

        Of a calculation that was tried again, the better one (see `best_documents`).
        """
        with _told(self._documents):
            found = best_documents(self.store.docs_store.query({"metadata.record": True}))
        for uid, document in found.items():
            if uids is None or uid in uids:
                yield MontyDecoder().process_decoded(document["output"])

    def describe(self, name: str, description: dict[str, Any]) -> None:
        """Keep what is needed to show a campaign's numbers as it asked for them."""
        try:
            known = self.descriptions()
        except InputError:
            known = {}  # written anew
        part = self._campaigns.with_name(self._campaigns.name + ".part")
        part.write_text(json.dumps({**known, name: description}, indent=1) + "\n", encoding="utf-8")
        part.replace(self._campaigns)

    def descriptions(self) -> dict[str, dict[str, Any]]:
        """Return what campaigns were described, by name, with their ``uses`` by uid.

        Raises
        ------
        InputError
            Where the file cannot be read.
        """
        try:
            content = json.loads(self._campaigns.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            content, detail = None, str(error)
        else:
            detail = "other content"
        if not isinstance(content, dict) or not all(isinstance(d, dict) for d in content.values()):
            problem = f"holds no descriptions of campaigns ({detail}): move it away"
            raise InputError(problem, file=self._campaigns)
        for name, description in content.items():
            if self._uses_of(name).is_file():
                description["uses"] = self._read_uses(name)
        return content

    def add_uses(self, name: str, uses: Iterable[tuple[str, str]]) -> None:
        """Append who uses which calculation of a campaign: uid and text of a `Use`.

        Appended line by line, so that a kill loses no more than the last.
        """
        with self._uses_of(name).open("a", encoding="utf-8") as file:
            file.writelines(f"{uid} {use}\n" for uid, use in uses)

    def forget_uses(self, name: str) -> None:
        """Begin anew with the uses of a campaign, whose settings have changed."""
        self._uses_of(name).write_text("", encoding="utf-8")

    def _uses_of(self, name: str) -> Path:
        return self._campaigns.with_name(f"uses-{name}.txt")

    def _read_uses(self, name: str) -> dict[str, list[str]]:
        found: dict[str, list[Use]] = {}
        for line in self._uses_of(name).read_text(encoding="utf-8").splitlines():
            uid, _, text = line.partition(" ")
            with contextlib.suppress(ValueError):  # the last line of a run that was killed
                found[uid] = with_use(found.get(uid, ()), Use.parse(text))
        return {uid: [*map(str, uses)] for uid, uses in found.items()}

    def close(self) -> None:
        """Let go of the files."""
        self.store.close()


def preference(document: Mapping[str, Any]) -> tuple[bool, str, str]:
    """Return what documents of one calculation are sorted by, the best last.

    One that converged, otherwise the newest.

    Parameters
    ----------
    document
        Of a record, as jobflow stores it.
    """
    output = document["output"]
    completed = str(document.get("completed_at") or "")
    return bool(output["result"]["converged"]), output["created"], completed


def best_documents(documents: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the document that counts of each calculation, by uid.

    Parameters
    ----------
    documents
        Of records, several of a calculation that was tried again.
    """
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        uid = document["metadata"]["uid"]
        if uid not in found or preference(document) > preference(found[uid]):
            found[uid] = document
    return found


def memory_store() -> JobStore:
    """Return a store for the jobs of one process."""
    return JobStore(MemoryStore())


def has_documents(directory: Path) -> bool:
    """Tell whether a campaign directory holds raw documents.

    Raises
    ------
    InputError
        Where what lies in their place is something else.
    """
    path = _documents(directory)
    if not path.exists():
        return False
    with _told(path), contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT k, v FROM documents LIMIT 1").fetchone() is not None


def _documents(directory: Path) -> Path:
    """Return where montydb keeps the documents."""
    return directory / "jobstore" / "db" / "documents.collection"


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Name the file that is no SQLite database, or a damaged one."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in _FOREIGN:
            raise
        raise InputError(
            f"holds no documents that can be read ({error}): move it away; "
            "results.db holds the finished calculations",
            file=path,
        ) from None
