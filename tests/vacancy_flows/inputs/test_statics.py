"""Bader charges by hand: a static after every cell, counted by `ingest`."""

import shutil

import numpy as np
import pytest
from pymatgen.io.vasp import Incar, Poscar

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.ingest.command import ingest_here
from vacancy_flows.tables import vacancy_tables

CHANGES = {
    "settings": {"kpoints": {"length": 15.0}},
    "oxygen_reference": {"scheme": "user", "mu_o": -5.0},
    "strain": [],
    "sites": {"labels": ["O-8j-1"]},
}
PLACE = "P/unstrained"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return tmp_path_factory.mktemp("statics")


@pytest.fixture
def out(build, vasp, done, tmp_path):
    """The whole campaign, run once; a copy of it for each test."""
    if not any(done.iterdir()):
        found = []
        for _ in range(5):
            call = build(**CHANGES)
            assert call.problems == []
            found.append(call.folders)
            vasp(tmp_path / "out")
        assert found == [
            ["P/host"],
            [f"{PLACE}/pristine"],
            [f"{PLACE}/pristine-static", f"{PLACE}/O-8j-1"],
            [f"{PLACE}/O-8j-1-static"],
            [],
        ]
        shutil.copytree(tmp_path / "out", done / "out")
    shutil.copytree(done / "out", tmp_path / "out", dirs_exist_ok=True)
    return tmp_path / "out"


def row(path):
    ((_, found),) = vacancy_tables(ResultsDatabase(path), OxygenReference("user", mu_o=-5.0))
    (only,) = found.to_dict("records")
    return only


def records(path):
    return {record.calculation.kind: record for record in ResultsDatabase(path).records()}


def test_charges_are_counted_and_energies_those_of_the_relaxations(out, tmp_path):
    assert ingest_here([out], str(tmp_path / "results.db")) == 0
    found = records(tmp_path / "results.db")
    assert set(found) == {"host", "pristine", "vacancy"}  # statics are no rows
    for kind, count in (("pristine", 12), ("vacancy", 11)):
        charges = found[kind].result.charges
        assert len(charges) == count
        assert sum(charges) == pytest.approx(0, abs=0.05)
        assert found[kind].result.provenance["bader"]
    labels = found["pristine"].structure.site_properties["label"]
    removed = found["pristine"].result.charges[labels.index("O-8j-1")]
    assert removed < 0  # oxygen has electrons of the metals
    assert row(tmp_path / "results.db")["net_charge"] == pytest.approx(removed)
    shutil.rmtree(out / PLACE / "pristine-static")
    shutil.rmtree(out / PLACE / "O-8j-1-static")
    assert ingest_here([out], str(tmp_path / "other" / "results.db")) == 0
    assert (
        row(tmp_path / "other" / "results.db")["e_vacancy_eV"]
        == row(tmp_path / "results.db")["e_vacancy_eV"]
    )


def test_a_static_is_of_the_relaxed_cell_and_its_moments(out):
    for name in ("pristine", "O-8j-1"):
        relaxed, static = (out / PLACE / f"{name}{end}" for end in ("", "-static"))
        incar, before = (Incar.from_file(folder / "INCAR") for folder in (static, relaxed))
        assert (incar["NSW"], incar["LCHARG"], incar["LAECHG"]) == (0, True, True)
        same = {"ENCUT", "ISMEAR", "SIGMA", "LDAUU", "PREC", "EDIFF", "ISYM"}
        assert {tag: incar[tag] for tag in same} == {tag: before[tag] for tag in same}
        ends = [Poscar.from_file(p).structure for p in (relaxed / "CONTCAR", static / "POSCAR")]
        moved = ends[0].frac_coords - ends[1].frac_coords
        assert np.abs(moved - np.round(moved)).max() < 1e-7
        assert np.allclose(ends[0].lattice.matrix, ends[1].lattice.matrix, atol=1e-7)
        texts = [(folder / "KPOINTS").read_text() for folder in (relaxed, static)]
        assert texts[0] == texts[1]


def test_charges_that_come_later_change_the_rows(out, tmp_path, capsys):
    statics = {name: out / PLACE / name for name in ("pristine-static", "O-8j-1-static")}
    for name, folder in statics.items():
        shutil.move(folder, tmp_path / name)
    database = tmp_path / "results.db"
    assert ingest_here([out], str(database)) == 0
    before = row(database)
    assert np.isnan(before["net_charge"])
    assert ingest_here([tmp_path / "pristine-static"], str(database)) == 0
    after = row(database)
    assert after["net_charge"] < 0
    assert after["uid"] == before["uid"]
    assert after["formation_energy_eV"] == before["formation_energy_eV"]
    assert ingest_here([out], str(database)) == 0  # without the static once more
    assert row(database)["net_charge"] == after["net_charge"]
    capsys.readouterr()
    (tmp_path / "O-8j-1-static" / "AECCAR0").unlink()
    assert ingest_here([tmp_path / "O-8j-1-static"], str(database)) == 0
    assert "gives no Bader charges" in capsys.readouterr().err
    assert ingest_here([tmp_path / "pristine-static"], str(tmp_path / "empty" / "results.db")) == 0
    assert "the run whose cell it has is not ingested" in capsys.readouterr().err


def test_what_waits_and_what_is_known_needs_no_static(out, build, tmp_path):
    database = tmp_path / "rows" / "results.db"
    assert ingest_here([out], str(database)) == 0
    for name in ("pristine-static", "O-8j-1-static"):
        shutil.rmtree(out / PLACE / name)
    assert build(source="rows", **CHANGES).folders == []  # rows have the charges
    (out / PLACE / "O-8j-1" / "vasprun.xml").unlink()
    assert build(**CHANGES).folders == [f"{PLACE}/pristine-static"]
    off = {**CHANGES, "settings": {**CHANGES["settings"], "bader": False}}
    shutil.rmtree(out / PLACE / "pristine-static")
    assert build(**off).folders == []
