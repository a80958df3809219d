"""status, retry, collect: what failed is told, runs again, and is stored once."""

# ruff: noqa: PLR0917  # fixtures

import re
import subprocess
import threading
import time

import pytest
from monty.json import MontyDecoder
from pymongo.collection import Collection

from vacancy_flows.cluster import mending, queue, retrying
from vacancy_flows.cluster.collecting import collect_here
from vacancy_flows.cluster.launchpad import CampaignLaunchPad
from vacancy_flows.cluster.retrying import retry_here
from vacancy_flows.cluster.status import status_here
from vacancy_flows.cluster.submitting import submit_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.lock import WriterLock
from vacancy_flows.rawstore import RawStore

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")

VACANCY = "Li4Mn2O5"


def rows_of(text):
    """The numbers of each row of a status table, in which everything converged."""
    lines = [line for line in text.splitlines() if re.search(r"(\s+\d+){5}$", line)]
    assert all(line.endswith(" 0") for line in lines)
    return {" ".join(line.split()[:-5]): line.split()[-5:-1] for line in lines}


def uids_of(directory):
    """What is stored, once each, as rows and as raw documents."""
    database = ResultsDatabase(directory / "results.db")
    raw = RawStore(directory)
    documents = raw.store.docs_store.query({"metadata.record": True}, ["metadata"])
    uids = sorted(document["metadata"]["uid"] for document in documents)
    raw.close()
    assert uids == sorted(record.uid for record in database.records())
    return set(uids)


def test_status_counts_by_host_and_strain(place, small, tools, invented, launch, capsys):
    spec = small(hosts=tools.small["hosts"])
    submit_here(spec, place.launchpad)
    capsys.readouterr()
    assert status_here(spec, place.launchpad) == 0
    rows = rows_of(capsys.readouterr().out)
    assert rows["oxygen references"] == ["3", "0", "0", "0"]
    assert rows["P relaxation, orderings"] == ["1", "0", "0", "0"]
    assert rows["P unstrained"] == ["0", "0", "0", "0"]
    assert rows["all"] == ["7", "0", "0", "0"]
    launch(place)
    assert status_here(spec, place.launchpad) == 0
    assert rows_of(capsys.readouterr().out) == {
        "oxygen references": ["0", "0", "3", "0"],
        "P relaxation, orderings": ["0", "0", "1", "0"],
        "P unstrained": ["0", "0", "3", "0"],
        "P biaxial-ab +2 %": ["0", "0", "3", "0"],
        "D relaxation, orderings": ["0", "0", "3", "0"],
        "D unstrained": ["0", "0", "4", "0"],
        "all": ["0", "0", "17", "0"],
    }


@pytest.fixture
def questions(monkeypatch):
    """What was asked of a database; looked at where thousands of failures must not cost more."""
    asked = []
    find = Collection.find

    def counted(self, *args, **kwargs):
        asked.append(self.name)
        return find(self, *args, **kwargs)

    monkeypatch.setattr(Collection, "find", counted)
    return asked


def test_a_failure_is_told_runs_again_and_is_collected(
    place, small, invented, launch, tmp_path, capsys, quick, questions
):
    spec, out = small(), tmp_path / "out"
    submit_here(spec, place.launchpad)
    failing = iter([True] * 3)
    invented.fail = lambda formula: formula == VACANCY and next(failing, False)
    launch(place)
    capsys.readouterr()
    questions.clear()
    assert status_here(spec, place.launchpad) == 1
    for name in ("launches", "fireworks", "outputs", "vacancy_flows_calculations"):
        assert questions.count(name) <= 2
    lines = [s for s in capsys.readouterr().out.splitlines() if s.startswith("FAILED")]
    assert len(lines) == 3
    assert all(re.match(r"FAILED vacancy P .* O-\w+-1: invented failure \(in /", s) for s in lines)

    assert collect_here(out, spec, [place.launchpad]) == 1
    problems = [s for s in capsys.readouterr().err.splitlines() if s.startswith("PROBLEM")]
    assert len(problems) == 3
    assert all("invented failure" in problem for problem in problems)
    assert len(uids_of(out)) == 3 + 1 + 2 + 1

    assert retry_here(spec, place.launchpad) == 0
    assert "3 runs start again, 0 of them were lost" in capsys.readouterr().out
    launch(place)
    assert status_here(spec, place.launchpad) == 0
    assert collect_here(out, spec, [place.launchpad]) == 0
    assert "3 collected, 0 not finished yet" in capsys.readouterr().err
    assert len(uids_of(out)) == 10
    assert len(invented.relaxed) == 10 + 3


def test_two_retries_at_once_start_each_run_once(place, small, invented, launch, monkeypatch):
    """The second begins while the first has looked and not yet written; then the runs end."""
    spec = small()
    failing = iter([True] * 3)
    invented.fail = lambda formula: formula == VACANCY and next(failing, False)
    submit_here(spec, place.launchpad)
    launch(place)
    pad, rerun = place.open().launchpad, CampaignLaunchPad.rerun_fw
    second = threading.Thread(target=retry_here, args=(spec, place.launchpad))
    counted = []

    def slowly(self, fw_id, *args, **kwargs):
        if not second.ident:
            second.start()
            time.sleep(0.5)
        counted.append(fw_id)
        found = rerun(self, fw_id, *args, **kwargs)
        pad.fireworks.update_one({"fw_id": fw_id}, {"$set": {"state": "RUNNING"}})
        return found

    monkeypatch.setattr(CampaignLaunchPad, "rerun_fw", slowly)
    assert retry_here(spec, place.launchpad) == 0
    second.join(60)
    assert len(counted) == len(set(counted)) == 3


def test_collect_again_and_again_while_it_runs(
    place, small, invented, launch, tmp_path, capsys, quick
):
    spec, out = small(), tmp_path / "out"
    submit_here(spec, place.launchpad)
    seen = set()
    for number in (5, 10, 0):
        launch(place, number)
        assert collect_here(out, spec, [place.launchpad]) == 0
        assert seen < uids_of(out)
        seen = uids_of(out)
        assert collect_here(out, spec, [place.launchpad]) == 0
        assert "0 collected" in capsys.readouterr().err
    assert len(seen) == 10


def test_orderings_of_which_one_failed_are_ranked_and_again_after_retry(
    place, new_place, small, tools, invented, launch, tmp_path, quick
):
    """The one that failed is the lowest: its retry changes what is chosen."""
    spec, out = small(hosts=[tools.small["hosts"][1]]), tmp_path / "out"
    undisturbed = new_place("undisturbed")
    submit_here(spec, undisturbed.launchpad)
    launch(undisturbed)
    wanted = set(undisturbed.uids())
    (chosen,) = records(undisturbed, "pristine")
    lowest = chosen.calculation.parent_uid

    submit_here(spec, place.launchpad)
    failing = {fw["fw_id"] for fw in place.fireworks(**{"spec.uid": lowest})}
    invented.fail = lambda _: True
    launch(place, number=1, fw_id=min(failing))
    invented.fail = lambda _: False
    launch(place)
    assert status_here(spec, place.launchpad) == 1
    others = set(place.uids()) - wanted
    assert others, "another ordering was taken meanwhile"
    assert collect_here(out, spec, [place.launchpad]) == 1
    assert others <= uids_of(out)

    retry_here(spec, place.launchpad)
    launch(place)
    assert wanted <= set(place.uids())
    assert collect_here(out, spec, [place.launchpad]) == 0
    table = ResultsDatabase(out / "results.db").table()
    shown = {row.uid for row in table.itertuples() if row.uses}
    assert shown == wanted


def records(place, kind):
    """The records of a kind in a JobStore."""
    documents = place.open().store.query({"metadata.record": True, "metadata.kind": kind})
    return [MontyDecoder().process_decoded(document["output"]) for document in documents]


def test_two_launchpads_of_two_users(new_place, small, tools, invented, launch, tmp_path, quick):
    first, second, out = new_place("a"), new_place("b"), tmp_path / "out"
    one = small("a.yaml", name="a", hosts=[tools.strained])
    two = small("b.yaml", name="b", hosts=tools.small["hosts"])
    submit_here(one, first.launchpad)
    submit_here(two, second.launchpad)
    launch(first)
    launch(second)
    assert len(invented.relaxed) == 10 + 17
    assert collect_here(out, None, [first.launchpad, second.launchpad]) == 0
    assert uids_of(out) == set(second.uids())
    table = ResultsDatabase(out / "results.db").table()
    shared = table[table.uid.isin(list(first.uids()))]
    assert all({use.campaign for use in uses} == {"a", "b"} for uses in shared.uses)


def test_two_collects_at_once(place, small, invented, launch, tmp_path, command, quick):
    spec, out = small(), tmp_path / "out"
    submit_here(spec, place.launchpad)
    launch(place)
    out.mkdir()
    with WriterLock(out / "results.db"):
        answer = command("collect", spec, "-d", out, "--launchpad", place.launchpad)
    assert answer.status == 2
    assert "is being written by pid" in answer.err
    assert command("collect", spec, "-d", out, "--launchpad", place.launchpad).status == 0
    assert len(uids_of(out)) == 10


def test_a_lost_run_is_found_by_its_queue_or_its_silence(
    place, small, tools, invented, launch, monkeypatch, capsys
):
    spec = small()
    submit_here(spec, place.launchpad)
    cluster = place.open()
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("SLURM_CLUSTER_NAME", "elsewhere")
    from fireworks import FWorker

    lost, _ = cluster.launchpad.checkout_fw(FWorker("gone"), "/gone")
    monkeypatch.delenv("SLURM_JOB_ID")
    asked = []

    def alive(answer):
        monkeypatch.setattr(retrying, "is_alive", lambda *job: (asked.append(job), answer)[1])

    alive(True)
    retry_here(spec, place.launchpad, lost_after=0)
    assert "0 runs start again" in capsys.readouterr().out
    assert ("SLURM", "4711", "elsewhere") in asked
    alive(None)
    retry_here(spec, place.launchpad)
    told = capsys.readouterr()
    assert "0 runs start again" in told.out
    assert f"fw_id {lost.fw_id} runs on" in told.err
    alive(False)
    retry_here(spec, place.launchpad)
    assert "1 runs start again, 1 of them were lost" in capsys.readouterr().out
    alive(None)
    cluster.launchpad.checkout_fw(FWorker("gone"), "/gone")
    retry_here(spec, place.launchpad, lost_after=0)
    assert "1 runs start again, 1 of them were lost" in capsys.readouterr().out
    launch(place)
    assert set(place.states()) == {"COMPLETED"}


@pytest.mark.parametrize(("name", "alive"), [("here", False), ("elsewhere", None)])
def test_a_job_of_another_cluster_is_not_taken_for_lost(monkeypatch, name, alive):
    answers = {
        "scontrol": (0, "Configuration data\nClusterName             = here\n", ""),
        "squeue": (1, "", "slurm_load_jobs error: Invalid job id specified"),
    }
    monkeypatch.setattr(
        queue, "_ask", lambda words: subprocess.CompletedProcess(words, *answers[words[0]])
    )
    assert queue.is_alive("SLURM", "4711", name) is alive


def test_what_ended_while_queues_were_asked_stays_ended(place, small, invented, launch):
    submit_here(small(), place.launchpad)
    launch(place)
    pad = place.open().launchpad
    done = pad.launches.find_one({"state": "COMPLETED"})
    assert not retrying._fizzled(pad, done["launch_id"])
    assert set(place.states()) == {"COMPLETED"}


def test_a_lock_left_behind_is_opened(place, small, invented, launch, monkeypatch, capsys):
    spec = small()
    submit_here(spec, place.launchpad)
    pad = place.open().launchpad
    pad.workflows.update_one({"name": "small P"}, {"$set": {"locked": True}})
    monkeypatch.setattr(mending, "_LOCKED_S", 0.5)
    retry_here(spec, place.launchpad)
    assert "1 workflows unlocked" in capsys.readouterr().out
    launch(place)
    assert set(place.states()) == {"COMPLETED"}
