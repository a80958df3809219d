"""FireWorks' LaunchPad with its password from the environment, and an end at SIGTERM."""

from __future__ import annotations

import os
import re
from typing import Any, Self

from fireworks import Firework, FWorker, LaunchPad

from vacancy_flows.errors import InputError

QUEUE_JOBS = "vacancy_flows_queue_jobs"
"""Collection: which job of a queue runs a launch, by launch id."""
_QUEUES = {"SLURM": "SLURM_JOB_ID", "PBS": "PBS_JOBID"}
_NAMED = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")
_CONNECTION = ("host", "port", "name", "username", "password", "authsource")
_OTHER = ("logdir", "strm_lvl", "user_indices", "wf_user_indices", "uri_mode")


def secret(value: str | None, key: str = "password") -> str | None:
    """Return a password that a file names by its environment variable, as ``$NAME``.

    Parameters
    ----------
    value
        As it stands in the file.
    key
        It stands under, for the message.

    Raises
    ------
    InputError
        Where the variable is not set, or the file holds a password itself.
    """
    if not value:
        return None
    named = _NAMED.fullmatch(value) if isinstance(value, str) else None
    if named is None:
        raise InputError(
            "holds a password: write the name of an environment variable instead, as $NAME", key=key
        )
    name = named[1] or named[2]
    found = os.environ.get(name)
    if not found:
        raise InputError(f"the environment variable {name} is not set: export it", key=key)
    return found


def queue_job() -> tuple[str, str] | None:
    """Return kind of queue and id of the job that this process runs in, None outside."""
    for kind, variable in _QUEUES.items():
        if os.environ.get(variable):
            return kind, os.environ[variable]
    return None


class CampaignLaunchPad(LaunchPad):
    """A LaunchPad that keeps no password and notes which job of the queue runs what.

    Attributes
    ----------
    stopping
        Whether this process was told to end: nothing more is checked out.
    running
        Whether a Firework runs in this process.
    """

    stopping = False
    running = False
    _written: str | None = None

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Self:
        """Make one of what a file holds; see `secret`."""
        given = {name: d[name] for name in (*_CONNECTION, *_OTHER) if d.get(name) is not None}
        written = given.get("password")
        given["password"] = secret(written)
        launchpad = cls(**given, mongoclient_kwargs=dict(d.get("mongoclient_kwargs") or {}))
        launchpad._written = written
        return launchpad

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, with the name of the password's variable."""
        return {**super().to_dict(), "password": self._written}

    def checkout_fw(
        self, fworker: FWorker, launch_dir: str, *args: Any, **kwargs: Any
    ) -> tuple[Firework | None, int | None]:
        """Check out a Firework, unless this process is to end."""
        if self.stopping:
            return None, None
        firework, launch_id = super().checkout_fw(fworker, launch_dir, *args, **kwargs)
        job = queue_job() if kwargs.get("state", "RUNNING") == "RUNNING" else None
        if launch_id is not None and job is not None:
            cluster = os.environ.get("SLURM_CLUSTER_NAME")
            note = {"_id": launch_id, "queue": job[0], "job": job[1], "cluster": cluster}
            self.db[QUEUE_JOBS].replace_one({"_id": launch_id}, note, upsert=True)
        elif launch_id is not None:  # a LaunchPad that was reset counts from 1 again
            self.db[QUEUE_JOBS].delete_one({"_id": launch_id})
        CampaignLaunchPad.running = firework is not None
        return firework, launch_id

    def complete_launch(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Note how a run ended, to the end of the noting."""
        CampaignLaunchPad.running = False
        found: dict[str, Any] = super().complete_launch(*args, **kwargs)
        return found

    def run_exists(self, fworker: FWorker | None = None) -> bool:
        """Tell whether there is something to run for a process that goes on."""
        return not self.stopping and bool(super().run_exists(fworker))

    def future_run_exists(self, fworker: FWorker | None = None) -> bool:
        """Tell whether there will be something to run for a process that goes on."""
        return not self.stopping and bool(super().future_run_exists(fworker))
