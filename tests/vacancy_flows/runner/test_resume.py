"""A campaign goes on where it stopped: what is finished is read, what is lost taken back."""

import shutil

import pandas as pd
import pytest

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.commands import run_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.planning import plan_hosts
from vacancy_flows.structures import built_in_host, prepare_host

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


def test_a_campaign_runs_to_its_end(runs, finished, tools):
    assert finished.status == 0
    table = ResultsDatabase(finished.directory / "results.db").table()
    assert table.kind.value_counts().to_dict() == tools.kinds
    assert table.converged.all()
    csv = pd.read_csv(finished.directory / "vacancies.csv")
    assert csv.host.tolist() == ["P"] * 4 + ["D"] * 2
    assert len(runs.documents(finished.directory)) == 16


def test_vacancies_name_their_partners(finished):
    table = ResultsDatabase(finished.directory / "results.db").table().set_index("uid")
    vacancies = table[table.kind == "vacancy"]
    assert (table.loc[vacancies.pristine_uid, "kind"] == "pristine").all()
    for kind, column in (("O2", "o2_uid"), ("Li", "li_uid"), ("Li2O", "li2o_uid")):
        assert (table.loc[vacancies[column], "reference_kind"] == kind).all()
    strains = table.loc[vacancies.pristine_uid, "strain"].to_numpy()
    assert (strains == vacancies.strain.to_numpy()).all()


def test_a_second_run_computes_nothing_and_writes_nothing(runs, copy, chgnet, tools):
    before = tools.stored(copy.directory)
    report, said = runs.go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 0
    assert report.failures == []
    assert len(report.uids) == 16
    assert tools.stored(copy.directory) == before
    assert not [line for line in said if line.startswith("[")]


def test_a_lost_row_is_taken_back_from_the_documents(runs, copy, chgnet):
    before = runs.energies(copy.directory)
    lost = runs.uid_of(copy.directory, kind="vacancy", host="P", site="O-8j-1", strain=0.02)
    runs.forget_row(copy.directory, lost)
    assert lost not in runs.energies(copy.directory)
    report, _ = runs.go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 0
    assert runs.energies(copy.directory) == before


def test_all_rows_lost_are_taken_back(runs, copy, chgnet, finished):
    before = runs.energies(copy.directory)
    (copy.directory / "results.db").unlink()
    report, _ = runs.go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 0
    assert runs.energies(copy.directory) == before
    assert run_here(copy.spec, copy.directory, 1) == 0
    csv = (copy.directory / "vacancies.csv").read_text(encoding="utf-8")
    assert csv == (finished.directory / "vacancies.csv").read_text(encoding="utf-8")


def test_only_what_was_really_lost_is_computed_again(runs, copy, chgnet):
    before = runs.energies(copy.directory)
    lost = runs.uid_of(copy.directory, kind="vacancy", host="D", site="O-4i-1")
    runs.forget(copy.directory, lost)
    report, said = runs.go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 1
    (line,) = [line for line in said if line.startswith("[")]
    assert line.startswith("[16/16] vacancy D unstrained O-4i-1: ")
    assert runs.energies(copy.directory) == pytest.approx(before, abs=1e-4)


def test_the_ordering_chosen_is_the_one_of_the_stored_energies(runs, copy, chgnet):
    """A lost pristine cell is made again on the same ordering, under the same uid."""
    lost = runs.uid_of(copy.directory, kind="pristine", host="D")
    runs.forget(copy.directory, lost)
    report, _ = runs.go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 1
    assert lost in runs.energies(copy.directory)


def test_another_strain_of_a_finished_campaign_adds_only_itself(
    runs, copy, tools, tmp_path, chgnet
):
    host = {**tools.strained, "strain": {"mode": "biaxial-ab", "values": [0.0, 0.01]}}
    hosts = [host, tools.small["hosts"][1]]
    spec = tools.write(tmp_path / "more.yaml", {**tools.small, "hosts": hosts})
    report, _ = runs.go_on(spec, copy.directory, chgnet)
    assert report.computed == 3  # one pristine cell, two vacancies
    assert len(runs.energies(copy.directory)) == 19
    assert len(report.uids) == 16


def test_hosts_whose_strain_has_other_axes_are_hosts_of_their_own(tools, tmp_path, chgnet):
    """A file of the built-in primitive cell, whose a is not the conventional a."""
    host12 = prepare_host(built_in_host("Li2MnO3", "primitive"))
    host12.to(tmp_path / "cell.vasp", fmt="poscar")
    strain = {"mode": "uniaxial-a", "values": [0.06]}
    built = {**tools.strained, "strain": strain}
    file = {"name": "F", "structure": "cell.vasp", "strain": strain}
    content = {**tools.small, "hosts": [built, file]}
    campaign = load_campaign(tools.write(tmp_path / "axes.yaml", content))
    plans = plan_hosts(campaign, chgnet)
    assert plans[0].root_uid != plans[1].root_uid


def test_own_mu_o_needs_no_references(runs, tools, tmp_path, finished, command):
    host = {**tools.strained, "strain": [], "sites": {"labels": ["O-8j-1"]}}
    content = {**tools.small, "name": "own", "hosts": [host]}
    content["oxygen_reference"] = {"scheme": "user", "mu_o": -5.0}
    spec = tools.write(tmp_path / "own.yaml", content)
    answer = command("run", spec, "-d", tmp_path / "out")
    assert answer.status == 0, answer.err
    table = ResultsDatabase(tmp_path / "out" / "results.db").table()
    assert sorted(table.kind) == ["host", "pristine", "vacancy"]
    row = pd.read_csv(tmp_path / "out" / "vacancies.csv").iloc[0]
    assert (row.oxygen_scheme, row.mu_o_eV) == ("user", -5.0)
    parts = row.e_vacancy_eV - row.e_pristine_eV - 5.0
    assert row.formation_energy_eV == pytest.approx(parts, abs=3e-6)
    # the same calculations as with references: no reference enters a uid
    known = runs.energies(finished.directory)
    found = runs.energies(tmp_path / "out")
    assert found == pytest.approx({uid: known[uid] for uid in found}, abs=1e-4)


def test_more_workers_than_cores_are_told(copy, command):
    answer = command("run", copy.spec, "-d", copy.directory, "--workers", "512")
    assert answer.status == 0
    assert "512 workers on " in answer.err
    assert "0 calculated" in answer.err


def test_dry_run_writes_nothing_and_counts(command, finished, tmp_path):
    answer = command("run", finished.spec, "-d", tmp_path / "out", "--dry-run")
    assert answer.status == 0
    assert "about 16 calculations" in answer.out
    assert "3 reference" in answer.out
    assert not (tmp_path / "out").exists()


def test_progress_counts_to_the_end(runs, copy, chgnet):
    for site in ("O-8j-1", "O-4i-1"):
        runs.forget(
            copy.directory, runs.uid_of(copy.directory, kind="vacancy", host="D", site=site)
        )
    _, said = runs.go_on(copy.spec, copy.directory, chgnet)
    assert said[0] == ("campaign small: engine chgnet, energy scale mp2020, about 16 calculations")
    assert [line.split("]")[0] for line in said if line[0] == "["] == ["[15/16", "[16/16"]


def test_a_directory_can_be_moved(runs, copy, tmp_path, chgnet):
    shutil.move(copy.directory, tmp_path / "moved")
    report, _ = runs.go_on(copy.spec, tmp_path / "moved", chgnet)
    assert report.computed == 0
