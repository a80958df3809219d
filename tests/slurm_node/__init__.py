"""SLURM on this machine, from Debian's packages: one node, on loopback, for as long as tests run.

``apt-get install slurmctld slurmd slurm-client munge``; everything else, keys and state
included, lies in a temporary folder, and what was started is ended by its pid.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from free_ports import free_ports

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PARTITION = "debug"
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2,defer
MpiDefault=none
ReturnToService=1
KillWait=60
MessageTimeout=60
BatchStartTimeout=120
SlurmdTimeout=300
UnkillableStepTimeout=300
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000 State=UNKNOWN
PartitionName={partition} Nodes={host} Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
"""


@dataclass
class SlurmNode:
    """A running SLURM.

    Attributes
    ----------
    environment
        What its commands need.
    host
        Name of the node.
    """

    folder: Path
    environment: dict[str, str]
    host: str

    def run(self, *command: str) -> str:
        """Run one of its commands and return what it prints."""
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """Return the state of every job that is not over, by id."""
        lines = self.run("squeue", "--noheader", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)

    def kill(self, job: str) -> None:
        """End the processes of a job as a kernel does that is out of memory, without a word."""
        for line in self.run("scontrol", "listpids", job).splitlines()[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of all jobs, those that the queue knows no more included."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                variables = process.environ()
                if "SLURM_JOB_ID" in variables and self.environment.items() <= variables.items():
                    found.append(process)
        return found

    def cancel_all(self) -> None:
        """End every job, and wait for that."""
        jobs = self.jobs()
        if jobs:
            self.run("scancel", *jobs)
        wait_until(lambda: not self.jobs(), 120)

    def set_node(self, state: str) -> None:
        """Set the node ``DOWN`` or back (``RESUME``)."""
        self.run("scontrol", "update", f"nodename={self.host}", f"state={state}", "reason=test")


def missing() -> str:
    """Say what is not installed here; empty where nothing is."""
    absent = [name for name in PROGRAMS if _program(name) is None]
    return f"no SLURM here: {', '.join(absent)} not installed" if absent else ""


@contextlib.contextmanager
def slurm_node() -> Iterator[SlurmNode]:
    """Start a SLURM of one node, for four jobs at a time whatever cores there are, and end it."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # short, for sockets
    folder.chmod(0o755)
    host = socket.gethostname().split(".")[0]
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    user = pwd.getpwuid(os.getuid()).pw_name  # whatever USER says
    names = {"folder": folder, "host": host, "user": user, "ports": free_ports(2)}
    conf.write_text(CONF.format(partition=PARTITION, **names))
    node = SlurmNode(folder, {"SLURM_CONF": str(conf)}, host)
    started: list[subprocess.Popen[bytes]] = []
    try:
        started.append(_munge(folder))
        started += [_start(folder, name, "-D", "-f", str(conf)) for name in PROGRAMS[1:3]]
        wait_until(lambda: _idle(node), 120)
        yield node
    finally:
        with contextlib.suppress(Exception):
            node.cancel_all()
        for process in reversed(started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until(condition, seconds: float, every: float = 0.1) -> None:
    """Wait for a condition, or fail."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(every)


def _munge(folder: Path) -> subprocess.Popen[bytes]:
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    options = {name: folder / f"munge.{name.split('-')[0]}" for name in ("socket", "pid-file")}
    options |= {"log-file": folder / "munge.log", "seed-file": folder / "munge.seed"}
    words = [f"--{name}={path}" for name, path in {**options, "key-file": key}.items()]
    process = _start(folder, "munged", "--foreground", "--force", *words)
    wait_until((folder / "munge.socket").exists, 60)
    return process


def _start(folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.out").open("wb") as out:
        return subprocess.Popen([_program(name), *arguments], stdout=out, stderr=out)


def _idle(node: SlurmNode) -> bool:
    try:
        return "idle" in node.run("sinfo", "--noheader", "--format=%t")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return False


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
