"""What processes leave on a LaunchPad that die in the middle of a word with it."""

# fixtures

import itertools
import multiprocessing
import time

import pytest
from fireworks import FWorker, LaunchPad

from vacancy_flows.cluster import launch as launch_module
from vacancy_flows.cluster import mending
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.queue import whoami
from vacancy_flows.cluster.retrying import retry_here
from vacancy_flows.cluster.submitting import submit_here

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(mending, "_LOCKED_S", 0.5)


def test_a_lock_says_whose_it_is(place, small, invented, monkeypatch, capsys):
    """It is opened when its owner is dead; or was silent for long, where that is not known."""
    submit_here(small(), place.launchpad)
    pad = place.open().launchpad

    def unlocked(lost_after=None, **process):
        lock = {"key": "k", "since": "2026-01-01T00:00:00+00:00", **whoami(), **process}
        pad.workflows.update_one({"name": "small P"}, {"$set": {"locked": lock}})
        retry_here(None, place.launchpad, lost_after)
        told = capsys.readouterr()
        assert ("is being changed by pid" in told.err) == ("0 workflows unlocked" in told.out)
        return "1 workflows unlocked" in told.out

    assert not unlocked(lost_after=0)  # this process
    child = multiprocessing.get_context("fork").Process(target=int)
    child.start()
    child.join()
    assert unlocked(pid=child.pid)
    assert unlocked(host="elsewhere")
    assert not unlocked(host="elsewhere", since="2999-01-01T00:00:00+00:00")
    for alive in (True, False):
        monkeypatch.setattr("vacancy_flows.cluster.queue.is_alive", lambda *_, a=alive: a)
        assert unlocked(queue="SLURM", job="1", cluster=None) is not alive


def test_a_lock_of_fireworks_own_that_changes_hands_stays(place, small, invented, monkeypatch):
    """Locked whenever it is looked at, by one after another."""
    submit_here(small(), place.launchpad)
    pad = place.open().launchpad
    pad.workflows.update_many({}, {"$set": {"locked": True}})
    busy, idle = [w["_id"] for w in pad.workflows.find({}, {"_id": 1})]

    def sleep(seconds):
        pad.workflows.update_one({"_id": busy}, {"$set": {"updated_on": f"change {next(ticks)}"}})
        original(seconds)

    ticks, original = itertools.count(), time.sleep
    monkeypatch.setattr(mending.time, "sleep", sleep)
    retry_here(None, place.launchpad)
    left = [w["_id"] for w in pad.workflows.find({"locked": {"$exists": True}}, {"_id": 1})]
    assert left == [busy]
    assert idle != busy


def test_who_loses_its_lock_does_not_open_that_of_another(place, small, invented):
    from fireworks.core.launchpad import WFLock

    submit_here(small(), place.launchpad)
    first, second = place.open().launchpad, place.open().launchpad
    (node,) = {w["nodes"][0] for w in place.workflows().values() if w["name"] == "small P"}
    with WFLock(first, node):
        first.workflows.update_one({"nodes": node}, {"$unset": {"locked": ""}})
        other = WFLock(second, node)
        other.__enter__()
    assert "locked" in place.workflows()["small P"]
    other.__exit__(None, None, None)
    assert "locked" not in place.workflows()["small P"]


def dead(work):
    """Do some work in another process, which ends."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()


def test_what_a_dead_process_reserved_is_ready_again(place, tiny, invented):
    submit_here(tiny, place.launchpad)

    def reserve():
        pad = place.open().launchpad
        change = {"$set": {"state": "RESERVED", "updated_on": "2026-01-01T00:00:00+00:00"}}
        pad.fireworks.find_one_and_update({"state": "READY"}, change)

    reserve()
    retry_here(None, place.launchpad)
    assert place.states()["RESERVED"] == 1, "this process may still want it"
    reserved = {"state": "RESERVED"}
    place.open().launchpad.fireworks.update_many(reserved, {"$set": {"state": "READY"}})
    dead(reserve)
    assert place.states()["RESERVED"] == 1
    retry_here(None, place.launchpad)
    assert place.states()["READY"] == 1


def test_a_launcher_that_dies_before_its_job_is_sent_leaves_nothing_reserved(place, tiny, invented):
    submit_here(tiny, place.launchpad)
    pad = place.open().launchpad
    _, launch_id = pad.reserve_fw(FWorker("test"), "/nowhere")
    retry_here(None, place.launchpad)
    assert place.states()["RESERVED"] == 1, "this process may still send it"
    pad.cancel_reservation(launch_id)
    dead(lambda: place.open().launchpad.reserve_fw(FWorker("test"), "/nowhere"))
    assert place.states()["RESERVED"] == 1
    retry_here(None, place.launchpad)
    assert place.states()["READY"] == 1


def test_who_is_told_to_stop_while_it_takes_a_run_leaves_it(place, tiny, invented, monkeypatch):
    submit_here(tiny, place.launchpad)
    pad, taken = place.open().launchpad, LaunchPad.checkout_fw

    def told(*args, **kwargs):
        found = taken(*args, **kwargs)
        monkeypatch.setattr(CampaignLaunchPad, "stopping", True)
        return found

    monkeypatch.setattr(LaunchPad, "checkout_fw", told)
    assert pad.checkout_fw(FWorker("test"), "/nowhere") == (None, None)
    assert place.states()["READY"] == 1
    assert not CampaignLaunchPad.running


@pytest.fixture
def told(monkeypatch):
    """SIGTERM, as it comes to a worker."""
    for name in ("stopping", "running", "noting"):
        monkeypatch.setattr(CampaignLaunchPad, name, False)
    monkeypatch.setattr(launch_module.signal, "signal", lambda *_: None)
    return launch_module._stop


def test_a_worker_that_only_waits_ends_when_told(place, tiny, invented, told):
    submit_here(tiny, place.launchpad)
    with pytest.raises(SystemExit) as end:
        told()
    assert end.value.code == 0
    with pytest.raises(SystemExit):
        place.open().launchpad.run_exists(FWorker("test"))


@pytest.mark.usefixtures("invented")
def test_who_is_told_to_stop_while_it_notes_an_end_notes_it(place, tiny, told, launch, monkeypatch):
    submit_here(tiny, place.launchpad)
    complete = LaunchPad.complete_launch

    def interrupted(*args, **kwargs):
        told()
        return complete(*args, **kwargs)

    monkeypatch.setattr(LaunchPad, "complete_launch", interrupted)
    with pytest.raises(SystemExit):
        launch(place)
    assert (place.states()["COMPLETED"], place.states()["RUNNING"]) == (1, 0)


def test_what_belongs_to_no_workflow_is_dropped(place, tiny, invented, launch):
    """A process died before it wrote the workflow."""
    submit_here(tiny, place.launchpad)
    pad = place.open().launchpad
    orphan = pad.fireworks.find_one({"spec.record": True}, {"_id": 0})
    pad.fireworks.insert_one({**orphan, "fw_id": 999})
    pad.workflows.update_many({}, {"$set": {"locked": {"since": "2999-01-01", **whoami()}}})
    retry_here(None, place.launchpad)
    assert place.fireworks(fw_id=999), "who holds the lock may be about to write it"
    pad.workflows.update_many({}, {"$unset": {"locked": ""}})
    retry_here(None, place.launchpad)
    assert not place.fireworks(fw_id=999)
    launch(place)
    place.check_whole()


def test_an_end_that_its_workflow_does_not_know_is_followed(place, tiny, invented, launch):
    """A process died after it wrote the Firework, before it wrote what follows."""
    submit_here(tiny, place.launchpad)
    launch(place, number=1)
    pad = place.open().launchpad
    (done,) = place.fireworks(state="COMPLETED")
    state = {"$set": {f"fw_states.{done['fw_id']}": "RUNNING"}}
    pad.workflows.update_one({"nodes": done["fw_id"]}, state)
    pad.fireworks.update_many({"state": "READY"}, {"$set": {"state": "WAITING"}})
    retry_here(None, place.launchpad)
    launch(place)
    place.check_whole()
