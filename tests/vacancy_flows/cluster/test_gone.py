"""A server that is gone in the middle of anything, and processes that die there."""

# ruff: noqa: PLR0917  # fixtures

import itertools
import multiprocessing
import os
import random
import signal
import threading
from contextlib import contextmanager

import pytest
from pymongo.errors import AutoReconnect

from vacancy_flows.cluster import mending, patience
from vacancy_flows.cluster.connection import Cluster
from vacancy_flows.cluster.retrying import retry_here
from vacancy_flows.cluster.submitting import submit_here

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


@pytest.fixture(autouse=True)
def quickly(monkeypatch, looked_for_at_once):
    monkeypatch.setattr(mending, "_LOCKED_S", 0.5)


@contextmanager
def interrupted(double, by):
    """Ask ``by`` for each command what happens to it; the number of commands so far."""
    count = itertools.count(1)
    double.interrupt = lambda name: by(next(count), name)
    try:
        yield
    finally:
        double.interrupt = lambda _: None


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
    place.check_whole()
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
    place.check_whole()
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
    place.check_whole()


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
        place.check_whole()
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


def test_large_data_are_stored_wherever_the_connection_breaks(place, mongo):
    store = place.open().store
    document = {"uuid": "u", "index": 1, "output": {"big": ["x" * 1000] * 1000}}
    for at in range(1, 15):
        with interrupted(mongo.double, lambda n, _, at=at: "after" if n == at else None):
            store.update(document, save={"data": "big"})
            assert store.get_output("u", load=True) == document["output"]
    assert store.count() == 1
