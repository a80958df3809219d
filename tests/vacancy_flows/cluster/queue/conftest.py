"""A campaign with the stand-in for VASP in jobs of a real SLURM."""

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))  # helpers are packages below tests/

MAIN = "import sys; from vacancy_flows.cli import main; sys.exit(main())"


@pytest.fixture(scope="session")
def slurm():
    """A SLURM of one node."""
    from slurm_node import missing, slurm_node

    if missing():
        pytest.skip(missing())
    with slurm_node() as node:
        yield node


@pytest.fixture(scope="session")
def standin(tmp_path_factory):
    """The stand-in for VASP, its POTCARs and its faults, for processes of their own."""
    from standin_vasp.install import prepare

    return prepare(tmp_path_factory.mktemp("standin"))


@dataclass
class Account:
    """A user's account: files of ``init-cluster``, a shell's environment, a queue."""

    folder: Path
    mongo: object
    slurm: object
    standin: object
    environment: dict = field(default_factory=dict)

    @property
    def configuration(self):
        return self.folder / "configuration"

    def start(self, *words, out=subprocess.PIPE, **more):
        """Start ``vacancy-flows`` in a process of its own; a pipe is to be read."""
        return subprocess.Popen(
            [sys.executable, "-c", MAIN, *map(str, words)],
            env=self.environment | more,
            cwd=self.folder,
            stdout=out,
            stderr=out,
            text=True,
        )

    def command(self, *words, check=True, **more):
        """Run ``vacancy-flows`` to its end."""
        process = self.start(*words, **more)
        out, err = process.communicate(timeout=600)
        assert not check or process.returncode == 0, out + err
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def set_walltime(self, walltime, grace):
        """Edit the adapter of big Fireworks, as a user does."""
        path = self.configuration / "my_qadapter.yaml"
        text = re.sub(r"walltime: .*", f'walltime: "{walltime}"', path.read_text())
        path.write_text(re.sub(r"grace: .*", f"grace: {grace}", text))

    def set_up(self):
        """Write the configuration as a user does, with a server of this test."""
        words = ["init-cluster", "--scheduler", "slurm", "-o", self.configuration]
        words += ["--partition", "debug", "--walltime", "2:00:00"]
        words += ["--vasp-command", "vasp_std", "--vasp-gamma-command", "vasp_gam"]
        words += ["--mongo-host", self.mongo.host, "--mongo-port", self.mongo.port]
        self.command(*words, "--mongo-database", self.folder.name.replace("-", "_"))
        env = self.configuration / "env.sh"
        lines = [f"export {name}='{value}'" for name, value in self.standin.environment.items()]
        env.write_text("\n".join([*lines, env.read_text()]))
        for name in ("my_qadapter.yaml", "my_qadapter_small.yaml"):
            path = self.configuration / name
            text = path.read_text().replace("grace: 120", "grace: 5")
            path.write_text(text.replace("--sleep 30", "--sleep 1"))
        config = self.configuration / "FW_config.yaml"
        config.write_text(config.read_text().replace("SLEEP_SECS: 60", "SLEEP_SECS: 1"))
        for name in ("FW", "JOBFLOW", "ATOMATE2"):
            file = {"FW": "FW_config", "JOBFLOW": "jobflow", "ATOMATE2": "atomate2"}[name]
            self.environment[f"{name}_CONFIG_FILE"] = str(self.configuration / f"{file}.yaml")

    def cluster(self):
        from vacancy_flows.cluster.connection import open_cluster

        return open_cluster(self.configuration / "my_launchpad.yaml")

    def states(self, **query):
        pad = self.cluster().launchpad
        return {
            fw["name"]: fw["state"] for fw in pad.fireworks.find(query, {"name": 1, "state": 1})
        }

    def pack(self):
        """Edit the adapter: one job does one short run after another (docs/cluster.md)."""
        path = self.configuration / "my_qadapter.yaml"
        many = "fw rlaunch rapidfire --nlaunches infinite --sleep 1"
        path.write_text(path.read_text().replace("fw rlaunch singleshot", many))

    def fill(self, name, *words):
        """Send a job that takes Fireworks until it is ended."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        self.command("fw", "qlaunch", "-fm", *words, "--launch_dir", folder, "singleshot")

    @contextlib.contextmanager
    def queue(self, packed=0):
        """Jobs for big Fireworks, one for each or some for all; one job does the small ones."""
        small = ["-w", self.configuration / "my_fworker_small.yaml"]
        self.fill("small", *small, "-q", self.configuration / "my_qadapter_small.yaml")
        for number in range(packed):
            self.fill(f"big{number}")
        big = ["fw", "qlaunch", "-r", "rapidfire", "--nlaunches", "infinite", "--sleep", "1"]
        process = None if packed else self.start(*big, out=subprocess.DEVNULL)
        try:
            yield process
        finally:
            if process is not None:
                kill(process)
            self.slurm.cancel_all()

    def wait_for(self, name, *states, seconds=900):
        """Wait until a Firework, by a part of its name, is in one of some states."""
        from slurm_node import wait_until

        pad = self.cluster().launchpad
        query = {"name": {"$regex": f"{name}$"}, "state": {"$in": states}}
        wait_until(lambda: pad.fireworks.find_one(query) is not None, seconds, every=0.2)

    def running(self, name):
        """Wait until VASP has done three ionic steps of a Firework; the id of its job."""
        from slurm_node import wait_until

        from vacancy_flows.cluster.launchpad import QUEUE_JOBS

        self.wait_for(name, "RUNNING")
        pad = self.cluster().launchpad
        firework = pad.fireworks.find_one({"name": {"$regex": f"{name}$"}})
        launch = pad.launches.find_one({"launch_id": firework["launches"][-1]})
        oszicar = Path(launch["launch_dir"]) / "OSZICAR"
        wait_until(lambda: oszicar.is_file() and oszicar.read_text().count(" F= ") >= 3, 900)
        return pad.db[QUEUE_JOBS].find_one({"_id": launch["launch_id"]})["job"]

    def wait(self, seconds=1800):
        """Wait until nothing more can run.

        A workflow is written at once with the states of all its Fireworks, which themselves are
        written one by one: an end before what follows it.
        """
        from slurm_node import wait_until

        workflows = self.cluster().launchpad.workflows
        active = {"READY", "RESERVED", "RUNNING"}

        def done():
            return all(
                active.isdisjoint(workflow["fw_states"].values())
                for workflow in workflows.find({}, {"fw_states": 1})
            )

        wait_until(done, seconds, every=0.5)


def kill(process):
    """Kill a launcher, and wait for the end of what it was sending to the queue."""
    launcher = psutil.Process(process.pid)
    launcher.suspend()
    children = launcher.children(recursive=True)
    launcher.kill()
    process.wait()
    psutil.wait_procs(children)


@pytest.fixture
def account(tmp_path, mongo, slurm, standin):
    """An account that is set up; its database is dropped, its jobs are ended."""
    standin.fail()
    environment = {**os.environ, **standin.environment, **slurm.environment}
    environment |= {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    folder = tmp_path / f"account-{os.getpid()}-{id(tmp_path)}"
    folder.mkdir()
    found = Account(folder, mongo, slurm, standin, environment)
    found.set_up()
    yield found
    slurm.cancel_all()
    pad = found.cluster().launchpad
    pad.connection.drop_database(pad.name)
