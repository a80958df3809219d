"""A campaign begun by hand is finished by `run`, in the directory its runs were ingested into."""

import json

import numpy as np
import pytest

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.commands import run_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import get_engine
from vacancy_flows.ingest import SIDECAR
from vacancy_flows.ingest.command import ingest_here
from vacancy_flows.inputs_runs import Runs
from vacancy_flows.plan import site_classes_of
from vacancy_flows.repair import repair_directory
from vacancy_flows.tables import vacancy_tables

# ruff: noqa: PLR0917

UP_DOWN = {"magnetism": {"order": "afm"}}
SITE = {"sites": {"labels": ["O-8j-1"]}}
USER = {"oxygen_reference": {"scheme": "user", "mu_o": -5.0}, "strain": []}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """The stand-in behind `run`, with its list of calls."""
    from standin_vasp.install import install

    return install(tmp_path / "machine", monkeypatch)


def uid_in(folder):
    return json.loads((folder / SIDECAR).read_text())["calculation"]["uid"]


def table(path):
    ((_, found),) = vacancy_tables(ResultsDatabase(path))
    return found.set_index("uid").sort_index()


def by_title(path):
    return {r.calculation.title: r for r in ResultsDatabase(path).records() if r.calculation.host}


def test_run_goes_on_from_ingested_cells(copied, build, by_hand, tmp_path, machine, capsys):
    directory, database = copied(2), tmp_path / "run" / "results.db"
    build(**SITE)
    assert ingest_here([directory], str(database)) == 0
    assert run_here(tmp_path / "campaign.yaml", tmp_path / "run", 1) == 0
    said = capsys.readouterr()
    assert "2 calculated, 6 were there, 0 with problems" in said.err
    assert "earlier settings" not in said.err
    assert ["relax-ions" in run["run"] for run in machine.runs()] == [True] * 2
    found = table(database)
    folders = [f for f in by_hand.calls[2].folders if f.endswith("O-8j-1")]
    assert set(found.index) == {uid_in(by_hand.directory / folder) for folder in folders}
    assert found.formation_energy_eV.notna().all()
    assert ingest_here([by_hand.directory], str(database)) == 0  # two more; nothing is there twice
    assert len(table(database)) == 4
    assert table(database).e_vacancy_eV.loc[found.index].equals(found.e_vacancy_eV)
    assert ingest_here([by_hand.directory], str(tmp_path / "hand" / "results.db")) == 0
    energies = table(tmp_path / "hand" / "results.db").e_vacancy_eV.loc[found.index]
    assert found.e_vacancy_eV.to_numpy() == pytest.approx(energies.to_numpy(), abs=1e-6)
    capsys.readouterr()
    assert run_here(by_hand.spec, tmp_path / "run", 1) == 0
    assert "0 calculated, 10 were there" in capsys.readouterr().err


def test_an_ingested_cell_is_the_campaigns_own(build, vasp, tmp_path):
    """Sites, initial and final moments, and classes are those with which folders go on."""
    out = tmp_path / "out"
    changes = {"hosts": [{"name": "P", "structure": "Li2MnO3"}], **UP_DOWN, **USER}
    changes["settings"] = {"bader": False, "kpoints": {"length": 15.0}}
    for _ in range(2):
        build(**changes)
        vasp(out)
    done = build(**changes)
    assert ingest_here([out], str(tmp_path / "results.db")) == 0
    records = by_title(tmp_path / "results.db")
    runs = Runs([out], get_engine("vasp", changes["settings"]))
    for title in ("host P", "pristine P unstrained"):
        record = records[title]
        wanted = runs.of(record.calculation).record
        properties = record.structure.site_properties
        assert properties["magmom"] == record.result.moments
        initial = properties["initial_magmom"]
        assert sorted(set(initial)) == [-3.0, 0.0, 3.0]
        assert dict(zip(properties["label"], initial, strict=True)) == {
            label: record.calculation.operation.get("moments", {}).get(label, moment)
            for label, moment in zip(properties["label"], initial, strict=True)
        }
        assert wanted.structure.site_properties["initial_magmom"] == initial
        assert np.allclose(record.structure.lattice.matrix, wanted.structure.lattice.matrix)
        assert record.structure.properties == wanted.structure.properties
    classes = site_classes_of(records["pristine P unstrained"])
    assert sorted(f"P/unstrained/{found.label}" for found in classes) == sorted(done.folders)


def test_a_cell_without_final_moments_is_not_gone_on_from(copied, build, tmp_path, machine, capsys):
    directory = copied(1)
    (directory / "P" / "host" / "OUTCAR").unlink()
    build(**USER, **SITE)  # writes campaign.yaml
    assert ingest_here([directory], str(tmp_path / "run" / "results.db")) == 0
    assert run_here(tmp_path / "campaign.yaml", tmp_path / "run", 1) == 1
    (line,) = [s for s in capsys.readouterr().err.splitlines() if s.startswith("PROBLEM host P")]
    assert "its row has no final moments" in line
    assert "OUTCAR" in line
    assert machine.runs() == []


def test_the_campaigns_own_oxygen_reference_and_every_host_of_a_cell(
    copied, build, vasp, tmp_path, capsys
):
    """Also after a repair; as `run` has them, which uses the same words."""
    out, database = copied(1), tmp_path / "db" / "results.db"
    (out / "P").rename(tmp_path / "old")
    lithium = {"fraction": 0.25}
    hosts = [
        {"name": "E", "structure": "Li2MnO3", "cell": "primitive"}
        | {"delithiate": {**lithium, "keep": 3}},
        {"name": "S", "structure": "Li2MnO3", "cell": "primitive"}
        | {"delithiate": {**lithium, "rank": "electrostatics"}},
    ]
    gas = {"scheme": "O2", "temperature": 300, "pressure": 0.21}
    changes = {"hosts": hosts, "strain": [], **SITE, "oxygen_reference": gas}
    for _ in range(4):
        assert build(**changes).problems == []
        vasp(out)
    assert ingest_here([out], str(database)) == 0
    said = capsys.readouterr().out
    assert "3 references" in said
    ((reference, found),) = vacancy_tables(ResultsDatabase(database))
    assert (reference.temperature, reference.pressure) == (300, 0.21)
    assert sorted(found.host) == ["E", "E", "E", "S"]
    (shared,) = found.uid[found.host == "S"]
    orderings = found[found.uid == shared].set_index("host").ordering.to_dict()
    assert orderings == {"E": 2, "S": 0}
    assert said.count(f"E_f = {found.formation_energy_eV[0]:.3f} eV") == 1
    database.unlink()
    repair_directory(database.parent)
    ((again, repaired),) = vacancy_tables(ResultsDatabase(database))
    assert again == reference
    assert repaired.sort_values(["uid", "host"]).host.tolist() == (
        found.sort_values(["uid", "host"]).host.tolist()
    )
    ((_, user),) = vacancy_tables(ResultsDatabase(database), OxygenReference("user", mu_o=-5.0))
    assert user.mu_o_eV[0] == -5.0
    kinds = ResultsDatabase(database).table().set_index("uid").kind
    assert {kinds[uid_in(out / "references" / f"{name}-free")] for name in ("Li", "Li2O")} == {
        "host"
    }
