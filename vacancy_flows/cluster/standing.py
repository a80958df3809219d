"""What became of calculations on a LaunchPad: one state for each, and why one failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vacancy_flows.cluster.launchpad import CampaignLaunchPad

State = Literal["waiting", "running", "done", "failed"]
STATES: tuple[State, ...] = ("waiting", "running", "done", "failed")

FAILED = ("FIZZLED", "DEFUSED")
"""States of a Firework that will not go on by itself."""
_SPEC = ("uid", "record", "effort", "follows", "host")
_FIELDS = dict.fromkeys(
    ["fw_id", "state", "name", "launches", *(f"spec.{name}" for name in _SPEC)], 1
)


@dataclass
class Standing:
    """The Fireworks of one calculation.

    Attributes
    ----------
    fireworks
        Documents with ``fw_id``, ``state``, ``name``, ``launches`` and a part of ``spec``; at
        least one.
    """

    fireworks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def effort(self) -> dict[str, Any]:
        """Of the engine, in the last try."""
        return effort_of(max(self.fireworks, key=lambda fw: int(fw["fw_id"])))

    @property
    def last(self) -> list[dict[str, Any]]:
        """The Fireworks of the last try; those before one of another effort were tried before."""
        effort = self.effort
        others = [fw["fw_id"] for fw in self.fireworks if effort_of(fw) != effort]
        return [fw for fw in self.fireworks if fw["fw_id"] > max(others, default=-1)]

    @property
    def record(self) -> int | None:
        """fw_id of the Firework that stores the record."""
        return next((fw["fw_id"] for fw in self.last if fw["spec"].get("record")), None)

    @property
    def state(self) -> State:
        """Of the last try as a whole; one start of several may fail without its failing."""
        fireworks = self.last
        states = {fw["state"] for fw in fireworks}
        record = [fw["state"] for fw in fireworks if fw["spec"].get("record")]
        if "COMPLETED" in record:
            return "done"
        if "RUNNING" in states:
            return "running"
        if states & {"READY", "RESERVED"}:
            return "waiting"
        return "failed" if states.intersection(FAILED) else "waiting"

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The Fireworks that failed, in the order they ran: the first has the reason."""
        found = [fw for fw in self.last if fw["state"] in FAILED]
        return sorted(found, key=lambda fw: max(fw["launches"], default=0))


def effort_of(firework: dict[str, Any]) -> dict[str, Any]:
    """Return the engine's effort that a Firework was made with."""
    return dict(firework["spec"].get("effort") or {})


def standings(launchpad: CampaignLaunchPad, uids: Collection[str]) -> dict[str, Standing]:
    """Return what is on a LaunchPad of some calculations, by uid; archived ones are gone."""
    if not uids:
        return {}
    query = {"spec.uid": {"$in": list(uids)}, "state": {"$ne": "ARCHIVED"}}
    found: dict[str, Standing] = {}
    for firework in launchpad.fireworks.find(query, _FIELDS):
        found.setdefault(firework["spec"]["uid"], Standing()).fireworks.append(firework)
    return found


def decisions(launchpad: CampaignLaunchPad, campaign: str, settings: str) -> list[dict[str, Any]]:
    """Return the Fireworks of a campaign, as it was submitted once, that add what follows."""
    query = {"spec.campaign": campaign, "spec.settings": settings, "spec.kind": "decision"}
    return list(launchpad.fireworks.find({**query, "state": {"$ne": "ARCHIVED"}}, _FIELDS))


def directories(
    launchpad: CampaignLaunchPad, found: Mapping[str, Standing]
) -> dict[str, dict[str, str]]:
    """Return where the Fireworks of some calculations ran last: uid → name → directory.

    What was started again, and stopped before it ran, ran last before that.
    """
    names = {
        fw["fw_id"]: (uid, fw["name"])
        for uid, standing in found.items()
        for fw in standing.fireworks
    }
    if not names:
        return {}
    query = {"fw_id": {"$in": list(names)}, "state": {"$in": ["COMPLETED", "FIZZLED", "RUNNING"]}}
    fields = dict.fromkeys(["launch_id", "fw_id", "launch_dir"], 1)
    places: dict[str, dict[str, str]] = {}
    for launch in sorted(launchpad.launches.find(query, fields), key=lambda one: one["launch_id"]):
        uid, name = names[launch["fw_id"]]
        places.setdefault(uid, {})[name] = launch["launch_dir"]
    return places


def reasons(launchpad: CampaignLaunchPad, fireworks: Iterable[dict[str, Any]]) -> dict[int, str]:
    """Return in a line why each of some Fireworks failed, and where it ran, by fw_id."""
    failed = list(fireworks)
    if not failed:
        return {}
    ids = [firework["launches"][-1] for firework in failed if firework.get("launches")]
    query = {"launch_id": {"$in": ids}}
    fields = {"launch_id": 1, "action.stored_data": 1, "launch_dir": 1}
    found = {launch["launch_id"]: launch for launch in launchpad.launches.find(query, fields)}
    return {
        firework["fw_id"]: _reason(
            launchpad, firework, found.get((firework.get("launches") or [-1])[-1])
        )
        for firework in failed
    }


def _reason(
    launchpad: CampaignLaunchPad, firework: dict[str, Any], launch: dict[str, Any] | None
) -> str:
    """Return why a Firework failed, of which the last launch is given."""
    if firework["state"] == "DEFUSED":
        return "defused by hand"
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
