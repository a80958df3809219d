"""init-cluster: files that FireWorks, jobflow and atomate2 read, and what it refuses."""

import json
import os
import re
import stat
import subprocess
import sys
from importlib.resources import files

import pytest
from fireworks import FWorker, LaunchPad
from fireworks.user_objects.queue_adapters.common_adapter import CommonAdapter
from ruamel.yaml import YAML

from vacancy_flows.cluster import walltime
from vacancy_flows.cluster.configuration import read_jobstore
from vacancy_flows.cluster.launchpad import CampaignLaunchPad

ROCKET = """
trap 'echo told; exit' TERM
sleep 60 &
wait
"""
SECRET = "open sesame"  # noqa: S105
VARIABLE = "VACANCY_FLOWS_MONGO_PASSWORD"


@pytest.fixture(autouse=True)
def queues(monkeypatch):
    """A queue that knows two partitions."""
    known = {"PBS": ("queue", lambda: {"workq"}), "SLURM": ("partition", lambda: {"debug", "big"})}
    monkeypatch.setattr(walltime, "_QUEUES", known)


@pytest.fixture
def init(command, tmp_path):
    def run(scheduler="slurm", output="cluster", **values):
        given = {"partition": "debug" if scheduler == "slurm" else "workq", "walltime": "24:00:00"}
        words = ["init-cluster", "--scheduler", scheduler, "-o", tmp_path / output]
        for name, value in (given | values).items():
            words += [f"--{name.replace('_', '-')}", value]
        return command(*words)

    return run


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_the_files_are_read_by_those_they_are_for(init, scheduler, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, SECRET)
    answer = init(scheduler, mongo_user="ada", account="p1", module="vasp/6.4.2", ntasks=48)
    assert answer.status == 0, answer.err
    folder = tmp_path / "cluster"
    adapter = CommonAdapter.from_file(str(folder / "my_qadapter.yaml"))
    script = adapter.get_script_str(str(tmp_path / "launch"))
    assert f"source {folder}/env.sh" in script
    assert "fw rlaunch singleshot" in script
    if scheduler == "slurm":
        assert "#SBATCH --time=24:00:00\n#SBATCH --partition=debug\n#SBATCH --account=p1" in script
        assert "#SBATCH --no-requeue\n#SBATCH --signal=B:TERM@120\n" in script
        assert "exec " in script
    else:
        assert "#PBS -l select=1:ncpus=48:mpiprocs=48\n#PBS -l walltime=24:00:00" in script
        assert "timeout --signal=TERM $(( 86400 - 120 )) " in script
    assert "$$" not in script
    assert FWorker.from_file(str(folder / "my_fworker.yaml")).category == "big"
    assert FWorker.from_file(str(folder / "my_fworker_small.yaml")).category == "small"
    store = read_jobstore(folder / "jobflow.yaml")
    assert store.docs_store.password == SECRET
    assert store.additional_stores["data"].password == SECRET
    assert "module load vasp/6.4.2\n" in (folder / "env.sh").read_text()
    settings = YAML(typ="safe").load((folder / "atomate2.yaml").read_text())
    launcher = "srun" if scheduler == "slurm" else "mpirun"
    assert settings["VASP_CMD"] == f"{launcher} vasp_std"
    config = YAML(typ="safe").load((folder / "FW_config.yaml").read_text())
    assert config["LAUNCHPAD_LOC"] == str(folder / "my_launchpad.yaml")


def test_fireworks_itself_reads_the_launchpad_of_a_server_without_users(init, tmp_path):
    assert init(mongo_host="db.example.org", mongo_port=27018).status == 0
    pad = LaunchPad.from_file(str(tmp_path / "cluster" / "my_launchpad.yaml"))
    assert (pad.host, pad.port, pad.username, pad.password) == ("db.example.org", 27018, None, None)


def test_the_password_is_in_no_file_and_in_no_output(init, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, SECRET)
    answer = init(mongo_user="ada")
    pad = CampaignLaunchPad.from_file(str(tmp_path / "cluster" / "my_launchpad.yaml"))
    assert pad.password == SECRET
    written = [path.read_text() for path in (tmp_path / "cluster").iterdir()]
    for text in (*written, answer.out, answer.err, str(pad.to_dict()), str(pad.to_format())):
        assert SECRET not in text
    assert CampaignLaunchPad.from_dict(pad.to_dict()).password == SECRET


def test_only_the_owner_reads_the_files(init, tmp_path):
    os.umask(0)
    try:
        init()
    finally:
        os.umask(0o022)
    for path in (tmp_path / "cluster").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "cluster").stat().st_mode) == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o770)  # a folder of a group stays one
    assert init(output="shared").status == 0
    assert stat.S_IMODE(shared.stat().st_mode) == 0o770
    assert {stat.S_IMODE(path.stat().st_mode) for path in shared.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("values", "key", "told"),
    [
        ({"partition": "debgu"}, "--partition", "no partition 'debgu' here: did you mean 'debug'"),
        ({"walltime": "24h"}, "--walltime", "'24h' is no walltime of SLURM: write H:M:S or D-H"),
        ({"walltime": "2"}, "--walltime", "'2' is not longer than grace"),
        ({"walltime": "UNLIMITED"}, "--walltime", "so the end must be known: write a time"),
        ({"mongo_host": "mongodb://ada:sesame@h"}, "--mongo-host", "holds a user or a password"),
        ({"mongo_host": "http://h"}, "--mongo-host", "'http://h' is no URI of MongoDB"),
        ({"mongo_authsource": "a b"}, "--mongo-authsource", "is no name"),
        ({"mongo_tls_ca_file": "/nowhere"}, "/nowhere", "is no file: name the certificate"),
        ({"walltime": "00:00:00"}, "--walltime", "ends before it begins"),
        ({"walltime": "1:75:00"}, "--walltime", "'1:75:00' is no walltime"),
        ({"module": "vasp; touch x"}, "--module", "'vasp; touch x' is no name"),
        ({"account": "$(touch x)"}, "--account", "is no name"),
        ({"mongo_host": "a b"}, "--mongo-host", "is no name"),
        ({"mongo_host": ""}, "--mongo-host", "is no name"),
        ({"mongo_database": ""}, "--mongo-database", "is no name"),
        ({"account": ""}, "--account", "is no name"),
        ({"vasp_command": "srun 'vasp"}, "--vasp-command", "is no command"),
        ({"vasp_command": ""}, "--vasp-command", "is empty"),
        ({"password_variable": "MY-PASS"}, "--password-variable", "is no name of an environment"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_written(init, tmp_path, values, key, told):
    answer = init(**values)
    assert answer.status == 2
    assert key in answer.err
    assert told in answer.err
    assert "sesame" not in answer.err
    assert not (tmp_path / "cluster").exists()


def test_days_are_slurms_own(init):
    assert init(walltime="2-12:00:00").status == 0
    answer = init("pbs", output="other", walltime="2-12:00:00")
    assert answer.status == 2
    assert "is no walltime of PBS: write H:M:S" in answer.err
    assert init("pbs", output="third", partition="debug").status == 2


@pytest.mark.parametrize(
    ("walltime_", "scheduler", "seconds"),
    [
        ("1440", "SLURM", 86400),
        ("30:00", "SLURM", 1800),
        ("90:30", "SLURM", 5430),
        ("24:00:00", "SLURM", 86400),
        ("2-00", "SLURM", 172800),
        ("2-00:30", "SLURM", 174600),
        ("1-12:00:01", "SLURM", 129601),
        ("1440", "PBS", 1440),
        ("30:00", "PBS", 1800),
        ("100:00:00", "PBS", 360000),
    ],
)
def test_walltimes_are_what_the_queue_takes_them_for(tmp_path, walltime_, scheduler, seconds):
    """man sbatch, --time; unquoted in YAML too, which is no number of base 60 here."""
    assert walltime.seconds(walltime_, scheduler) == seconds
    file = tmp_path / "my_qadapter.yaml"
    queue = {"SLURM": "debug", "PBS": "workq"}[scheduler]
    text = f"_fw_name: CommonAdapter\n_fw_q_type: {scheduler}\nqueue: {queue}\n"
    file.write_text(f"{text}walltime: {walltime_}\nwalltime_s: {seconds}\nrocket_launch: rlaunch\n")
    walltime.check_adapter(file)
    assert str(CommonAdapter.from_file(str(file))["walltime"]) == walltime_


@pytest.mark.parametrize("word", ["UNLIMITED", "infinite", "2-00:00:00:00", "1:2:3:4", "-1", "2-"])
def test_no_walltime(word):
    for scheduler in ("SLURM", "PBS"):
        with pytest.raises(ValueError, match=r"no walltime|the end must be known"):
            walltime.seconds(word, scheduler)


def test_files_that_are_there_stay(init, tmp_path):
    init()
    path = tmp_path / "cluster" / "my_launchpad.yaml"
    path.write_text("mine")
    answer = init()
    assert answer.status == 2
    assert "exists already" in answer.err
    assert path.read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="needs bash")
def test_a_path_with_spaces_and_a_quote_is_read_by_shells(init, tmp_path):
    assert init(output="it's a cluster").status == 0
    folder = tmp_path / "it's a cluster"
    adapter = CommonAdapter.from_file(str(folder / "my_qadapter_small.yaml"))
    script = adapter.get_script_str(str(folder)).replace("exec ", "echo ran; printf '%s\\n' ")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert str(folder / "my_fworker_small.yaml") in done.stdout.splitlines()


def test_pbs_stops_its_run_before_the_walltime_ends(init, tmp_path):
    """What the script does, without PBS: it ends the run `grace` s before the end."""
    init("pbs", walltime="0:02:04")
    (tmp_path / "cluster" / "env.sh").write_text("")
    adapter = CommonAdapter.from_file(str(tmp_path / "cluster" / "my_qadapter.yaml"))
    (tmp_path / "rocket.sh").write_text(ROCKET)
    adapter["rocket_launch"] = "bash rocket.sh"
    script = adapter.get_script_str(str(tmp_path))
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert {*done.stdout.split()} == {"told"}  # timeout tells the run, and its group once more


def test_the_project_of_jobflow_remote_has_the_jobstore_of_the_other_files(init, tmp_path):
    init()
    written = YAML(typ="safe").load((tmp_path / "cluster" / "jobflow.yaml").read_text())
    text = files("vacancy_flows.fireworks_configs.jobflow_remote").joinpath("vacancy_flows.yaml")
    filled = re.sub(r"<(\w+)>", r"\1", text.read_text("utf-8"))
    project = YAML(typ="safe").load(filled)
    assert set(project["workers"]) == {"cluster", "login"}
    for name in ("docs_store", "additional_stores"):
        ours, theirs = (json.dumps(d[name]) for d in (written["JOB_STORE"], project["jobstore"]))
        for word in ("MongoStore", "GridFSStore", '"outputs"', '"outputs_blobs"'):
            assert (word in ours) == (word in theirs)
