"""A server that is gone in the middle of anything, and processes that die there."""

# ruff: noqa: PLR0917  # fixtures

import itertools
import multiprocessing
import os
import random
import signal
import threading
import time
from contextlib import contextmanager

import pytest
from pymongo.errors import AutoReconnect

from vacancy_flows.cluster import mending, patience
from vacancy_flows.cluster.connection import Cluster
from vacancy_flows.cluster.queue import whoami
from vacancy_flows.cluster.retrying import retry_here
from vacancy_flows.cluster.submitting import submit_here

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


@pytest.fixture(autouse=True)
def quickly(monkeypatch, mongo):
    """The server is looked for again at once."""
    if mongo.double is None:
        pytest.skip("a real server is not interrupted")
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.01)
    monkeypatch.setattr(patience, "_PAUSE", (0.001, 0.01))
    monkeypatch.setattr(mending, "_LOCKED_S", 0.5)


@pytest.fixture
def tiny(small, tools):
    """Write a campaign of four calculations: a host, a strained cell, two vacancies."""
    host = {**tools.strained, "strain": {"mode": "biaxial-ab", "values": [0.02]}}
    return small(hosts=[host], oxygen_reference={"scheme": "user", "mu_o": -1.92})


@contextmanager
def interrupted(double, by):
    """Ask ``by`` for each command what happens to it; the number of commands so far."""
    count = itertools.count(1)
    double.interrupt = lambda name: by(next(count), name)
    try:
        yield
    finally:
        double.interrupt = lambda _: None


def check_whole(place, number=4):
    """Everything is done, once; nothing is left over."""
    cluster = place.open()
    failed = [
        cluster.launchpad.get_fw_by_id(fw["fw_id"]) for fw in place.fireworks(state="FIZZLED")
    ]
    assert not failed, failed[0].launches[-1].action
    assert set(place.states()) == {"COMPLETED"}, place.states()
    assert set(place.uids().values()) == {1}
    assert len(place.uids()) == number
    records = cluster.store.query({"metadata.record": True}, ["metadata.uid"])
    assert sorted(r["metadata"]["uid"] for r in records) == sorted(place.uids())
    workflows = list(cluster.launchpad.workflows.find())
    nodes = [node for workflow in workflows for node in workflow["nodes"]]
    assert sorted(nodes) == sorted(fw["fw_id"] for fw in place.fireworks())
    assert not any("locked" in workflow for workflow in workflows)


@pytest.mark.parametrize("offset", [0, 1, 2])
@pytest.mark.parametrize("turn", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_every_third_command_breaks_the_connection(
    place, tiny, invented, launch, mongo, offset, turn
):
    """In three runs every command, before it is carried out or before it is answered."""
    broken = []

    def breaks(number, name):
        if number % 3 == offset:
            broken.append(name)
            return ("before", "after")[(len(broken) + turn) % 2]
        return None

    with interrupted(mongo.double, breaks):
        assert submit_here(tiny, place.launchpad) == 0
        launch(place)
    assert len(broken) > 100
    check_whole(place)
    assert len(invented.relaxed) == 4, "nothing was calculated twice"


def test_a_server_that_is_gone_for_a_while(place, tiny, invented, launch, mongo):
    """Nobody answers, for some tenths of a second here; docs/cluster.md says five minutes."""
    submit_here(tiny, place.launchpad)

    def gone(number, _):
        if number % 40 == 0:
            mongo.double.stop()
            threading.Timer(0.3, mongo.double.start).start()
            return "before"
        return None

    with interrupted(mongo.double, gone):
        launch(place)
    check_whole(place)
    assert len(invented.relaxed) == 4


def test_patience_ends():
    def broken():
        raise AutoReconnect("gone")

    with pytest.raises(AutoReconnect, match="gone"):
        patience.patiently(broken, 0.05)


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 10))]
)
def test_a_process_that_is_killed_again_and_again(place, tiny, invented, launch, mongo, seed):
    """At any command; `retry` mends what it leaves, and all is done once in the end."""
    submit_here(tiny, place.launchpad)
    dice, kills = random.Random(seed), 0  # noqa: S311
    for _ in range(60):
        last, when = dice.randint(10, 100), dice.choice(["before", "after"])
        kills += killed(mongo.double, lambda: launch(place), last, when)
        retry_here(None, place.launchpad, lost_after=0)
        if set(place.states()) == {"COMPLETED"} and len(place.uids()) == 4:
            break
    assert kills > 5
    check_whole(place)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_is_killed_at_each_of_its_commands(
    new_place, tiny, invented, launch, mongo, when
):
    """One after the other, each time once; a quarter of an hour."""
    for number in itertools.count(1):
        place = new_place(f"killed-at-{number}")
        submit_here(tiny, place.launchpad)
        if not killed(mongo.double, lambda place=place: launch(place), number, when):
            break
        retry_here(None, place.launchpad, lost_after=0)
        launch(place)
        check_whole(place)
    assert number > 200


def killed(double, work, last, when):
    """Do some work in another process that is killed at one of its commands; whether it was."""
    ready = threading.Event()

    def kill(number, _):
        if number < last:
            return None
        ready.wait()
        os.kill(process.pid, signal.SIGKILL)
        return when

    process = multiprocessing.get_context("fork").Process(target=work)
    with interrupted(double, kill):
        process.start()
        ready.set()
        process.join()
    return process.exitcode == -signal.SIGKILL


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


def test_first_submits_at_the_same_time(new_place, small, invented):
    """Neither wipes what the other one has added, however they meet."""
    from vacancy_flows.cluster.connection import open_cluster

    spec = small()
    for round_ in range(5):
        place = new_place(f"round{round_}")
        meet = threading.Barrier(3)

        def one(place=place, meet=meet):
            meet.wait()
            submit_here(spec, place.launchpad)

        threads = [threading.Thread(target=one) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(place.uids().values()) == {1}
        assert len(place.uids()) == 4
        assert place.open().launchpad.fw_id_assigner.count_documents({}) == 1
    assert isinstance(open_cluster(place.launchpad), Cluster)


def test_who_saw_an_empty_launchpad_before_another_one_used_it(place, small, invented, monkeypatch):
    from vacancy_flows.cluster import connection

    late = place.open().launchpad
    submit_here(small(), place.launchpad)
    before = place.states()
    for collection in (late.fireworks, late.fw_id_assigner):
        monkeypatch.setattr(collection, "find_one", lambda *_: None)
    connection._prepare(late)
    assert place.states() == before
    counter = place.open().launchpad.fw_id_assigner.find_one({})
    assert counter["next_fw_id"] > max(fw["fw_id"] for fw in place.fireworks())


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
    check_whole(place)


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
    check_whole(place)


def test_large_data_are_stored_wherever_the_connection_breaks(place, mongo):
    store = place.open().store
    document = {"uuid": "u", "index": 1, "output": {"big": ["x" * 1000] * 1000}}
    for at in range(1, 15):
        with interrupted(mongo.double, lambda n, _, at=at: "after" if n == at else None):
            store.update(document, save={"data": "big"})
            assert store.get_output("u", load=True) == document["output"]
    assert store.count() == 1
