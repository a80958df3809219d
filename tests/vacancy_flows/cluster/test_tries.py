"""Several tries of one calculation: which is the last, where it lies and which counts."""

import pytest

from vacancy_flows.cluster.standing import Standing, directories
from vacancy_flows.rawstore import best_documents


def test_an_earlier_try_lies_where_it_ran_last(place):
    """The 2nd try was sent to the queue again (6), and stopped (DEFUSED) before it began."""
    launches = [(5, 2, "FIZZLED"), (3, 1, "COMPLETED"), (6, 2, "READY"), (4, 9, "COMPLETED")]
    pad = place.open().launchpad
    for launch_id, fw_id, state in launches:
        launch = {"launch_id": launch_id, "fw_id": fw_id, "state": state}
        pad.launches.insert_one({**launch, "launch_dir": f"/{launch_id}"})
    fireworks = [
        {"fw_id": 2, "name": "u relax", "launches": []},
        {"fw_id": 1, "name": "u relax", "launches": [3]},
        {"fw_id": 3, "name": "u result", "launches": []},
    ]
    assert directories(pad, {"u": Standing(fireworks)}) == {"u": {"u relax": "/5"}}
    assert not directories(pad, {})


def test_the_last_try_with_settings_that_were_tried_before():
    """A, B and A again: the first is over, whatever became of it."""

    def firework(fw_id, algo, state, **spec):
        spec |= {"effort": {"ALGO": algo}}
        return {"fw_id": fw_id, "state": state, "spec": spec, "launches": [fw_id], "name": ""}

    tries = [
        firework(3, "B", "FIZZLED"),
        firework(1, "A", "FIZZLED", record=True),
        firework(7, "A", "READY"),
        firework(8, "A", "WAITING", record=True),
    ]
    standing = Standing(tries)
    assert [fw["fw_id"] for fw in standing.last] == [7, 8]
    assert (standing.record, standing.state, standing.failed) == (8, "waiting", [])


def document(converged, created, completed="2"):
    output = {"result": {"converged": converged}, "created": created}
    return {"metadata": {"uid": "u1"}, "output": output, "completed_at": completed}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (document(True, "2026-01-01"), document(False, "2026-02-01")),
        (document(False, "2026-02-01"), document(False, "2026-01-01", "3")),
        (document(False, "2026-01-01", "2"), document(False, "2026-01-01", "1")),
    ],
)
def test_of_two_tries_the_converged_counts_else_the_newest(better, worse):
    assert best_documents([better, worse]) == {"u1": better}
    assert best_documents([worse, better]) == {"u1": better}
