"""What fails or does not converge is named, and the rest is kept."""

import pandas as pd
import pytest

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines.ase_relax import AseEngineRelaxMaker
from vacancy_flows.errors import EngineError
from vacancy_flows.structures import with_geometry

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


@pytest.fixture
def fail_on(monkeypatch):
    """Make CHGNet raise for cells of some compositions."""

    def switch(*formulas):
        relax = AseEngineRelaxMaker.relax

        def failing(self, structure):
            if structure.composition.formula.replace(" ", "") in formulas:
                raise EngineError("invented failure")
            return relax(self, structure)

        monkeypatch.setattr(AseEngineRelaxMaker, "relax", failing)

    return switch


def test_a_vacancy_that_moved_is_not_converged(runs, copy, monkeypatch, command):
    """Whatever the engine: here CHGNet, with one O put into the vacant site after it."""
    uid = runs.uid_of(copy.directory, kind="vacancy", host="P", site="O-8j-1", strain=0.0)
    runs.forget(copy.directory, uid)
    relax = AseEngineRelaxMaker.relax

    def hopping(self, structure):
        result = relax(self, structure)
        positions, labels = result.structure.frac_coords, structure.site_properties["label"]
        positions[labels.index("O-8j-2")] = structure.properties["vacancy"]["position"]
        moved = with_geometry(structure, result.structure.lattice.matrix, positions)
        return result.model_copy(update={"structure": moved})

    monkeypatch.setattr(AseEngineRelaxMaker, "relax", hopping)
    answer = command("run", copy.spec, "-d", copy.directory)
    assert answer.status == 1
    told = "the vacancy moved from O-8j-1 to O-8j-2"
    assert f"PROBLEM vacancy P unstrained O-8j-1: not converged ({told}" in answer.err
    assert "look at its cell" in answer.err
    table = pd.read_csv(copy.directory / "vacancies.csv").set_index("uid")
    assert not table.converged[uid]
    assert told in table.reason[uid]
    assert table.converged.sum() == len(table) - 1


def test_a_failure_is_named_and_the_rest_is_kept(runs, copy, fail_on, command):
    lost = [
        runs.uid_of(copy.directory, kind="vacancy", host="P", site="O-8j-1", strain=0.0),
        runs.uid_of(copy.directory, kind="vacancy", host="D", site="O-8j-1"),
    ]
    for uid in lost:
        runs.forget(copy.directory, uid)
    fail_on("Li4Mn2O5")  # P with a vacancy; D has one Li less
    answer = command("run", copy.spec, "-d", copy.directory)
    assert answer.status == 1
    assert "PROBLEM vacancy P unstrained O-8j-1: invented failure" in answer.err
    assert answer.err.count("PROBLEM") == 1
    assert "Traceback" not in answer.err + answer.out
    there = runs.energies(copy.directory)
    assert lost[0] not in there
    assert lost[1] in there
    assert len(pd.read_csv(copy.directory / "vacancies.csv")) == 5


def test_a_failed_candidate_leaves_the_choice_to_the_others(runs, copy, fail_on, chgnet):
    """The candidate that failed takes no part; what hangs on the choice still runs."""
    candidates = ResultsDatabase(copy.directory / "results.db").table()
    candidates = candidates[candidates.kind == "candidate"].sort_values("ordering")
    runs.forget(copy.directory, candidates.uid.iloc[-1])
    fail_on("Li3Mn2O6")
    report, _ = runs.go_on(copy.spec, copy.directory, chgnet)
    assert len(report.failures) == 1
    assert report.failures[0].startswith("candidate D without ")
    assert report.computed == 0
    assert len(report.uids) == 15


def test_an_unconverged_host_ends_its_branch_with_a_message(copy, tools, tmp_path, command):
    relax = {"fmax": 0.01, "max_steps": 1}
    spec = tools.write(
        tmp_path / "cut.yaml",
        {**tools.small, "name": "cut", "hosts": [tools.strained], "relax": relax},
    )
    answer = command("run", spec, "-d", copy.directory)
    assert answer.status == 1
    assert (
        "PROBLEM host P: not converged (stopped at its limit of 1 steps); what depends on it "
        "was not started; raise relax.max_steps"
    ) in answer.err
    assert "1 calculated" in answer.err  # the references were there
    table = ResultsDatabase(copy.directory / "results.db").table()
    assert len(table) == 17
    assert table[~table.converged].kind.tolist() == ["host"]


def test_an_unconverged_vacancy_is_marked_in_its_row(tools, tmp_path, copy, command):
    """Six steps are enough for the host, not for the vacancy."""
    relax = {"fmax": 0.06, "max_steps": 6}
    host = {**tools.strained, "strain": [], "sites": {"labels": ["O-8j-1"]}}
    spec = tools.write(
        tmp_path / "cut.yaml", {**tools.small, "name": "cut", "hosts": [host], "relax": relax}
    )
    answer = command("run", spec, "-d", copy.directory)
    table = pd.read_csv(copy.directory / "vacancies.csv")
    assert answer.status == 1, answer.err
    assert table.converged.tolist() == [False]
    assert "limit of 6 steps" in table.reason.item()
    assert "PROBLEM vacancy P unstrained O-8j-1: not converged" in answer.err
    assert "0 converged, 1 not converged" in answer.out


@pytest.fixture
def invented_references(plans, make_record, tmp_path, chgnet):
    """A directory whose reference energies are invented."""

    def make(**values):
        directory = tmp_path / "invented"
        directory.mkdir()
        database = ResultsDatabase(directory / "results.db")
        for calculation in plans.references:
            record = make_record(energy=values[calculation.reference_kind])
            database.add(
                [record.model_copy(update={"calculation": calculation, "engine": "chgnet"})]
            )
        return directory

    return make


def test_references_that_disagree_end_the_run_before_any_formation_energy(
    runs, invented_references, command, finished
):
    directory = invented_references(O2=-9.637 + 1.36, Li=-1.880, Li2O=-14.781)
    answer = command("run", finished.spec, "-d", directory)
    assert answer.status == 2
    assert "oxygen_reference: the oxygen references disagree" in answer.err
    assert not (directory / "vacancies.csv").exists()
    assert len(runs.energies(directory)) == 3  # nothing was calculated on top
