"""What is wrong with a LaunchPad or JobStore is told in one message, before anything is added."""

import json
import os
import re
import subprocess
import sys

import pytest

from vacancy_flows.cluster.launchpad import CampaignLaunchPad, secret
from vacancy_flows.cluster.walltime import check_adapter
from vacancy_flows.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    from vacancy_flows.cluster import connection

    monkeypatch.setattr(connection, "_WAIT_MS", 300)


def refused(command, place, spec, *told):
    """Every command says the same and ends with 2."""
    for words in (["submit", spec], ["status", spec], ["retry"], ["collect", "-d", "out"]):
        answer = command(*words, "--launchpad", place.launchpad)
        assert answer.status == 2, answer.err
        assert len(answer.err.strip().splitlines()) == 1, answer.err
        for text in told:
            assert text in answer.err


def free_port():
    from free_ports import free_ports

    return free_ports(1)[0]


def test_a_launchpad_that_does_not_answer(place, small, command):
    text = place.launchpad.read_text()
    place.launchpad.write_text(text.replace(text.split()[3], str(free_port())))
    refused(command, place, small(), "my_launchpad.yaml", "LaunchPad does not answer", "check host")


def test_a_jobstore_that_does_not_answer(place, small, command, mongo):
    file = place.folder / "jobflow.yaml"
    file.write_text(file.read_text().replace(f"port: {mongo.port}", f"port: {free_port()}"))
    refused(command, place, small(), "jobflow.yaml", "JobStore does not answer")


def test_a_store_of_large_data_that_does_not_answer(place, small, command, mongo):
    file = place.folder / "jobflow.yaml"
    before, data = file.read_text().split("additional_stores")
    data = data.replace(f"port: {mongo.port}", f"port: {free_port()}")
    file.write_text(f"{before}additional_stores{data}")
    refused(command, place, small(), "jobflow.yaml", "JobStore does not answer")
    file.write_text(f"{before.replace(str(mongo.port), repr('many'))}")
    refused(command, place, small(), "jobflow.yaml", "is no JobStore that can be connected to")


def test_a_jobstore_that_forgets(place, small, command):
    file = place.folder / "jobflow.yaml"
    file.write_text("JOB_STORE: {docs_store: {type: MemoryStore}}")
    answer = command("submit", small(), "--launchpad", place.launchpad)
    assert answer.status == 2
    assert "jobflow.yaml: JOB_STORE.docs_store.type: MemoryStore forgets" in answer.err
    assert not place.open().launchpad.db.vacancy_flows_campaigns.find_one()


def test_a_wrong_password(place, small, command, monkeypatch, mongo):
    monkeypatch.setenv("MY_PASSWORD", "wrong")
    with place.launchpad.open("a") as file:
        file.write("username: ada\npassword: $MY_PASSWORD\n")
    refused(command, place, small(), "LaunchPad refuses user or password")
    monkeypatch.delenv("MY_PASSWORD")
    refused(command, place, small(), "password: the environment variable MY_PASSWORD is not set")


def test_a_password_in_a_file(place, small, command):
    with place.launchpad.open("a") as file:
        file.write("username: ada\npassword: sesame\n")
    refused(command, place, small(), "write the name of an environment variable instead")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("host: [", "is no YAML"),
        ("- host", "holds no keys and values"),
        ("port: 1", "names no host"),
        ("host: null", "names no host"),
        ("host: a\nport: many", "is no LaunchPad"),
    ],
)
def test_a_file_that_is_no_launchpad(place, small, command, text, told):
    place.launchpad.write_text(text)
    refused(command, place, small(), "my_launchpad.yaml", told)


def test_no_file_at_all(place, small, command, monkeypatch):
    place.launchpad.unlink()
    refused(command, place, small(), "my_launchpad.yaml: cannot be read")
    for given in (None, 5):
        monkeypatch.setattr("fireworks.fw_config.LAUNCHPAD_LOC", given)
        answer = command("status")
        assert answer.status == 2
        assert "--launchpad: no LaunchPad is configured" in answer.err


@pytest.mark.parametrize("name", ["FW", "JOBFLOW", "ATOMATE2"])
def test_a_configuration_that_others_cannot_read(name, tmp_path):
    """They do so when they are imported."""
    file = tmp_path / "config.yaml"
    file.write_text("[1")
    words = [sys.executable, "-c", "from vacancy_flows.cli import main; main()", "status"]
    environment = {**os.environ, f"{name}_CONFIG_FILE": str(file)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"vacancy-flows: {file}: is no configuration of ")
    assert len(done.stderr.splitlines()) == 1


def test_a_jobstore_without_room_for_what_vasp_gives(place, small, command):
    file = place.folder / "jobflow.yaml"
    file.write_text(file.read_text().split("  additional_stores")[0])
    spec = small(engine="vasp", relax={})
    answer = command("submit", spec, "--launchpad", place.launchpad)
    assert answer.status == 2
    assert "has no additional store `data`" in answer.err
    assert not place.fireworks()


def test_check_asks_the_launchpad_and_writes_nothing(place, command, monkeypatch):
    def asked():
        (line,) = [s for s in command("check").out.splitlines() if "LaunchPad" in s]
        return line

    monkeypatch.setattr("fireworks.fw_config.LAUNCHPAD_LOC", str(place.launchpad))
    assert asked().startswith("yes")
    pad = CampaignLaunchPad.from_file(str(place.launchpad))
    assert not pad.db.list_collection_names()
    text = place.launchpad.read_text()
    place.launchpad.write_text(text.replace(text.split()[3], str(free_port())))
    assert re.match("no .*does not answer", asked())
    monkeypatch.setattr("fireworks.fw_config.LAUNCHPAD_LOC", None)
    assert re.match("no .*no LaunchPad is configured", asked())


def test_a_campaign_that_was_not_submitted(place, small, command):
    answer = command("status", small(), "--launchpad", place.launchpad)
    assert answer.status == 2
    assert "campaign 'small' was not submitted" in answer.err


def test_collect_reads_every_campaign_before_it_makes_a_folder(place, small, command, tmp_path):
    command("submit", small(), "--launchpad", place.launchpad)
    out, wrong = tmp_path / "out", small("wrong.yaml", engine="chgnett")
    answer = command("collect", wrong, "-d", out, "--launchpad", place.launchpad)
    assert answer.status == 2
    assert "wrong.yaml: engine" in answer.err
    assert not out.exists()


def test_a_campaign_that_changed_since(place, small, command, tools):
    command("submit", small(), "--launchpad", place.launchpad)
    changed = small(relax={"fmax": 0.2})
    answer = command("status", changed, "--launchpad", place.launchpad)
    assert answer.status == 2
    assert "has changed since it was submitted" in answer.err


def test_an_adapter_of_the_users_own_hand(tmp_path, monkeypatch):
    known = {"SLURM": ("partition", lambda: {"debug"})}
    monkeypatch.setattr("vacancy_flows.cluster.walltime._QUEUES", known)
    file = tmp_path / "my_qadapter.yaml"
    for queue, walltime, told in (
        ("nowhere", "1:00:00", "there is no partition 'nowhere'"),
        ("debug", "1 day", "'1 day' is no walltime"),
        ("nowhere", None, "there is no partition 'nowhere'"),
        (None, "1 day", "'1 day' is no walltime"),
    ):
        given = {"_fw_q_type": "SLURM", "queue": queue, "walltime": walltime}
        file.write_text(json.dumps(given))
        with pytest.raises(InputError, match=told):
            check_adapter(file)
    file.write_text("_fw_q_type: SLURM\nqueue: debug\nwalltime: '1:00:00'\n")
    check_adapter(file)


def test_submit_looks_at_the_adapter_beside_the_launchpad(place, small, command):
    (place.folder / "my_qadapter.yaml").write_text(
        "_fw_q_type: SLURM\nqueue: debug\nwalltime: 1 day\n"
    )
    answer = command("submit", small(), "--launchpad", place.launchpad)
    assert answer.status == 2
    assert "my_qadapter.yaml: walltime: '1 day' is no walltime of SLURM" in answer.err
    assert not place.fireworks()


@pytest.mark.parametrize("password", ["$up3r.secret!", "1234", "$", "hunter2"])
def test_no_part_of_a_password_is_printed(password):
    given = int(password) if password.isdigit() else password
    with pytest.raises(InputError, match="holds a password") as caught:
        secret(given)
    assert password.strip("$") == "" or password.strip("$") not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("walltime: '00:02:00'\ngrace: 120", "walltime: '00:02:00' is not longer than grace"),
        ("walltime: '00:10:00'\nwalltime_s: 60", "walltime_s: 60 is not walltime '00:10:00' in s"),
    ],
)
def test_a_job_that_could_not_be_told_to_stop(tmp_path, lines, told):
    file = tmp_path / "my_qadapter.yaml"
    file.write_text(f"_fw_q_type: PBS\nqueue: workq\n{lines}\n")
    with pytest.raises(InputError, match=re.escape(told)):
        check_adapter(file)


def test_what_is_no_configuration(place, small, command):
    text = place.launchpad.read_text()
    place.launchpad.write_text(text + "mongoclient_kwargs: [1]\n")
    refused(command, place, small(), "mongoclient_kwargs: must hold keys and values")
