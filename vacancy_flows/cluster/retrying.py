"""`retry`: what failed or was lost runs again, VASP from its CONTCAR in its own directory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from fireworks.utilities.fw_utilities import get_my_host

from vacancy_flows.cluster.connection import open_cluster
from vacancy_flows.cluster.launchpad import QUEUE_JOBS, CampaignLaunchPad
from vacancy_flows.cluster.mending import mend
from vacancy_flows.cluster.queue import is_alive, is_dead, utc
from vacancy_flows.cluster.registry import wanted
from vacancy_flows.cluster.standing import decisions, standings
from vacancy_flows.cluster.status import Chosen, chosen_campaigns
from vacancy_flows.cluster.workflows import BIG
from vacancy_flows.cluster.writing import OneAtATime


def retry_here(
    spec: Path | None = None, launchpad: Path | None = None, lost_after: float | None = None
) -> int:
    """Start failed and lost runs of campaigns again, and say which.

    Parameters
    ----------
    spec
        Campaign file; where None, every campaign of the LaunchPad.
    launchpad
        Its file; see `open_cluster`.
    lost_after
        s without a sign of life after which a run counts as lost where its queue cannot be
        asked; FireWorks' own ``RUN_EXPIRATION_SECS`` where None.

    Returns
    -------
    int
        0.
    """
    from fireworks.fw_config import RUN_EXPIRATION_SECS

    pad = open_cluster(launchpad).launchpad
    chosen = chosen_campaigns(pad, spec)
    with OneAtATime(pad, what="retrying"):
        ours = _fireworks_of(pad, chosen)
        _retry(pad, ours, RUN_EXPIRATION_SECS if lost_after is None else lost_after)
    return 0


def _retry(pad: CampaignLaunchPad, ours: list[int], silence: float) -> None:
    """Mend and start again what needs it of some Fireworks, and say what that was."""
    mended = mend(pad, ours, silence)
    lost, unknown = _lost(pad, ours, silence)
    lost = [launch_id for launch_id in lost if _fizzled(pad, launch_id)]
    _, _, torn = pad.detect_lostruns(query={"fw_id": {"$in": ours}}, refresh=True)
    freed = _free_reservations(pad, ours, silence)
    again = _rerun(pad, ours)
    click.echo(
        f"{len(again)} runs start again, {len(lost)} of them were lost; "
        f"{freed} were waiting for a job that the queue does not know; "
        f"{len(torn) + mended.states} states mended, {mended.unlocked} workflows unlocked"
    )
    for fw_id, name in again.items():
        click.echo(f"again {fw_id} {name}")
    for line in [*unknown, *mended.notes]:
        click.echo(f"note: {line}", err=True)


def _fireworks_of(pad: CampaignLaunchPad, campaigns: Iterable[Chosen]) -> list[int]:
    """Return the fw_ids of campaigns, those that they share with others included.

    Of a calculation that was tried again, those of the last try.
    """
    keys = [(campaign.name, campaign.settings) for campaign in campaigns]
    uids = {document["uid"] for key in keys for document in wanted(pad, *key)}
    found = [firework for key in keys for firework in decisions(pad, *key)]
    for standing in standings(pad, uids).values():
        found += standing.last
    return [firework["fw_id"] for firework in found]


def _lost(pad: CampaignLaunchPad, ours: list[int], silence: float) -> tuple[list[int], list[str]]:
    """Return launches that run no more, and a line for each that may."""
    running = pad.launches.find(
        {"fw_id": {"$in": ours}, "state": "RUNNING"},
        {"launch_id": 1, "fw_id": 1, "state_history": 1, "host": 1},
    )
    lost, unknown = [], []
    for launch in running:
        note = pad.db[QUEUE_JOBS].find_one({"_id": launch["launch_id"]})
        alive = None
        if note is not None and note["queue"]:
            alive = is_alive(note["queue"], note["job"], note.get("cluster"))
        quiet = (datetime.now(UTC) - _last_sign(launch)).total_seconds()
        if alive is False or (alive is None and quiet > silence):
            lost.append(launch["launch_id"])
        elif alive is None:
            unknown.append(
                f"fw_id {launch['fw_id']} runs on {launch.get('host')}, whose queue cannot be "
                f"asked here; it counts as lost after {silence:.0f} s of silence (--lost-after)"
            )
    return lost, unknown


def _fizzled(pad: CampaignLaunchPad, launch_id: int) -> bool:
    """Mark a launch as failed, unless it came to its end since it was looked at."""
    if pad.launches.find_one({"launch_id": launch_id, "state": "RUNNING"}) is None:
        return False
    pad.mark_fizzled(launch_id)
    return True


def _last_sign(launch: dict[str, Any]) -> datetime:
    """Return when a launch was last heard of, UTC."""
    entries = [entry for entry in launch["state_history"] if entry["state"] == "RUNNING"]
    return utc(entries[-1]["updated_on"] if entries else "1970-01-01T00:00:00")


def _free_reservations(pad: CampaignLaunchPad, ours: list[int], silence: float) -> int:
    """Take back what this machine reserved for a job of its queue that is gone, or never was."""
    kind = "SLURM" if is_alive("SLURM", "0") is not None else "PBS"
    freed = 0
    here = {"fw_id": {"$in": ours}, "state": "RESERVED", "host": get_my_host()}
    for launch in pad.launches.find(here):  # another machine's queue has numbers of its own
        history = launch["state_history"]
        ids = [h["reservation_id"] for h in history if "reservation_id" in h]
        if ids:
            gone = is_alive(kind, ids[-1]) is False
        else:  # by a launcher that may still send a job
            launcher = pad.db[QUEUE_JOBS].find_one({"_id": launch["launch_id"]}) or {}
            gone = is_dead(launcher, history[-1]["updated_on"], silence)
        if gone:
            pad.cancel_reservation(launch["launch_id"])
            freed += 1
    return freed


def _rerun(pad: CampaignLaunchPad, ours: list[int]) -> dict[int, str]:
    """Run again what failed and does not follow something that failed; fw_id → name."""
    query = {"fw_id": {"$in": ours}, "state": "FIZZLED"}
    fields = {"fw_id": 1, "name": 1, "launches": 1, "spec._category": 1}
    failed = {fw["fw_id"]: fw for fw in pad.fireworks.find(query, fields)}
    again: dict[int, str] = {}
    for workflow in pad.workflows.find({"nodes": {"$in": list(failed)}}, {"nodes": 1, "links": 1}):
        links = {int(parent): children for parent, children in workflow["links"].items()}
        here = failed.keys() & set(workflow["nodes"])
        below = {child for fw_id in here for child in _descendants(links, fw_id)}
        for fw_id in sorted(here - below, reverse=True):
            firework = failed[fw_id]
            pad.rerun_fw(fw_id, **_in_its_directory(pad, firework))
            again[fw_id] = firework["name"]
    return again


def _descendants(links: dict[int, list[int]], fw_id: int) -> set[int]:
    found: set[int] = set()
    level = list(links.get(fw_id, []))
    while level:
        found.update(level)
        level = [c for child in level for c in links.get(child, []) if c not in found]
    return found


def _in_its_directory(pad: CampaignLaunchPad, firework: dict[str, Any]) -> dict[str, Any]:
    """Return how an engine's run goes on where its files are."""
    launches = firework.get("launches") or []
    if firework["spec"].get("_category") != BIG or not launches:
        return {}
    if not pad.get_recovery(launches[-1]):
        return {}  # it was stopped before it began
    return {"recover_launch": launches[-1], "recover_mode": "prev_dir"}
