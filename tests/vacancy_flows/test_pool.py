"""Worker processes that die: who is blamed, and what runs beside a suspect. No process runs."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest

from vacancy_flows import pool as module
from vacancy_flows.pool import Workers
from vacancy_flows.worker import Outcome


class Pool:
    """An executor whose futures are ended by hand."""

    made = ()

    def __init__(self, *_, **__):
        self.futures, self.dead, self.shut = {}, False, False
        Pool.made = (*Pool.made, self)

    def submit(self, _, calculation, engine, work=None):
        assert not self.shut
        if self.dead:
            raise BrokenProcessPool
        future = self.futures[calculation.uid] = Future()
        future.set_running_or_notify_cancel()
        return future

    def shutdown(self, **_):
        self.shut = True

    def end(self, uid):
        self.futures[uid].set_result(Outcome(uid))

    def die(self, *seen):
        """Break; futures named in ``seen`` know at once, the others when `tell` is called."""
        self.dead = True
        self.tell(*seen)

    def tell(self, *uids):
        for uid in uids:
            self.futures[uid].set_exception(BrokenProcessPool())


@pytest.fixture
def workers(monkeypatch):
    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(module, "single_thread", lambda: None)
    monkeypatch.setattr(Pool, "made", ())
    return Workers(SimpleNamespace(name="none"), 3)


def calculations(*uids):
    return [SimpleNamespace(uid=uid) for uid in uids]


def start(workers, *uids):
    for calculation in calculations(*uids):
        assert workers.free > 0
        workers.start(calculation)


def running():
    """uids in living pools that are not finished."""
    futures = [item for pool in Pool.made if not pool.dead for item in pool.futures.items()]
    return sorted(uid for uid, future in futures if not future.done())


def turn(workers, monkeypatch, then):
    """Let ``then`` happen while `finished` waits, and return what it yields."""
    wait = module.wait

    def waiting(futures, **how):
        then()
        return wait(futures, timeout=5, **how)

    with monkeypatch.context() as patch:
        patch.setattr(module, "wait", waiting)
        return list(workers.finished())


def test_suspects_are_tried_one_by_one_with_nothing_beside_them(workers, monkeypatch):
    start(workers, "a", "b", "c")
    Pool.made[0].die("a", "b", "c")
    assert list(workers.finished()) == []
    assert workers.free == 0
    tried = []
    for _ in range(3):

        def end():
            assert workers.free == 0  # above all beside the last one
            (uid,) = running()
            tried.append(uid)
            Pool.made[-1].end(uid)

        (outcome,) = turn(workers, monkeypatch, end)
        assert outcome.error is None
    assert sorted(tried) == ["a", "b", "c"]
    assert workers.free == 3
    assert not workers.busy
    assert len(Pool.made) == 2


def test_the_guilty_is_named_and_the_innocent_finish(workers, monkeypatch):
    start(workers, "a", "b")
    Pool.made[0].die("a", "b")
    assert list(workers.finished()) == []
    errors = {}
    while workers.busy:

        def end():
            (uid,) = running()
            if uid == "a":
                Pool.made[-1].die("a")
            else:
                Pool.made[-1].end(uid)

        for outcome in turn(workers, monkeypatch, end):
            errors[outcome.uid] = outcome.error
    assert errors["b"] is None
    assert "died 2 times" in errors["a"]
    assert workers.free == 3


def test_a_fresh_pool_is_not_shut_down_for_a_dead_one(workers, monkeypatch):
    start(workers, "a", "b")
    Pool.made[0].die("a")  # b will be told later
    start(workers, "c")  # finds the pool dead and takes a fresh one
    dead, fresh = Pool.made
    assert dead.shut
    assert list(workers.finished()) == []  # a is a suspect
    assert not fresh.shut
    assert turn(workers, monkeypatch, lambda: dead.tell("b")) == []
    assert not fresh.shut
    assert workers.free == 0
    assert running() == ["c"]
    (outcome,) = turn(workers, monkeypatch, lambda: fresh.end("c"))
    assert (outcome.uid, outcome.error) == ("c", None)
    for _ in range(2):
        (outcome,) = turn(workers, monkeypatch, lambda: fresh.end(*running()))
        assert outcome.error is None
    assert Pool.made == (dead, fresh)
    assert not workers.busy


def test_futures_of_one_dead_pool_make_one_fresh_pool(workers, monkeypatch):
    start(workers, "a", "b", "c")
    dead = Pool.made[0]
    for uid in "abc":  # seen one after the other
        dead.dead = True
        assert turn(workers, monkeypatch, lambda uid=uid: dead.tell(uid)) == []
    while workers.busy:
        turn(workers, monkeypatch, lambda: Pool.made[-1].end(*running()))
    assert len(Pool.made) == 2


def test_other_errors_are_told_and_no_death(workers):
    start(workers, "a", "b")
    Pool.made[0].futures["a"].set_exception(ValueError("cannot pickle"))
    (outcome,) = workers.finished()
    assert outcome.error == "could not be returned: cannot pickle"
    assert workers.free == 2
    assert not Pool.made[0].shut
