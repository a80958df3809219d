"""Which jobs of a queue are still there: asked of SLURM or PBS, where they are at hand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_TIMEOUT = 30  # s
_ENDED = {"C", "F", "X"}  # PBS: completed, finished
_QUEUES = {"SLURM": "SLURM_JOB_ID", "PBS": "PBS_JOBID"}


def queue_job() -> tuple[str, str] | None:
    """Return kind of queue and id of the job that this process runs in, None outside."""
    for kind, variable in _QUEUES.items():
        if os.environ.get(variable):
            return kind, os.environ[variable]
    return None


def whoami() -> dict[str, Any]:
    """Return what others need to find out whether this process still runs."""
    kind, job = queue_job() or (None, None)
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "queue": kind,
        "job": job,
        "cluster": os.environ.get("SLURM_CLUSTER_NAME"),
    }


def still_runs(process: Mapping[str, Any]) -> bool | None:
    """Tell whether a process runs that `whoami` described; None where that cannot be known."""
    if process.get("queue"):
        return is_alive(process["queue"], process["job"], process.get("cluster"))
    if process.get("host") != socket.gethostname():
        return None
    try:
        os.kill(process["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def is_dead(process: Mapping[str, Any], since: datetime | str, silence: float) -> bool:
    """Tell whether a process ended that `whoami` described.

    Parameters
    ----------
    process
        What `whoami` returned, or a part of it.
    since
        When it was last heard of.
    silence
        s after which it counts as dead where that cannot be known.
    """
    alive = still_runs(process)
    if alive is None:
        return datetime.now(UTC) - utc(since) >= timedelta(seconds=silence)
    return not alive


def utc(found: datetime | str) -> datetime:
    """Return a time as FireWorks writes it, in UTC."""
    when = datetime.fromisoformat(found) if isinstance(found, str) else found
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


def is_alive(queue: str, job: str, cluster: str | None = None) -> bool | None:
    """Tell whether a job is waiting or running; None where its queue cannot be asked.

    Parameters
    ----------
    queue
        ``SLURM`` or ``PBS``.
    job
        Its id.
    cluster
        SLURM's name of the cluster it runs on, where it is known: another one numbers its own
        jobs. An id of PBS names its server itself.
    """
    if queue == "SLURM":
        return _in_slurm(job) if cluster in {None, slurm_cluster()} else None
    done = _ask(["qstat", "-f", job])
    if done is None:
        return None
    states = [
        line.split("=")[1].strip() for line in done.stdout.splitlines() if "job_state" in line
    ]
    if done.returncode == 0 and states:
        return states[0] not in _ENDED
    gone = "Unknown Job" in done.stderr or "has finished" in done.stderr
    return False if gone else None


def _in_slurm(job: str) -> bool | None:
    done = _ask(["squeue", "--noheader", "--format=%T", f"--jobs={job}"])
    if done is None:
        return None
    if done.returncode == 0:
        return bool(done.stdout.strip())
    return False if "Invalid job id" in done.stderr else None


def slurm_cluster() -> str | None:
    """Return the name of the cluster whose SLURM answers here, None where none does."""
    done = _ask(["scontrol", "show", "config"])
    lines = [] if done is None or done.returncode else done.stdout.splitlines()
    found = (line.partition("=")[2].strip() for line in lines if line.startswith("ClusterName"))
    return next(found, None)


def partitions() -> set[str] | None:
    """Return the names of SLURM's partitions, None where it cannot be asked."""
    done = _ask(["sinfo", "--noheader", "--format=%R"])
    if done is None or done.returncode:
        return None
    return set(done.stdout.split())


def pbs_queues() -> set[str] | None:
    """Return the names of PBS' queues, None where it cannot be asked."""
    done = _ask(["qstat", "-Q", "-f"])
    if done is None or done.returncode:
        return None
    lines = done.stdout.splitlines()
    return {line.split(":", 1)[1].strip() for line in lines if line.startswith("Queue:")}


def _ask(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    if shutil.which(command[0]) is None:
        return None
    try:
        return subprocess.run(  # noqa: S603  # ids are of the queue itself
            command, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
