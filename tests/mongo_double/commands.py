"""The commands of the double, answered by mongomock, one at a time."""

import itertools
import threading
from typing import Any

import mongomock_ng
from bson import BSON
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError, OperationFailure

_BATCH = 8_000_000  # bytes of documents in an answer
_HELLO = {
    "isWritablePrimary": True,
    "ismaster": True,
    "helloOk": True,
    "maxBsonObjectSize": 16 * 1024**2,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 17,
    "readOnly": False,
}
_NOTHING_TO_DO = {"ping", "endSessions", "killCursors", "compact"}
_GREETINGS = {"hello", "ismaster", "isMaster"}
ALWAYS = {*_NOTHING_TO_DO, *_GREETINGS, "buildInfo"}
"""Commands of the driver itself."""


class Commands:
    """Answer commands, given as decoded documents with ``$db``."""

    def __init__(self) -> None:
        self._client = mongomock_ng.MongoClient()
        self._lock = threading.RLock()
        self._cursors: dict[int, Any] = {}
        self._ids = itertools.count(1)

    def run(self, command: dict[str, Any]) -> dict[str, Any]:
        """Return the answer, without ``ok``."""
        name = next(iter(command))
        if name in _GREETINGS:
            return dict(_HELLO)
        if name in _NOTHING_TO_DO:
            return {}
        if name == "buildInfo":
            return {"version": "6.0.0", "versionArray": [6, 0, 0, 0]}
        if name.startswith("sasl"):
            raise OperationFailure("Authentication failed.", 18)
        handler = getattr(self, f"_{name}", None)
        if handler is None:
            raise OperationFailure(f"mongo_double knows no command {name}", 59)
        with self._lock:
            database = self._client[command["$db"]]
            value = command[name]
            collection = database[value] if isinstance(value, str) else None
            answer: dict[str, Any] = handler(database, collection, command)
            return answer

    def _cursor(self, name: str, documents: Any) -> dict[str, Any]:
        number, batch = next(self._ids), "firstBatch"
        self._cursors[number] = (name, iter(documents))
        return self._batch(number, batch)

    def _batch(self, number: int, key: str) -> dict[str, Any]:
        name, documents = self._cursors[number]
        batch, size = [], 0
        for document in documents:
            batch.append(document)
            size += len(BSON.encode(document))
            if size > _BATCH:
                break
        else:
            del self._cursors[number]
        left = number if number in self._cursors else 0
        return {"cursor": {"id": left, "ns": name, key: batch}}

    def _getMore(self, _database: Any, _: Any, command: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._batch(command["getMore"], "nextBatch")

    def _find(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:
        found = collection.find(command.get("filter") or {}, command.get("projection") or None)
        if command.get("sort"):
            found = found.sort(list(command["sort"].items()))
        found = found.skip(command.get("skip", 0)).limit(abs(command.get("limit", 0)))
        return self._cursor(collection.full_name, list(found))

    def _aggregate(self, database: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:
        pipeline = command["pipeline"]
        found = list(collection.aggregate(pipeline))
        return self._cursor(f"{database.name}.{command['aggregate']}", found)

    def _count(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:
        return {"n": collection.count_documents(command.get("query") or {})}

    def _distinct(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:
        return {"values": collection.distinct(command["key"], command.get("query") or None)}

    def _insert(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:
        done, errors = 0, []
        for index, document in enumerate(command["documents"]):
            try:
                collection.insert_one(document)
                done += 1
            except DuplicateKeyError as error:
                errors.append({"index": index, "code": 11000, "errmsg": str(error)})
                if command.get("ordered", True):
                    break
        return {"n": done, **({"writeErrors": errors} if errors else {})}

    def _update(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:
        matched, modified, upserted = 0, 0, []
        for index, one in enumerate(command["updates"]):
            query, change, upsert = one["q"], one["u"], one.get("upsert", False)
            if isinstance(change, dict) and not next(iter(change), "$").startswith("$"):
                result = collection.replace_one(query, change, upsert=upsert)
            elif one.get("multi"):
                result = collection.update_many(query, change, upsert=upsert)
            else:
                result = collection.update_one(query, change, upsert=upsert)
            matched += result.matched_count
            modified += result.modified_count or 0
            if result.upserted_id is not None:
                upserted.append({"index": index, "_id": result.upserted_id})
        answer = {"n": matched + len(upserted), "nModified": modified}
        return {**answer, **({"upserted": upserted} if upserted else {})}

    def _delete(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:
        gone = 0
        for one in command["deletes"]:
            delete = collection.delete_one if one.get("limit") == 1 else collection.delete_many
            gone += delete(one["q"]).deleted_count
        return {"n": gone}

    def _findAndModify(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        query, change = command.get("query") or {}, command.get("update")
        how: dict[str, Any] = {"projection": command.get("fields") or None}
        if command.get("sort"):
            how["sort"] = list(command["sort"].items())
        if command.get("remove"):
            return {"value": collection.find_one_and_delete(query, **how)}
        after = ReturnDocument.AFTER if command.get("new") else ReturnDocument.BEFORE
        how |= {"upsert": command.get("upsert", False), "return_document": after}
        replaces = isinstance(change, dict) and not next(iter(change), "$").startswith("$")
        change_one = collection.find_one_and_replace if replaces else collection.find_one_and_update
        value = change_one(query, change, **how)
        return {"value": value, "lastErrorObject": {"updatedExisting": value is not None}}

    findandmodify = _findAndModify

    def _createIndexes(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        for index in command["indexes"]:
            keys = list(index["key"].items())
            collection.create_index(
                keys,
                name=index["name"],
                unique=index.get("unique", False),
            )
        return {"numIndexesAfter": len(collection.index_information())}

    def _dropIndexes(self, _: Any, collection: Any, command: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if command["index"] == "*":
            collection.drop_indexes()
        else:
            collection.drop_index(command["index"])
        return {}

    def _listIndexes(self, _: Any, collection: Any, _command: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = [
            {"v": 2, "key": dict(index["key"]), "name": name}
            for name, index in collection.index_information().items()
        ]
        return self._cursor(collection.full_name, found)

    def _listCollections(  # noqa: N802
        self, database: Any, _: Any, command: dict[str, Any]
    ) -> dict[str, Any]:
        wanted = (command.get("filter") or {}).get("name")
        names = [n for n in database.list_collection_names() if wanted in {None, n}]
        found = [{"name": name, "type": "collection", "options": {}} for name in names]
        return self._cursor(f"{database.name}.$cmd.listCollections", found)

    def _listDatabases(self, *_: Any) -> dict[str, Any]:  # noqa: N802
        return {"databases": [{"name": name} for name in self._client.list_database_names()]}

    def _drop(self, database: Any, collection: Any, _: dict[str, Any]) -> dict[str, Any]:
        database.drop_collection(collection.name)
        return {}

    def _dropDatabase(self, database: Any, *_: Any) -> dict[str, Any]:  # noqa: N802
        self._client.drop_database(database.name)
        return {}
