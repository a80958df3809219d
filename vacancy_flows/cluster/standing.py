"""What became of calculations on a LaunchPad: one state for each, and why one failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from vacancy_flows.cluster.launchpad import CampaignLaunchPad

State = Literal["waiting", "running", "done", "failed"]
STATES: tuple[State, ...] = ("waiting", "running", "done", "failed")

_FAILED = {"FIZZLED", "DEFUSED"}
_FIELDS = ("fw_id", "state", "name", "launches", "spec.uid", "spec.record", "spec.follows")


@dataclass
class Standing:
    """The Fireworks of one calculation.

    Attributes
    ----------
    fireworks
        Documents with ``fw_id``, ``state``, ``name``, ``launches`` and a part of ``spec``.
    """

    fireworks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def record(self) -> int | None:
        """fw_id of the Firework that stores the record."""
        return next((fw["fw_id"] for fw in self.fireworks if fw["spec"].get("record")), None)

    @property
    def state(self) -> State:
        """Of the whole calculation; one start of several may fail without its failing."""
        states = {fw["state"] for fw in self.fireworks}
        record = [fw["state"] for fw in self.fireworks if fw["spec"].get("record")]
        if "COMPLETED" in record:
            return "done"
        if "RUNNING" in states:
            return "running"
        if states & {"READY", "RESERVED"}:
            return "waiting"
        return "failed" if states & _FAILED else "waiting"

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The Fireworks that failed, in the order they ran: the first has the reason."""
        found = [fw for fw in self.fireworks if fw["state"] in _FAILED]
        return sorted(found, key=lambda fw: max(fw["launches"], default=0))


def standings(launchpad: CampaignLaunchPad, uids: Collection[str]) -> dict[str, Standing]:
    """Return what is on a LaunchPad of some calculations, by uid; archived ones are gone."""
    query = {"spec.uid": {"$in": list(uids)}, "state": {"$ne": "ARCHIVED"}}
    found: dict[str, Standing] = {}
    for firework in launchpad.fireworks.find(query, dict.fromkeys(_FIELDS, 1)):
        found.setdefault(firework["spec"]["uid"], Standing()).fireworks.append(firework)
    return found


def decisions(launchpad: CampaignLaunchPad, campaigns: Iterable[str]) -> list[dict[str, Any]]:
    """Return the Fireworks of campaigns that add what follows."""
    query = {"spec.campaign": {"$in": list(campaigns)}, "spec.kind": "decision"}
    return list(
        launchpad.fireworks.find(
            {**query, "state": {"$ne": "ARCHIVED"}}, dict.fromkeys((*_FIELDS, "spec.host"), 1)
        )
    )


def reason(launchpad: CampaignLaunchPad, firework: dict[str, Any]) -> str:
    """Return in a line why a Firework failed, and where it ran."""
    if firework["state"] == "DEFUSED":
        return "defused by hand"
    launches = firework.get("launches") or [-1]
    launch = launchpad.launches.find_one(
        {"launch_id": launches[-1]}, {"action.stored_data": 1, "launch_dir": 1}
    )
    if launch is None:
        spec = launchpad.fireworks.find_one(
            {"fw_id": firework["fw_id"]}, {"spec._exception_details": 1}
        )
        trace = spec["spec"].get("_exception_details", {}).get("_stacktrace", "")
        why = _last_error(trace.strip().splitlines()) if trace else "no launch is known"
        return f"it could not be read by a worker ({why}): is the same version installed there?"
    stored = ((launch.get("action") or {}).get("stored_data")) or {}
    trace = (stored.get("_exception") or {}).get("_stacktrace") or ""
    lines = [line for line in trace.strip().splitlines() if line.strip()]
    if not lines:
        return f"it ended without a word (killed, or its node died) in {launch['launch_dir']}"
    kind, _, text = _last_error(lines).partition(": ")
    return f"{text or kind} (in {launch['launch_dir']})"


def _last_error(lines: list[str]) -> str:
    """Return the line of a traceback that names the error, with what continues it."""
    start = next(i for i in range(len(lines) - 1, -1, -1) if lines[i][:1].strip() or i == 0)
    return " ".join(line.strip() for line in lines[start:])
