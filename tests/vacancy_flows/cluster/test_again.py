"""What did not converge is told as what it is, and tried again where that promises more."""

# ruff: noqa: PLR0917  # fixtures

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from vacancy_flows.cluster import submitting
from vacancy_flows.cluster.collecting import collect_here
from vacancy_flows.cluster.retrying import retry_here
from vacancy_flows.cluster.status import status_here
from vacancy_flows.cluster.submitting import submit_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines.chgnet import ChgnetEngine
from vacancy_flows.repair import repair_directory

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")

sys.path.insert(0, str(Path(__file__).parents[2]))  # the stand-in is a package below tests/

HOST, VACANCY = "Li4Mn2O6", "Li4Mn2O5"
SET = (
    "set ALGO (All, Damped), NELM or the mixing (AMIX, BMIX, AMIX_MAG, BMIX_MAG) in settings.incar"
)


@pytest.fixture
def effort(monkeypatch, invented):
    """An engine with settings that help to converge; they are part of the campaign's settings."""
    state = SimpleNamespace(now={})
    invented.reason = "electrons not converged in 60 steps (NELM)"
    describe = submitting.describe

    def described(campaign, engine, plans):
        found = describe(campaign, engine, plans)
        return {**found, "settings": f"{found['settings']}{engine.effort().get('ALGO', '')}"}

    monkeypatch.setattr(ChgnetEngine, "effort", lambda _: dict(state.now))
    monkeypatch.setattr(submitting, "describe", described)
    return state


def unconverged_cell(invented, formula, first):
    """Let what relaxes a cell as ``first`` of its formula (from 0) and later end unconverged."""
    seen = []
    invented.unconverged = lambda found: (
        found == formula and (seen.append(found), len(seen) > first)[1]
    )


def told(text, head):
    return [line.removeprefix(f"{head} ") for line in text.splitlines() if line.startswith(head)]


CASES = [
    ("O2", 0, "reference O2", 1, 0, "no E_f is converged without it"),
    (HOST, 0, "host P", 1, 6, "what depends on it was not started"),
    (HOST, 1, "pristine P", 2, 4, "what depends on it was not started"),
    (VACANCY, 0, "vacancy P", 4, 0, "its row is marked"),
]


@pytest.mark.parametrize(("formula", "first", "title", "number", "below", "consequence"), CASES)
def test_what_did_not_converge_is_tried_again_once_with_each_effort(
    place, small, invented, effort, launch, tmp_path, capsys, quick,
    formula, first, title, number, below, consequence,
):  # fmt: skip
    spec, out = small(), tmp_path / "out"
    unconverged_cell(invented, formula, first)
    submit_here(spec, place.launchpad)
    launch(place)
    done = len(invented.relaxed)
    assert done == 10 - below
    capsys.readouterr()

    assert status_here(spec, place.launchpad) == 1
    text = capsys.readouterr().out
    lines = told(text, "UNCONVERGED")
    assert len(lines) == number
    for line in lines:
        assert line.startswith(title)
        assert f": not converged ({invented.reason}); {consequence}; {SET}" in line
    (total,) = [line for line in text.splitlines() if line.startswith("all ")]
    assert total.split()[1:] == ["0", "0", str(done - number), "0", str(number)]

    for _ in range(2):  # tried with this effort already
        assert submit_here(spec, place.launchpad) == 1
        answer = capsys.readouterr()
        assert "nothing added" in answer.out
        assert told(answer.err, "PROBLEM") == lines
    assert collect_here(out, spec, [place.launchpad]) == 1
    assert sorted(told(capsys.readouterr().err, "PROBLEM")) == sorted(lines)
    assert collect_here(out, spec, [place.launchpad]) == 1
    assert "0 collected" in capsys.readouterr().err

    effort.now, invented.unconverged = {"ALGO": "All"}, lambda _: False
    assert submit_here(spec, place.launchpad) == 0
    assert f"{number} {title.split()[0]} added" in capsys.readouterr().out
    assert submit_here(spec, place.launchpad) == 0
    assert "nothing added" in capsys.readouterr().out  # it waits
    assert status_here(spec, place.launchpad) == 0
    launch(place)
    assert len(invented.relaxed) == 10 + number
    assert submit_here(spec, place.launchpad) == 0
    assert "nothing added" in capsys.readouterr().out
    assert status_here(spec, place.launchpad) == 0
    assert not told(capsys.readouterr().out, "UNCONVERGED")

    effort.now = {}  # a colleague collects it too, whose file has the earlier settings
    assert collect_here(out, spec, [place.launchpad]) == 0
    assert f"{number + below} collected, 0 not finished" in capsys.readouterr().err
    check_all_converged(out)
    repair_directory(out)
    check_all_converged(out)


def records_of(out):
    return list(ResultsDatabase(out / "results.db").records())


def check_all_converged(out):
    records = records_of(out)
    assert len(records) == 10
    assert all(record.result.converged for record in records)


def test_an_ordering_that_did_not_converge_is_ranked_after_its_next_try(
    place, new_place, small, tools, invented, effort, launch, capsys
):
    spec = small(hosts=[tools.small["hosts"][1]])
    undisturbed = new_place("undisturbed")
    submit_here(spec, undisturbed.launchpad)
    launch(undisturbed)
    wanted = set(undisturbed.uids())

    unconverged_cell(invented, "Li3Mn2O6", 1)  # of three orderings the first alone converges
    submit_here(spec, place.launchpad)
    launch(place)
    capsys.readouterr()
    assert status_here(spec, place.launchpad) == 1
    lines = told(capsys.readouterr().out, "UNCONVERGED")
    assert len([s for s in lines if s.startswith("candidate D without")]) == 2
    assert all("it takes no part in the ranking" in s for s in lines if s.startswith("candidate"))
    effort.now, invented.unconverged = {"ALGO": "All"}, lambda _: False
    submit_here(spec, place.launchpad)
    launch(place)
    assert wanted <= set(place.uids())
    assert set(place.states()) <= {"COMPLETED", "FIZZLED"}
    assert status_here(spec, place.launchpad) == 0


def test_what_failed_with_less_effort_is_another_try(
    place, small, invented, effort, launch, capsys
):
    """As custodian gives up; `retry` starts the new try again, not the old one."""
    spec = small()
    invented.fail = lambda formula: formula == VACANCY
    submit_here(spec, place.launchpad)
    launch(place)
    submit_here(spec, place.launchpad)
    capsys.readouterr()
    effort.now = {"ALGO": "All"}
    submit_here(spec, place.launchpad)
    assert "4 vacancy added" in capsys.readouterr().out
    launch(place)
    submit_here(spec, place.launchpad)
    assert "nothing added" in capsys.readouterr().out
    assert status_here(spec, place.launchpad) == 1
    assert len(told(capsys.readouterr().out, "FAILED")) == 4
    invented.fail = lambda _: False
    retry_here(spec, place.launchpad)
    assert "4 runs start again" in capsys.readouterr().out
    launch(place)
    assert status_here(spec, place.launchpad) == 0


@pytest.mark.filterwarnings("ignore:POTCAR data")
@pytest.mark.filterwarnings("ignore:.*is an unconverged VASP run")
@pytest.mark.parametrize(("title", "match"), [("host P", "Mn2 O6"), ("vacancy P", "Mn2 O5")])
def test_electrons_of_vasp_with_another_algo(
    place, small, tools, launch, tmp_path, monkeypatch, capsys, quick, title, match
):
    """custodian gives up, ALGO in the campaign file: on from CONTCAR, and what hangs below."""
    from standin_vasp.install import install

    standin, out = install(tmp_path / "standin", monkeypatch), tmp_path / "out"
    host = {**tools.strained, "sites": {"labels": ["O-8j-1"]}}
    host["strain"] = {"mode": "biaxial-ab", "values": [0.02]}
    more = {"engine": "vasp", "hosts": [host], "oxygen_reference": {"scheme": "user", "mu_o": -1.9}}
    spec = small(**more, settings={"bader": False})
    relax = "relax-cell" if title == "host P" else "relax-ions"
    standin.fail({"fault": "electronic_always", "match": [match, relax], "times": None})
    submit_here(spec, place.launchpad)
    launch(place)
    assert status_here(spec, place.launchpad) == 1
    text = capsys.readouterr().out
    (line,) = told(text, "UNCONVERGED")
    assert line.startswith(title)
    assert ": not converged (electrons not converged in 200 steps (NELM)" in line
    assert line.endswith(f"{SET}: it is then tried again")
    assert not told(text, "FAILED")  # what waits for the host has nothing to add to that
    assert submit_here(spec, place.launchpad) == 1
    assert collect_here(out, spec, [place.launchpad]) == 1
    (first,) = (r for r in records_of(out) if not r.result.converged)
    assert not first.result.provenance["restarts"]

    standin.fail()
    spec = small(**more, settings={"bader": False, "incar": {"ALGO": "All", "KPAR": 2}})
    assert submit_here(spec, place.launchpad) == 0
    assert status_here(spec, place.launchpad) == 0
    launch(place)
    assert status_here(spec, place.launchpad) == 0
    assert collect_here(out, spec, [place.launchpad]) == 0
    records = records_of(out)
    assert len(records) == 3
    assert all(record.result.converged for record in records)
    (second,) = (r for r in records if r.uid == first.uid)
    assert second.effort == {"ALGO": "All"}
    (entry,) = second.result.provenance["restarts"]
    assert (entry["geometry"], entry["moments"]) == ("CONTCAR", "OUTCAR")
    assert Path(entry["from"], "CONTCAR").parent.name.startswith("launcher_")
    assert sum(len(r.result.provenance["restarts"]) for r in records) == 1
