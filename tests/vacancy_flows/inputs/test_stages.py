"""Calculations that take several runs, and hosts that are delithiated, strain by hand."""

import json

import pytest
from pymatgen.io.vasp import Incar, Poscar

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import get_engine
from vacancy_flows.ingest import SIDECAR
from vacancy_flows.ingest.command import ingest_here
from vacancy_flows.inputs_runs import Runs
from vacancy_flows.inputs_stages import last, stages
from vacancy_flows.planning import plan_references
from vacancy_flows.tables import vacancy_tables

USER = {"oxygen_reference": {"scheme": "user", "mu_o": -5.0}, "strain": []}
SITE = {"sites": {"labels": ["O-8j-1"]}}
DELITHIATED = {"structure": "Li2MnO3", "cell": "primitive"}


def uid_in(folder):
    return json.loads((folder / SIDECAR).read_text())["calculation"]["uid"]


def rows(path):
    ((_, found),) = vacancy_tables(ResultsDatabase(path), OxygenReference("user", mu_o=-5.0))
    return found


def calls(build, vasp, directory, number, **changes):
    """Build and run, again and again; the folders of each call."""
    found = []
    for _ in range(number):
        done = build(**changes)
        assert done.problems == []
        found.append(done.folders)
        vasp(directory)
    return found


def test_a_free_cell_goes_before_a_fixed_one(build, vasp, tmp_path):
    out = tmp_path / "out"
    relax = {"fmax": 0.03, "max_steps": 60, "cell": "free"}
    found = calls(build, vasp, out, 4, relax=relax, **USER, **SITE)
    assert found[2:] == [["P/unstrained/O-8j-1-free"], ["P/unstrained/O-8j-1"]]
    free, fixed = (out / folder for (folder,) in found[2:])
    assert [Incar.from_file(path / "INCAR")["ISIF"] for path in (free, fixed)] == [3, 2]
    ends = [Poscar.from_file(path).structure for path in (free / "CONTCAR", fixed / "POSCAR")]
    assert ends[0].lattice.matrix == pytest.approx(ends[1].lattice.matrix, abs=1e-7)
    assert ingest_here([out], str(tmp_path / "results.db")) == 0
    (row,) = rows(tmp_path / "results.db").to_dict("records")
    assert row["uid"] == uid_in(fixed)
    assert row["converged"]


def test_the_lowest_of_several_magnetic_starts(build, vasp, tmp_path):
    out = tmp_path / "out"
    changes = {
        "magnetism": {"magnetic_starts": 2},
        "hosts": [{"name": "P", "structure": "Li2MnO3"}],
    }
    changes |= {"settings": {"bader": False, "kpoints": {"length": 15.0}}}
    found = calls(build, vasp, out, 4, **changes, **USER, **SITE)
    starts = [f"P/unstrained/O-8j-1-start-{number}" for number in (1, 2)]
    assert found[2:] == [starts, ["P/unstrained/O-8j-1"]]
    moments = [Incar.from_file(out / folder / "INCAR")["MAGMOM"] for folder in starts]
    assert moments[0] != moments[1]
    energies = {}
    for folder in starts:
        text = (out / folder / "OSZICAR").read_text().splitlines()[-1]
        energies[folder] = float(text.split("E0=")[1].split()[0])
    lowest = min(energies, key=energies.get)
    final, end = out / "P/unstrained/O-8j-1", Poscar.from_file(out / lowest / "CONTCAR").structure
    begin = Poscar.from_file(final / "POSCAR").structure
    moved = begin.frac_coords - end.frac_coords
    assert abs(moved - moved.round()).max() < 1e-7
    assert ingest_here([out], str(tmp_path / "results.db")) == 0
    (row,) = rows(tmp_path / "results.db").to_dict("records")  # other starts are no vacancies
    assert row["uid"] == uid_in(final)
    assert row["e_vacancy_eV"] == pytest.approx(min(energies.values()), abs=1e-3)
    uids = {uid_in(out / folder) for folder in starts}
    assert uids < ResultsDatabase(tmp_path / "results.db").uids()


def test_all_orderings_before_the_choice(build, vasp, tmp_path):
    out = tmp_path / "out"
    host = {"name": "D", **DELITHIATED, "delithiate": {"fraction": 0.25}}
    first = build(hosts=[host], **USER, **SITE)
    assert first.folders == [f"D/ordering-0{number}/ordering" for number in range(3)]
    vasp(out)
    (out / "D/ordering-02/ordering/vasprun.xml").unlink()
    waiting = build(hosts=[host], **USER, **SITE)
    assert waiting.folders == []
    assert waiting.waiting == [f"orderings of D: {out}/D/ordering-02/ordering has not run"]
    vasp(out)
    found = calls(build, vasp, out, 3, hosts=[host], **USER, **SITE)
    ((pristine,), (vacancy,), nothing) = found
    assert nothing == []
    assert pristine.endswith("/unstrained/pristine")
    assert vacancy == pristine.replace("pristine", "O-8j-1")
    assert ingest_here([out], str(tmp_path / "results.db")) == 0
    (row,) = rows(tmp_path / "results.db").to_dict("records")
    assert (row["host"], row["ordering"], row["ordering_energy_eV"]) == ("D", 0, 0.0)


def test_orderings_that_do_not_converge_take_no_part(build, vasp, tmp_path):
    out = tmp_path / "out"
    host = {"name": "D", **DELITHIATED, "delithiate": {"fraction": 0.25}}
    build(hosts=[host], **USER)
    vasp(out, fault={"fault": "ionic", "times": 3})
    done = build(hosts=[host], **USER)
    assert done.folders == []
    assert [" is not converged" in line for line in done.problems] == [True, True, True, False]
    assert done.problems[-1] == "host D: no ordering converged"


def test_hosts_that_share_a_cell_share_its_folder(build, vasp, tmp_path):
    lithiated = {"name": "P", **DELITHIATED}
    fixed = {"fraction": 0.25, "from": "relaxed", "rank": "electrostatics", "cell": "fixed"}
    hosts = [lithiated, {"name": "R", **DELITHIATED, "delithiate": fixed}]
    found = calls(build, vasp, tmp_path / "out", 2, hosts=hosts, **USER, **SITE)
    assert found == [["P/host"], ["P/unstrained/pristine", "R/ordering-00/ordering"]]


def test_another_engine_goes_first(build, vasp, tmp_path):
    relax = {"fmax": 0.05, "max_steps": 60, "prerelax": "chgnet"}
    out = tmp_path / "out"
    calls(build, vasp, out, 2, relax=relax, **USER, **SITE)
    plain = tmp_path / "plain"
    build("plain", relax={"fmax": 0.05, "max_steps": 60}, **USER)
    cells = [Poscar.from_file(path / "P/host/POSCAR").structure for path in (out, plain)]
    assert cells[0].volume != pytest.approx(cells[1].volume, rel=1e-4)
    assert uid_in(out / "P/host") != uid_in(plain / "P/host")


def test_parts_of_a_reference(build, by_hand):
    from vacancy_flows.campaign_file import load_campaign

    campaign = load_campaign(by_hand.spec)
    engine = get_engine("vasp", campaign.settings)
    oxygen, lithium, _ = plan_references(campaign, engine)
    assert stages(oxygen, engine.fingerprint()) == {}
    ((name, free),) = stages(lithium, engine.fingerprint()).items()
    assert (name, free.kind, free.cell) == ("free", "host", "free")
    assert free.uid not in (lithium.uid, oxygen.uid)
    assert stages(free, engine.fingerprint()) == {}
    record = Runs([by_hand.directory], engine).of(free).record
    assert last(lithium, [record]).structure.volume == pytest.approx(record.structure.volume)
    record.result.converged = False
    assert last(lithium, [record]) is None
