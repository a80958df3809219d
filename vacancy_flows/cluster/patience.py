"""MongoDB for processes that outlive a server that is gone for a while.

pymongo repeats what reads; what writes it repeats on replica sets alone. Here every command is
repeated until the server answers again or its ``serverSelectionTimeoutMS`` have passed. A command
whose answer was lost may have been carried out: one that would find something else when repeated
(a Firework that is READY, a workflow that is not locked) carries a mark that tells.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    CursorNotFound,
    DuplicateKeyError,
    ServerSelectionTimeoutError,
)

from vacancy_flows.cluster.queue import whoami

MARK = "vacancy_flows_mark"
"""Field: who changed a document last whose change must not be repeated."""
_PAUSE = 0.05, 2.0  # s between two attempts: the first, the longest
_REPEATED = (
    *("count_documents", "distinct", "update_one", "update_many", "replace_one"),
    *("delete_one", "delete_many", "bulk_write", "create_index"),
)
T = TypeVar("T")


def patiently(call: Callable[[], T], patience: float) -> T:
    """Return what a call gives, repeated while the connection breaks.

    Parameters
    ----------
    call
        May be carried out twice.
    patience
        s after the first break.

    Raises
    ------
    pymongo.errors.AutoReconnect
        Where the server does not come back.
    """
    end, pause = None, _PAUSE[0]
    while True:
        try:
            return call()
        except ServerSelectionTimeoutError:
            raise  # pymongo has waited itself
        except AutoReconnect:
            end = end or time.monotonic() + patience
            if time.monotonic() > end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _PAUSE[1])


class PatientDatabase(Database):
    """A database whose collections are patient."""

    def __getitem__(self, name: str) -> PatientCollection:
        """Return a collection."""
        return (LockedWorkflows if name == "workflows" else PatientCollection)(self, name)


class PatientCursor(Cursor):
    """What is found, asked for again where the connection broke; nothing is given twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make it."""
        super().__init__(*args, **kwargs)
        self._given: set[Any] = set()  # ids

    def next(self) -> Any:
        """Return the next document."""
        partly = None in self._given or self._limit or self._skip  # nothing tells what is left
        if self.retrieved and partly:
            return super().next()
        return patiently(self._following, _patience_of(self.collection))

    def __next__(self) -> Any:
        return self.next()

    def rewind(self) -> PatientCursor:
        """Begin again."""
        self._given.clear()
        super().rewind()
        return self

    def _following(self) -> Any:
        try:
            document = super().next()
            while document.get("_id") in self._given:
                document = super().next()
        except (AutoReconnect, CursorNotFound) as error:
            super().rewind()
            if isinstance(error, AutoReconnect):
                raise
            raise AutoReconnect(str(error)) from error  # of a server that was started again
        self._given.add(document.get("_id"))
        return document


def _patience_of(collection: Collection) -> float:
    return float(collection.database.client.options.server_selection_timeout)


class PatientCollection(Collection):
    """A collection that repeats what a broken connection interrupted."""

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, _patience_of(self))

    def find(self, *args: Any, **kwargs: Any) -> PatientCursor:
        """Return a cursor."""
        return PatientCursor(self, *args, **kwargs)

    def insert_one(self, document: Any, *args: Any, **kwargs: Any) -> Any:
        """Insert a document once; one whose ``_id`` is given is the caller's to recognise."""
        given, insert = "_id" in document, super().insert_one
        try:
            return self._patiently(lambda: insert(document, *args, **kwargs))
        except DuplicateKeyError:
            if given or self.find_one({"_id": document["_id"]}) is None:
                raise
            return None

    def insert_many(self, documents: Iterable[Any], *args: Any, **kwargs: Any) -> Any:
        """Insert documents, those that are missing where the answer was lost."""
        left = list(documents)
        insert = super().insert_many

        def rest() -> Any:
            try:
                return insert(left, *args, **kwargs)
            except AutoReconnect:
                ids = {"_id": {"$in": [document["_id"] for document in left]}}
                there = set(self.distinct("_id", ids))
                left[:] = [document for document in left if document["_id"] not in there]
                if left:
                    raise
                return None

        return self._patiently(rest)

    def find_one_and_update(self, filter: Any, update: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002
        """Change a document and return it as it was, or as changed where the answer was lost."""
        change = super().find_one_and_update
        if not _leaves(filter, update):
            return self._patiently(lambda: change(filter, update, *args, **kwargs))
        mark = _new_mark()
        marked = {**update, "$set": {**update["$set"], MARK: mark}}
        return self._once(mark, lambda: change(filter, marked, *args, **kwargs))

    def find_one_and_replace(self, filter: Any, replacement: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002
        """Replace a document; one that is not found when this is repeated is not made anew."""
        change = super().find_one_and_replace
        if not (kwargs.get("upsert") and _changes(filter, replacement)):
            return self._patiently(lambda: change(filter, replacement, *args, **kwargs))
        mark = _new_mark()
        marked = {**replacement, MARK: mark}
        return self._once(mark, lambda: change(filter, marked, *args, **kwargs))

    def _once(self, mark: dict[str, Any], change: Callable[[], Any]) -> Any:
        """Change a document, unless it has the mark of this change where the answer was lost."""
        lost = False

        def again() -> Any:
            nonlocal lost
            done = self.find_one({f"{MARK}.key": mark["key"]}) if lost else None
            lost = True
            return done or change()

        return self._patiently(again)


def _leaves(query: Mapping[str, Any], update: Any) -> bool:
    """Tell whether what was changed is not found any more."""
    return bool(isinstance(update, Mapping) and {*update.get("$set", {})} & {*query})


def _changes(query: Mapping[str, Any], replacement: Mapping[str, Any]) -> bool:
    """Tell whether a replacement differs in what was asked for."""
    return any(replacement.get(name) != value for name, value in query.items())


def _new_mark() -> dict[str, Any]:
    return {"key": uuid.uuid4().hex, **whoami()}


def _repeated(name: str) -> Callable[..., Any]:
    original = getattr(Collection, name)

    def method(self: PatientCollection, *args: Any, **kwargs: Any) -> Any:
        return self._patiently(lambda: original(self, *args, **kwargs))

    method.__name__, method.__doc__ = name, f"As of pymongo, repeated: {name}."
    return method


for _name in _REPEATED:
    setattr(PatientCollection, _name, _repeated(_name))


class LockedWorkflows(PatientCollection):
    """FireWorks' workflows, whose locks say who holds them: opened by who closed them alone.

    FireWorks asks of ``locked`` only whether it is there.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make it."""
        super().__init__(*args, **kwargs)
        self._held = threading.local()

    def find_one_and_update(self, filter: Any, update: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002
        """Lock with a name, unlock what has it."""
        if update == {"$set": {"locked": True}}:
            lock = {**_new_mark(), "since": datetime.now(UTC).isoformat()}
            found = super().find_one_and_update(filter, {"$set": {"locked": lock}}, *args, **kwargs)
            if found:
                self._held.lock = lock
            return found
        held = getattr(self._held, "lock", None)
        if "locked" in update.get("$unset", {}) and held:
            self._held.lock = None
            filter = {**filter, "locked.key": held["key"]}  # noqa: A001
        return super().find_one_and_update(filter, update, *args, **kwargs)

    def find_one_and_replace(self, filter: Any, replacement: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A002
        """Replace a workflow; its lock stays whose it is."""
        if replacement.get("locked") is True:
            replacement = {**replacement, "locked": getattr(self._held, "lock", None) or True}
        return super().find_one_and_replace(filter, replacement, *args, **kwargs)
