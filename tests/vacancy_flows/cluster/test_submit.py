"""submit: what is added to a LaunchPad, once, with names and categories that users look for."""

# ruff: noqa: PLR0917  # fixtures

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from vacancy_flows.cluster.collecting import collect_here
from vacancy_flows.cluster.connection import finished_uids, open_cluster
from vacancy_flows.cluster.submitting import submit_here
from vacancy_flows.commands import run_here

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")

# Hosts P and R share a relaxation; R's orderings are of the relaxed cell.
RELAXED = {
    "name": "R",
    "structure": "Li2MnO3",
    "cell": "primitive",
    "delithiate": {"fraction": 0.25, "from": "relaxed"},
}


def table_of(directory):
    return pd.read_csv(directory / "vacancies.csv").set_index("uid").sort_index()


def test_a_campaign_through_a_launchpad_is_the_campaign_run_here(
    place, small, tools, invented, launch, tmp_path
):
    spec = small(hosts=[*tools.small["hosts"], RELAXED])
    assert submit_here(spec, place.launchpad) == 0
    launch(place)
    assert set(place.states()) == {"COMPLETED"}
    assert set(place.uids().values()) == {1}
    assert collect_here(tmp_path / "collected", spec, [place.launchpad]) == 0
    assert run_here(spec, tmp_path / "local", 1) == 0
    collected, local = table_of(tmp_path / "collected"), table_of(tmp_path / "local")
    assert len(local) == 10
    pd.testing.assert_frame_equal(collected, local)
    assert place.uids().keys() >= set(local.index)


def test_workflows_are_one_for_references_each_host_and_each_strain(
    place, small, tools, invented, launch
):
    submit_here(small(hosts=tools.small["hosts"]), place.launchpad)
    first = place.workflows()
    assert set(first) == {"small oxygen references", "small P", "small D"}
    launch(place)
    later = place.workflows()
    assert set(later) - set(first) == {
        "small P unstrained",
        "small P biaxial-ab +2 %",
        "small D unstrained",
    }
    assert max(len(w["nodes"]) for w in later.values()) == 12  # of a strain
    assert later["small P biaxial-ab +2 %"]["metadata"] == {
        "campaign": "small",
        "host": "P",
        "strain_mode": "biaxial-ab",
        "strain": 0.02,
        "engine": "chgnet",
        "kinds": ["pristine"],
    }
    check_specs(place)


def check_specs(place):
    """Every spec says what it is, those of vacancies that were found later too."""
    kinds = Counter()
    for firework in place.fireworks():
        spec = firework["spec"]
        kinds[spec["kind"]] += 1
        assert spec["campaign"] == "small"
        assert spec["engine"] == "chgnet"
        assert spec["_category"] == ("big" if "relax" in firework["name"] else "small")
        if spec["kind"] == "decision":
            assert spec["host"] in firework["name"]
            continue
        assert spec["uid"] in firework["name"]
        assert spec["n_atoms"] > 0
        if spec["kind"] == "vacancy":
            assert spec["site"] in firework["name"]
            assert spec["strain_mode"] in {"none", "biaxial-ab"}
            assert spec["host"] in "PD"
    assert kinds == {"reference": 6, "host": 2, "candidate": 6, "pristine": 6, "vacancy": 21} | {
        "decision": 5
    }


def test_the_same_campaign_again_adds_nothing(place, small, invented, launch, capsys):
    spec = small()
    submit_here(spec, place.launchpad)
    before = place.states()
    assert submit_here(spec, place.launchpad) == 0
    assert "nothing added" in capsys.readouterr().out
    assert place.states() == before
    launch(place)
    done = place.states()
    assert submit_here(spec, place.launchpad) == 0
    assert "nothing added" in capsys.readouterr().out
    assert place.states() == done


def test_submitted_at_the_same_time_each_calculation_is_there_once(place, small, invented, launch):
    spec = small()
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: submit_here(spec, place.launchpad), range(3)))
    assert done == [0, 0, 0]
    launch(place)
    assert set(place.uids().values()) == {1}
    assert len(place.uids()) == 10


def test_a_dry_run_counts_and_writes_nothing(place, small, invented, capsys):
    assert submit_here(small(), place.launchpad, dry_run=True) == 0
    assert "3 reference, 1 host would be added" in capsys.readouterr().out
    cluster = place.open()
    assert not cluster.launchpad.db.list_collection_names()
    assert not cluster.store.docs_store._collection.database.list_collection_names()


def test_a_host_that_is_finished_gets_its_new_strains_from_submit(
    place, small, tools, invented, launch
):
    first, changed = tools.strained, {**tools.strained, "strain": {"mode": "uniaxial-a"}}
    changed["strain"]["values"] = [0.0, 0.01]
    submit_here(small(hosts=[first]), place.launchpad)
    launch(place)
    relaxed = len(invented.relaxed)
    submit_here(small(hosts=[changed]), place.launchpad)
    assert "small P uniaxial-a +1 %" in place.workflows()
    launch(place)
    assert len(invented.relaxed) - relaxed == 3  # a strained cell and two vacancies
    assert set(place.uids().values()) == {1}


def test_a_host_that_is_not_finished_goes_on_for_both_campaigns(
    place, small, tools, invented, launch
):
    submit_here(small(), place.launchpad)
    other = {**tools.strained, "name": "Q", "strain": {"mode": "uniaxial-a", "values": [0.01]}}
    submit_here(small("other.yaml", name="other", hosts=[other]), place.launchpad)
    assert set(place.workflows()) == {"small oxygen references", "small P"}
    decisions = place.fireworks(**{"spec.kind": "decision"})
    assert {d["spec"]["host"] for d in decisions} == {"P", "Q"}
    launch(place)
    assert "other Q uniaxial-a +1 %" in place.workflows()
    assert set(place.uids().values()) == {1}
    assert len(place.uids()) == 3 + 1 + 2 * 3 + 3


def test_a_decision_that_runs_again_adds_nothing(place, small, invented, launch):
    submit_here(small(), place.launchpad)
    cluster = launch(place)
    before = place.uids()
    for decision in place.fireworks(**{"spec.kind": "decision", "spec.host": "P"}):
        if "host" in decision["name"]:
            cluster.launchpad.rerun_fw(decision["fw_id"])
    launch(place)
    assert place.uids() == before


def test_references_that_disagree_stop_what_would_be_built_on_them(
    place, small, tools, invented, launch, monkeypatch
):
    spec = small()
    submit_here(spec, place.launchpad)
    launch(place, number=6, **{"spec.kind": "reference"})
    from vacancy_flows.cluster import adding

    found = adding.finished_records

    def other(store, uids):
        records = found(store, uids)
        for record in records.values():
            if record.calculation.reference_kind == "O2":
                record.result.energy += 1.36
        return records

    monkeypatch.setattr(adding, "finished_records", other)
    launch(place)
    assert "small P unstrained" not in place.workflows()
    (failed,) = place.fireworks(state="FIZZLED")
    assert failed["name"] == "what follows host P"


def test_what_is_in_the_jobstore_is_not_calculated_again(new_place, small, invented, launch):
    """Another LaunchPad with the same JobStore, as colleagues have it."""
    spec, first, second = small(), new_place("a"), new_place("b")
    (second.folder / "jobflow.yaml").write_text((first.folder / "jobflow.yaml").read_text())
    submit_here(spec, first.launchpad)
    launch(first)
    submit_here(spec, second.launchpad)
    assert not second.fireworks()
    assert finished_uids(second.open().store, list(first.uids())) == set(first.uids())


@pytest.mark.parametrize("name", ["a; touch x", "$(touch x)", "a/../b", "a\nb"])
def test_a_name_that_a_shell_would_run_is_refused(place, small, tools, command, name, tmp_path):
    spec = small(hosts=[{**tools.strained, "name": name}])
    answer = command("submit", spec, "--launchpad", place.launchpad)
    assert answer.status == 2
    assert "hosts.0.name" in answer.err
    assert "Traceback" not in answer.err
    assert not (tmp_path / "x").exists()
    assert not place.fireworks()


def test_a_torn_workflow_is_dropped_by_who_adds_next(place, small, invented, launch, monkeypatch):
    """As a kill between FireWorks' two writes leaves it."""
    pad = open_cluster(place.launchpad, prepare=True).launchpad
    workflow = {"nodes": [4001, 4002], "name": "torn", "metadata": {"adding": True}}
    pad.workflows.insert_one({**workflow, "links": {}, "fw_states": {}, "locked": True})
    pad.fireworks.insert_one({"fw_id": 4001, "state": "READY", "spec": {"uid": "u0"}})
    submit_here(small(), place.launchpad)
    assert "torn" not in place.workflows()
    assert not place.fireworks(fw_id=4001)
    assert len(place.uids()) == 4
