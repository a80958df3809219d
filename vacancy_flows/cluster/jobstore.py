"""A JobStore that outlives a server that is gone for a while."""

from __future__ import annotations

from typing import Any

from jobflow import JobStore
from pymongo.collection import Collection

from vacancy_flows.cluster.patience import PatientCollection, patiently

_PATIENCE = 300.0  # s, where a store names none


class PatientJobStore(JobStore):
    """A JobStore that stores a document again where the connection broke."""

    @property
    def _patience(self) -> float:
        kwargs = getattr(self.docs_store, "mongoclient_kwargs", None) or {}
        return float(kwargs.get("serverSelectionTimeoutMS", 1000 * _PATIENCE)) / 1000

    def connect(self, *args: Any, **kwargs: Any) -> None:
        """Connect, as `JobStore.connect`."""
        super().connect(*args, **kwargs)
        plain = getattr(self.docs_store, "_coll", None)
        if isinstance(plain, Collection):
            self.docs_store._coll = PatientCollection(plain.database, plain.name)  # noqa: SLF001

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Store documents, as `JobStore.update`."""
        update = super().update
        patiently(lambda: update(*args, **kwargs), self._patience)

    def get_output(self, *args: Any, **kwargs: Any) -> Any:
        """Return an output, as `JobStore.get_output`."""
        get_output = super().get_output
        return patiently(lambda: get_output(*args, **kwargs), self._patience)
