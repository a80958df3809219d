"""Writing to a LaunchPad: one process at a time, nothing torn, nothing overwritten."""

from __future__ import annotations

import time
import uuid
from contextlib import redirect_stderr
from datetime import UTC, datetime
from io import StringIO
from typing import Literal, Self

from fireworks import Workflow
from fireworks.core.launchpad import LockedWorkflowError, WFLock
from pymongo.errors import DuplicateKeyError

from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.queue import is_dead, whoami
from vacancy_flows.errors import InputError

_LOCKS = "vacancy_flows_locks"
_DOES = {
    "adding": "adds to this LaunchPad",
    "retrying": "starts runs of this LaunchPad again",
}
_STALE_S = 600.0  # a lock whose owner cannot be asked for; adding takes seconds
_ASK_S = 10.0  # between two questions whether who has the lock still runs


class OneAtATime:
    """The right to change a LaunchPad: nobody else does what was found to be missing.

    Parameters
    ----------
    launchpad
        To change.
    patience
        s to wait for others.
    what
        ``adding`` calculations, or ``retrying`` what failed; one does not wait for the other.

    Raises
    ------
    InputError
        On entering, where another process does not end.
    """

    def __init__(
        self,
        launchpad: CampaignLaunchPad,
        patience: float = 900.0,
        what: Literal["adding", "retrying"] = "adding",
    ) -> None:
        self._locks = launchpad.db[_LOCKS]
        self._launchpad, self._patience, self._what = launchpad, patience, what
        self._key = uuid.uuid4().hex

    def __enter__(self) -> Self:
        """Take it, or wait for it."""
        end, asked = time.monotonic() + self._patience, -_ASK_S
        while not self._taken():
            if time.monotonic() - asked > _ASK_S:
                self._open_if_dead()
                asked = time.monotonic()
                continue
            if time.monotonic() > end:
                raise InputError(f"another process {_DOES[self._what]} and does not end")
            time.sleep(0.2)
        if self._what == "adding":
            _drop_torn(self._launchpad)
        return self

    def __exit__(self, *_: object) -> None:
        """Let go."""
        self._locks.delete_one({"_id": self._what, "key": self._key})

    def _taken(self) -> bool:
        now = datetime.now(UTC).replace(tzinfo=None)
        try:
            self._locks.insert_one({"_id": self._what, "key": self._key, "since": now, **whoami()})
        except DuplicateKeyError:  # by this one too, where the server's answer was lost
            return self._locks.find_one({"_id": self._what, "key": self._key}) is not None
        return True

    def _open_if_dead(self) -> None:
        holder = self._locks.find_one({"_id": self._what})
        if holder is not None and is_dead(holder, holder["since"], _STALE_S):
            self._locks.delete_one({"_id": self._what, "key": holder.get("key")})


def add_workflow(launchpad: CampaignLaunchPad, workflow: Workflow) -> None:
    """Add a workflow; one that is torn by a kill is dropped by who adds next.

    FireWorks' ``bulk_add_wfs`` writes the workflow before its Fireworks, so that no worker
    takes one that belongs to none.
    """
    workflow.metadata["adding"] = True
    with redirect_stderr(StringIO()):  # its progress bar
        launchpad.bulk_add_wfs([workflow])
    node = next(iter(workflow.id_fw))
    launchpad.workflows.update_one({"nodes": node}, {"$unset": {"metadata.adding": ""}})


def attach(launchpad: CampaignLaunchPad, workflow: Workflow, parents: list[int]) -> None:
    """Add Fireworks below others of one workflow.

    As ``LaunchPad.append_wf``, which reads the workflow before it has the lock: a state that
    changes in between would be lost.

    Raises
    ------
    InputError
        Where it stays locked, for as long as FireWorks waits (``WFLOCK_EXPIRATION_SECS``).
    """
    try:
        with WFLock(launchpad, parents[0]):
            whole = launchpad.get_wf_by_fw_id_lzyfw(parents[0])
            changed = whole.append_wf(workflow, parents)
            launchpad._update_wf(whole, changed)  # noqa: SLF001
    except LockedWorkflowError:
        problem = f"the workflow of fw_id {parents[0]} is locked by another process"
        raise InputError(f"{problem}: `vacancy-flows retry` opens it if that one died") from None


def _drop_torn(launchpad: CampaignLaunchPad) -> None:
    """Drop workflows whose Fireworks were not all written, by a process that was killed."""
    for workflow in launchpad.workflows.find({"metadata.adding": True}, {"nodes": 1}):
        there = {"fw_id": {"$in": workflow["nodes"]}}
        if launchpad.fireworks.count_documents(there) < len(workflow["nodes"]):
            launchpad.fireworks.delete_many(there)
            launchpad.workflows.delete_one({"_id": workflow["_id"]})
        else:
            done = {"$unset": {"metadata.adding": ""}}
            launchpad.workflows.update_one({"_id": workflow["_id"]}, done)
