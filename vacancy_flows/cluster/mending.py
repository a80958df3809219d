"""What a process leaves on a LaunchPad that dies in the middle of a word with it.

FireWorks changes a workflow in several writes under a lock. Whose lock it is, and who reserved a
Firework, is written in it (`vacancy_flows.cluster.patience`), so that it is opened when its owner
is known to be dead, or was silent for long.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.patience import MARK
from vacancy_flows.cluster.queue import is_dead

_LOCKED_S = 10.0  # a lock without a name is of FireWorks' own commands, which are faster
_LOCK = {"locked": 1, "updated_on": 1, "fw_states": 1}


class Mended(NamedTuple):
    """What was put right.

    Attributes
    ----------
    unlocked
        Workflows.
    states
        Fireworks whose state did not fit their workflow, or that were half added.
    notes
        A line for each workflow whose lock may be somebody's.
    """

    unlocked: int
    states: int
    notes: list[str]


def mend(pad: CampaignLaunchPad, ours: list[int], silence: float) -> Mended:
    """Put right what dead processes left.

    Parameters
    ----------
    pad
        The LaunchPad.
    ours
        fw_ids that are looked at.
    silence
        s after which a process counts as dead that cannot be asked for.
    """
    unlocked, notes = _unlock(pad, ours, silence)
    orphans = _drop_orphans(pad, ours)
    _release(pad, ours, silence)
    return Mended(unlocked, orphans + _refresh_torn(pad, ours), notes)


def _unlock(pad: CampaignLaunchPad, ours: list[int], silence: float) -> tuple[int, list[str]]:
    """Unlock what a dead process locked, or what nobody changes under a lock without a name."""
    query = {"nodes": {"$in": ours}, "locked": {"$exists": True}}
    locked = list(pad.workflows.find(query, {**_LOCK, "name": 1}))
    named = [w for w in locked if isinstance(w["locked"], Mapping)]
    dead = [w for w in named if is_dead(w["locked"], w["locked"]["since"], silence)]
    notes = [
        f"{w['name']} is being changed by pid {w['locked']['pid']} on {w['locked']['host']}"
        for w in named
        if w not in dead
    ]
    still = [w for w in locked if w not in named]
    end = time.monotonic() + _LOCKED_S
    while still and time.monotonic() < end:
        time.sleep(0.25)
        ids = {"_id": {"$in": [w["_id"] for w in still]}}
        now = list(pad.workflows.find({**query, **ids}, {**_LOCK, "name": 1}))
        still = [w for w in still if w in now]
    opened = 0
    for w in [*dead, *still]:
        seen = {name: w[name] for name in ("_id", "locked", "updated_on") if name in w}
        opened += pad.workflows.update_one(seen, {"$unset": {"locked": ""}}).modified_count
    return opened, notes


def _workflows(pad: CampaignLaunchPad, ours: list[int]) -> list[dict[str, Any]]:
    return list(pad.workflows.find({"nodes": {"$in": ours}}, {"nodes": 1, **_LOCK}))


def _drop_orphans(pad: CampaignLaunchPad, ours: list[int]) -> int:
    """Drop Fireworks that were written before their workflow, which never was.

    They are added again by what `_refresh_torn` and a rerun do.
    """
    workflows = _workflows(pad, ours)
    if any("locked" in workflow for workflow in workflows):
        return 0  # who holds it may be about to write the workflow
    orphans = set(ours).difference(*(workflow["nodes"] for workflow in workflows))
    if not orphans:
        return 0
    return int(pad.fireworks.delete_many({"fw_id": {"$in": sorted(orphans)}}).deleted_count)


def _refresh_torn(pad: CampaignLaunchPad, ours: list[int]) -> int:
    """Do again what follows an end, or a release, of which only the Firework knows."""
    changed = {"fw_id": {"$in": ours}, "state": {"$in": ["COMPLETED", "FIZZLED", "WAITING"]}}
    fields = {"fw_id": 1, "state": 1, "updated_on": 1}
    found = {fw["fw_id"]: fw for fw in pad.fireworks.find(changed, fields)}
    torn = [
        found[int(fw_id)]
        for workflow in _workflows(pad, ours)
        for fw_id, state in workflow.get("fw_states", {}).items()
        if int(fw_id) in found and found[int(fw_id)]["state"] != state and "locked" not in workflow
    ]
    mended = 0
    for fw in torn:
        back = {"$set": {"state": "RUNNING"}}
        if fw["state"] == "WAITING" or pad.fireworks.update_one(fw, back).modified_count:
            pad._refresh_wf(fw["fw_id"])  # noqa: SLF001
            mended += 1
    return mended


def _release(pad: CampaignLaunchPad, ours: list[int], silence: float) -> None:
    """Let go what a process took that died before it noted a launch.

    `_refresh_torn` makes it ready.
    """
    query = {"fw_id": {"$in": ours}, "state": "RESERVED"}
    for fw in list(
        pad.fireworks.find(query, {"fw_id": 1, "launches": 1, "updated_on": 1, MARK: 1})
    ):
        active = {"launch_id": {"$in": fw["launches"]}, "state": {"$in": ["RESERVED", "RUNNING"]}}
        if pad.launches.find_one(active, {"launch_id": 1}) is not None:
            continue
        if is_dead(fw.get(MARK, {}), fw["updated_on"], silence):
            same = {"fw_id": fw["fw_id"], "state": "RESERVED", "updated_on": fw["updated_on"]}
            pad.fireworks.update_one(same, {"$set": {"state": "WAITING"}})
