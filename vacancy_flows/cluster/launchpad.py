"""FireWorks' LaunchPad with its password from the environment, and an end at SIGTERM."""

from __future__ import annotations

from typing import Any, Self

from fireworks import Firework, FWorker, LaunchPad

from vacancy_flows.cluster.configuration import address, secret
from vacancy_flows.cluster.patience import PatientDatabase
from vacancy_flows.cluster.queue import whoami
from vacancy_flows.errors import InputError

QUEUE_JOBS = "vacancy_flows_queue_jobs"
"""Collection: which process, and job of a queue, took a launch, by launch id."""
_CONNECTION = ("host", "port", "name", "username", "password", "authsource")
_COLLECTIONS = ("fireworks", "launches", "offline_runs", "fw_id_assigner", "workflows")
_OTHER = ("logdir", "strm_lvl", "user_indices", "wf_user_indices", "uri_mode")


class CampaignLaunchPad(LaunchPad):
    """A LaunchPad that keeps no password and notes which job of the queue runs what.

    Attributes
    ----------
    stopping
        Whether this process was told to end: nothing more is checked out.
    running
        Whether a Firework runs in this process.
    noting
        Whether what is taken, or how a run ended, is being written.
    """

    stopping = False
    running = False
    noting = False
    _written: dict[str, Any] = {"password": None}  # noqa: RUF012

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Connect, as `LaunchPad`, with collections that outlive a server that is gone."""
        super().__init__(*args, **kwargs)
        self.db = PatientDatabase(self.connection, self.name)
        for name in _COLLECTIONS:
            setattr(self, name, self.db[name])

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Self:
        """Make one of what a file holds; see `secret` and `address`.

        Raises
        ------
        InputError
            Where it names no host, or a password that is not to be had.
        """
        if not d.get("host"):
            raise InputError("names no host of a MongoDB server", key="host")
        given = {name: d[name] for name in (*_CONNECTION, *_OTHER) if d.get(name) is not None}
        written = {"host": given["host"], "password": given.get("password")}
        given |= {"host": address(given["host"]), "password": secret(given.get("password"))}
        launchpad = cls(**given, mongoclient_kwargs=dict(d.get("mongoclient_kwargs") or {}))
        launchpad._written = written
        return launchpad

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, with the name of the password's variable."""
        return {**super().to_dict(), **self._written}

    def checkout_fw(
        self, fworker: FWorker, launch_dir: str, *args: Any, **kwargs: Any
    ) -> tuple[Firework | None, int | None]:
        """Check out a Firework, unless this process is to end."""
        CampaignLaunchPad.noting = True
        try:
            if self.stopping:
                return None, None
            firework, launch_id = super().checkout_fw(fworker, launch_dir, *args, **kwargs)
            CampaignLaunchPad.running = False
            if firework is None:
                return None, None
            note = {"_id": launch_id, **whoami()}
            self.db[QUEUE_JOBS].replace_one({"_id": launch_id}, note, upsert=True)
            CampaignLaunchPad.running = True
            if CampaignLaunchPad.stopping:  # told so since it asked
                CampaignLaunchPad.running = False
                self.rerun_fw(firework.fw_id)
                return None, None
        finally:
            CampaignLaunchPad.noting = False
        return firework, launch_id

    def complete_launch(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Note how a run ended, to the end of the noting."""
        CampaignLaunchPad.noting = True  # before the other: one of them holds at any time
        CampaignLaunchPad.running = False
        try:
            found: dict[str, Any] = super().complete_launch(*args, **kwargs)
        finally:
            CampaignLaunchPad.noting = False
        return found

    def run_exists(self, fworker: FWorker | None = None) -> bool:
        """Tell whether there is something to run; end where this process was told to."""
        if self.stopping:
            raise SystemExit(0)
        return bool(super().run_exists(fworker))
