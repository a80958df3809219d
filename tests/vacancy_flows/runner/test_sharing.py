"""Campaigns and hosts that share calculations."""

import io
import shutil

import pandas as pd
import pytest

from vacancy_flows.database import ResultsDatabase

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


def test_two_campaigns_share_what_is_the_same(runs, copy, tools, tmp_path, command):
    before = runs.energies(copy.directory)
    host = {**tools.strained, "name": "Q"}
    del host["strain"]
    spec = tools.write(tmp_path / "other.yaml", {**tools.small, "name": "other", "hosts": [host]})
    answer = command("run", spec, "-d", copy.directory)
    assert answer.status == 0
    assert "0 calculated, 7 were there" in answer.err
    assert runs.energies(copy.directory) == before
    table = ResultsDatabase(copy.directory / "results.db").table()
    shared = table[table.campaign == "small;other"]
    assert shared.kind.value_counts().to_dict() == {
        "reference": 3,
        "vacancy": 2,
        "host": 1,
        "pristine": 1,
    }
    assert table[table.campaign == "small"].shape[0] == 9
    csv = pd.read_csv(copy.directory / "vacancies.csv")
    assert csv.host.tolist() == ["Q", "Q"]  # under its own name for the host
    shown = command("query", copy.directory / "results.db", "--format", "csv")
    assert shown.out.count("\n") == 1 + 6  # each calculation once


def test_two_hosts_that_share_orderings_both_have_all_their_rows(copy, tools, tmp_path, command):
    """Three ways to delithiate, ranked by the engine and, all kept, by electrostatics."""
    ranked = {"fraction": 0.25, "rank": "electrostatics", "keep": 3}
    by_engine = {**tools.small["hosts"][1], "delithiate": {"fraction": 0.25, "keep": 3}}
    by_charge = {**by_engine, "name": "E", "delithiate": ranked}
    content = {**tools.small, "name": "shared", "hosts": [by_engine, by_charge]}
    spec = tools.write(tmp_path / "shared.yaml", content)
    answer = command("run", spec, "-d", copy.directory)
    assert answer.status == 0, answer.err
    table = pd.read_csv(copy.directory / "vacancies.csv")
    uids = {host: set(part.uid) for host, part in table.groupby("host")}
    assert uids["D"] == uids["E"]
    assert len(table) == 2 * len(uids["D"])
    for _, part in table.groupby("host"):
        orderings = part.drop_duplicates("ordering").sort_values("ordering")
        assert orderings.ordering.tolist() == [0, 1, 2]
        assert orderings.ordering_energy_eV.iloc[0] == 0.0
        assert orderings.ordering_energy_eV.is_monotonic_increasing
    ranks = {host: part.set_index("uid").ordering_energy_eV for host, part in table.groupby("host")}
    assert (ranks["D"] != ranks["E"].reindex(ranks["D"].index)).any()  # each by its own ranking
    database = copy.directory / "results.db"
    shown = command("query", database, "campaign=shared,host=E", "--format", "csv").out
    assert shown.count("\n") == 1 + len(uids["E"])
    assert command("report", database, "campaign=shared", "-o", tmp_path / "page").status == 0


def test_repair_keeps_the_names_of_every_campaign(copy, tools, tmp_path, command):
    host = {**tools.strained, "name": "Q", "strain": []}
    spec = tools.write(tmp_path / "second.yaml", {**tools.small, "name": "b", "hosts": [host]})
    assert command("run", spec, "-d", copy.directory).status == 0
    (copy.directory / "results.db").unlink()
    assert command("repair", copy.directory).status == 0
    table = ResultsDatabase(copy.directory / "results.db").table()
    shared = table[table.campaign == "small;b"]
    assert len(shared) == 7
    answer = command("query", copy.directory / "results.db", "host=Q", "--format", "csv")
    assert set(pd.read_csv(io.StringIO(answer.out)).site) == {"O-4i-1", "O-8j-1"}


def test_repair_keeps_what_other_directories_ran_into_the_file(copy, tools, tmp_path, command):
    host = {**tools.strained, "name": "Q", "strain": []}
    spec = tools.write(tmp_path / "other.yaml", {**tools.small, "name": "b", "hosts": [host]})
    elsewhere = tmp_path / "elsewhere"
    database = copy.directory / "results.db"
    shutil.copytree(copy.directory / "jobstore", elsewhere / "jobstore")
    assert command("run", spec, "-d", elsewhere, "--db", database).status == 0
    before = command("query", database, "campaign=b", "--format", "csv").out
    assert before.count("\n") == 3
    assert command("repair", copy.directory).status == 0
    assert command("query", database, "campaign=b", "--format", "csv").out == before
