"""Answers of the server that are lost where a repeated command would find something else."""

# ruff: noqa: PLR0917  # fixtures

import itertools
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from fireworks import FWorker, LaunchPad
from fireworks.core.launchpad import WFLock
from pymongo.errors import AutoReconnect, OperationFailure

from vacancy_flows.cli import cli
from vacancy_flows.cluster import connection, patience, writing
from vacancy_flows.cluster.queue import whoami
from vacancy_flows.cluster.retrying import retry_here
from vacancy_flows.cluster.submitting import submit_here
from vacancy_flows.errors import InputError

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib"),
    pytest.mark.usefixtures("looked_for_at_once"),
]


@pytest.fixture
def lost(mongo):
    """Let the answer of the next command of a name be lost."""

    def arm(name, when="after"):
        def by(asked):
            if asked != name:
                return None
            mongo.double.interrupt = lambda _: None
            return when

        mongo.double.interrupt = by

    yield arm
    mongo.double.interrupt = lambda _: None


def test_a_reservation_is_cancelled_once(place, small, invented, lost):
    submit_here(small(), place.launchpad)
    pad = place.open().launchpad
    _, launch_id = pad.checkout_fw(FWorker("test"), "/nowhere", state="RESERVED")
    lost("findAndModify")
    pad.cancel_reservation(launch_id)
    (launch,) = pad.launches.find({"launch_id": launch_id})
    assert launch["state"] == "READY"
    assert set(place.states()) == {"READY", "WAITING"}


@pytest.mark.parametrize("dies", [False, True])
def test_what_is_released_becomes_ready(place, small, invented, lost, monkeypatch, dies):
    """Also where the answer was lost, or where the process died, before its workflow knew."""
    submit_here(small(), place.launchpad)
    pad = place.open().launchpad
    ready = place.states()["READY"]
    taken = {"state": "RESERVED", "updated_on": "2026-01-01T00:00:00+00:00"}
    taken[patience.MARK] = {**whoami(), "host": "elsewhere"}
    pad.fireworks.update_one({"state": "READY"}, {"$set": taken})
    if dies:
        with monkeypatch.context() as patch:
            patch.setattr(LaunchPad, "_refresh_wf", Mock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                retry_here(None, place.launchpad, lost_after=0)
    else:
        lost("update")
    retry_here(None, place.launchpad, lost_after=0)
    assert place.states()["READY"] == ready


@pytest.mark.parametrize("when", ["before", "after", "forgotten"])
def test_a_long_answer_that_breaks_off(place, mongo, lost, monkeypatch, when):
    """A real server answers with 101 documents first."""
    monkeypatch.setattr("mongo_double.commands._BATCH", 1)
    pad = place.open().launchpad
    pad.fireworks.insert_many([{"fw_id": n} for n in range(5)])
    if when == "forgotten":  # by a server that was started again
        found = pad.fireworks.find({})
        first = next(found)
        monkeypatch.setattr(mongo.double._commands, "_getMore", forget_once(mongo.double))
        assert [first, *found] == list(pad.fireworks.find({}))
        return
    lost("getMore", when)
    assert [fw["fw_id"] for fw in pad.fireworks.find({})] == list(range(5))
    lost("getMore", when)
    with pytest.raises(AutoReconnect):  # rather than a part of it
        list(pad.fireworks.find({}, {"_id": 0}))


def forget_once(double):
    answer = double._commands._getMore
    left = [OperationFailure("cursor id 1 not found", 43)]

    def more(*args):
        if left:
            raise left.pop()
        return answer(*args)

    return more


GONE_AT = {"submit": 12, "status": 4, "retry": 4, "collect": 4}  # command, of some that it sends


@pytest.mark.parametrize("command", GONE_AT)
def test_a_server_that_does_not_come_back(
    place, small, invented, mongo, command, tmp_path, monkeypatch
):
    submit_here(small(), place.launchpad)
    spec = small(name="other") if command == "submit" else small()
    count = itertools.count(1)

    def gone(_):
        if next(count) == GONE_AT[command]:
            mongo.double.stop()
            return "before"
        return None

    arguments = [command, str(spec), "--launchpad", str(place.launchpad)]
    arguments += ["-d", str(tmp_path / "out")] if command == "collect" else []
    mongo.double.interrupt = gone
    try:
        with monkeypatch.context() as patch:
            patch.setattr(connection, "_WAIT_MS", 1000)
            answer = CliRunner().invoke(cli, arguments)
    finally:
        mongo.double.interrupt = lambda _: None
        mongo.double.start()
    assert isinstance(answer.exception, InputError)
    assert "is gone (127.0.0.1" in str(answer.exception)
    assert str(answer.exception).endswith("nothing is added or stored twice")
    monkeypatch.setattr(writing, "is_dead", lambda *_: True)  # the process of that command
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    assert set(place.uids().values()) == {1}


def test_a_workflow_whose_lock_stays(place, small, invented, monkeypatch):
    """`submit` adds a step below a host of another campaign, whose owner died with the lock."""
    submit_here(small(), place.launchpad)
    place.open().launchpad.workflows.update_many({}, {"$set": {"locked": {"pid": 1}}})
    monkeypatch.setattr(WFLock.__init__, "__defaults__", (0.05, False))
    with pytest.raises(InputError, match=r"locked by another process.*vacancy-flows retry"):
        submit_here(small(name="other"), place.launchpad)


@pytest.mark.parametrize(
    ("holder", "minutes", "opened"),
    [
        ({}, 60, False),  # this process, which adds much to a slow server
        ({"host": "elsewhere"}, 60, True),
        ({"host": "elsewhere"}, 5, False),
        ({"pid": 2**22 + 1}, 0, True),  # no pid of Linux
    ],
)
def test_whose_right_to_add_ends(place, holder, minutes, opened):
    pad = place.open().launchpad
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=minutes)
    held = {"_id": "adding", "key": "k", "since": since, **whoami(), **holder}
    pad.db["vacancy_flows_locks"].insert_one(held)
    expected = nullcontext() if opened else pytest.raises(InputError, match="another process adds")
    with expected, writing.OneAtATime(pad, patience=0.05):
        pass
    assert (pad.db["vacancy_flows_locks"].find_one({}) is None) == opened
