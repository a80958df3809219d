"""Going on where a run broke off, from another folder and in place."""

import gzip
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from jobflow import run_locally
from pymatgen.core import Lattice
from pymatgen.io.vasp import Incar, Poscar

from vacancy_flows.engines.vasp.restart import begin, broken_run
from vacancy_flows.engines.vasp.run_files import NOTE, fetch_wavecar, read_note
from vacancy_flows.engines.vasp.runs import VaspRunMaker
from vacancy_flows.engines.vasp.sets import VacancyRelaxSetGenerator
from vacancy_flows.errors import EngineError

PATHS = Path(__file__).parents[3]


@pytest.fixture
def broken(relax, standin, vacancy12, plain):
    """A run that was killed twice, after 2 and after 3 more ionic steps; its root folder."""
    standin.fail(
        {"fault": "walltime", "match": "relax-ions", "steps": 2},
        {"fault": "walltime", "match": "relax-ions", "steps": 3},
    )
    with pytest.raises(EngineError, match="crashed 2 times"):
        relax(vacancy12, engine=plain, root="broken")
    standin.fail()
    (note,) = standin.directory.parent.glob(f"broken/*/{NOTE}")
    return note.parent


def test_from_the_folder_or_from_one_that_holds_it(relax, broken, vacancy12, plain):
    for place in (broken.parent, f"somehost:{broken}"):
        result = relax(vacancy12, place, engine=plain, root=f"again{len(str(place))}").output
        assert result.converged
        first, second = result.provenance["restarts"]
        assert [first["steps"], second["steps"]] == [2, 3]
        assert [first["geometry"], second["geometry"]] == ["CONTCAR", "CONTCAR"]
        assert second["from"] == str(broken)
        last = int(result.reason.split()[-2])
        assert result.n_steps == last + 5


def test_a_folder_of_another_run_is_left_alone(relax, broken, vacancy12, plain):
    for name, place in (("other", broken.parent), ("vacancy", broken / "nowhere")):
        result = relax(vacancy12, place, engine=plain, name=name, root=name).output
        assert result.provenance["restarted"] is False


def test_a_folder_that_may_not_be_read_is_none(tmp_path, monkeypatch):
    """As another user's may be; root may read everything, so the answer is put in."""
    folder = tmp_path / "launcher"
    folder.mkdir()
    (folder / NOTE).write_text('{"name": "vacancy"}')
    (folder / "OUTCAR").touch()
    assert broken_run("vacancy", folder) == broken_run("vacancy", tmp_path) == folder
    allowed = os.access
    for hidden in (folder, folder / "OUTCAR"):
        monkeypatch.setattr(os, "access", lambda p, m, h=hidden: p != h and allowed(p, m))
        assert broken_run("vacancy", folder) is None
        assert broken_run("vacancy", tmp_path) is None


def test_a_link_that_leads_nowhere_hides_no_run(tmp_path):
    """As that of a kernel that lay in another place; nor does what lies beside the run."""
    folder = tmp_path / "launcher_12:30"
    folder.mkdir()
    (folder / NOTE).write_text('{"name": "vacancy"}')
    for place in (tmp_path, folder):
        (place / "vdw_kernel.bindat").symlink_to("/nowhere/vdw_kernel.bindat")
        assert broken_run("vacancy", tmp_path) == folder
        assert broken_run("vacancy", folder) == folder
        assert broken_run("vacancy", f"somehost:{folder}") == folder


@pytest.mark.parametrize("left", [0, 100, -100])
def test_what_was_cut_off_while_it_was_packed_stops_nothing(relax, broken, vasp, vacancy12, left):
    """By a kill, or a full disk: custodian's backup of a run, or a file of the run itself."""
    backup, packed = broken / "error.1.tar.gz", broken / "CONTCAR.gz"
    with tarfile.open(backup, "w:gz") as archive:
        for name in ("OSZICAR", "INCAR", "POTCAR"):
            archive.add(broken / name, f"backup/{name}")
    packed.write_bytes(gzip.compress((broken / "CONTCAR").read_bytes()))
    for path in (backup, packed):
        path.write_bytes(path.read_bytes()[:left])
    result = relax(vacancy12, broken, root="again").output
    assert [entry["steps"] for entry in result.provenance["restarts"]] == [2, 3]
    note = rerun(vasp, vacancy12, broken)  # in place
    assert note["run"]["ionic"]
    assert [entry["geometry"] for entry in note["restarts"]] == ["CONTCAR", "CONTCAR"]


def test_charges_are_of_the_relaxed_cell_not_of_an_earlier_one(relax, vacancy12):
    """The earlier relaxation ended elsewhere, and had a static."""
    held = {"selective_dynamics": [[k > 6] * 3 for k in range(len(vacancy12))]}
    earlier = relax(vacancy12.copy(site_properties={**vacancy12.site_properties, **held}))
    done = relax(vacancy12, earlier.root, root="again")
    ends = [run.folder("vacancy") / "CONTCAR.gz" for run in (earlier, done)]
    start = done.folder("vacancy static") / "POSCAR.gz"
    before, after, counted = (Poscar.from_file(p).structure.frac_coords for p in (*ends, start))
    assert np.abs(after - before).max() > 1e-3
    assert np.allclose(counted, after, atol=1e-9)


def rerun(vasp, structure, folder):
    """Run the same job again in the folder of its first run, and return its note."""
    generator = VacancyRelaxSetGenerator(settings=vasp.settings, fmax=0.05, max_steps=60)
    job = VaspRunMaker(name="vacancy", input_set_generator=generator).make(structure)
    done = run_locally(job, root_dir=folder, log=False, raise_immediately=True)
    return done[job.uuid][1].output.additional_json["vacancy_flows"]


def test_in_place_as_fireworks_reruns(standin, broken, vasp, vacancy12):
    note = rerun(vasp, vacancy12, broken)
    assert [entry["steps"] for entry in note["restarts"]] == [2, 3]
    again = rerun(vasp, vacancy12, broken)  # its files are packed now
    entry = again["restarts"][-1]
    found = [entry[key] for key in ("geometry", "moments", "wavecar")]
    assert found == ["CONTCAR", "OUTCAR", True]
    assert again["run"]["reason"].endswith("after 1 steps")


def test_two_runs_in_one_folder_are_refused(broken, vasp, vacancy12):
    flow = vasp.relax_maker("fixed", 0.05, 60, name="other").make(vacancy12)
    with pytest.raises(EngineError, match=r"holds the run 'vacancy' already.*create_folders"):
        run_locally(flow, root_dir=broken, log=False, raise_immediately=True)


@pytest.mark.slow
def test_a_killed_process_goes_on(standin, tmp_path, go, vasp, vacancy12):
    """The queue kills VASP and everything above it; the next start is told where it ran."""
    vacancy12.to(filename=str(tmp_path / "cell.json"))
    code = f"""
import sys
sys.path.insert(0, {str(PATHS)!r})
from jobflow import run_locally
from pymatgen.core import Structure
from vacancy_flows.engines import get_engine
structure = Structure.from_file({str(tmp_path / "cell.json")!r})
flow = get_engine("vasp").relax_maker("fixed", 0.05, 60, name="vacancy").make(structure)
run_locally(flow, root_dir={str(tmp_path / "killed")!r}, create_folders=True)
"""
    standin.fail({"fault": "walltime", "steps": 4, "kill_parent": True})
    environment = {**os.environ, **standin.environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr
    maker = vasp.relax_maker("fixed", 0.05, 60, name="vacancy")
    result = go(maker.make(vacancy12, tmp_path / "killed")).output
    assert result.converged
    (entry,) = result.provenance["restarts"]
    assert (entry["steps"], entry["geometry"]) == (4, "CONTCAR")


@pytest.fixture
def old(tmp_path, vacancy12, monkeypatch):
    """A folder with the files of an earlier run, as they are given; and an empty one to run in."""
    folder = tmp_path / "old"
    folder.mkdir()
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    moved = vacancy12.copy()
    moved.translate_sites([3], [0.01, 0.0, 0.0])
    Poscar(vacancy12).write_file(folder / "POSCAR")
    Poscar(moved).write_file(folder / "CONTCAR")
    (folder / NOTE).write_text(json.dumps({"name": "run"}))
    return folder


def entry_of(start):
    (entry,) = start.note["restarts"]
    return entry


def test_moments_of_the_incar_where_outcar_has_none(old, vacancy12):
    moments = [0.1 * i for i in range(len(vacancy12))]
    Incar({"MAGMOM": moments}).write_file(old / "INCAR")
    (old / "OUTCAR").write_text(" vasp.6.4.0\n")
    start = begin("run", vacancy12, "fixed", old)
    assert start.structure.site_properties["magmom"] == pytest.approx(moments, abs=1e-6)
    assert start.structure.site_properties["label"] == vacancy12.site_properties["label"]
    assert entry_of(start)["moments"] == "INCAR"
    assert start.structure[3].frac_coords[0] == pytest.approx(vacancy12[3].frac_coords[0] + 0.01)
    assert vacancy12.site_properties["magmom"] != moments
    assert read_note(Path.cwd()) == start.note


@pytest.mark.parametrize("kind", ["empty", "cut off", "another cell", "other atoms", "missing"])
def test_a_contcar_that_is_none_is_never_used(old, vacancy12, host12, kind):
    path = old / "CONTCAR"
    text = path.read_text()
    if kind == "another cell":
        Poscar(vacancy12.copy().apply_strain(0.01)).write_file(path)
    elif kind == "other atoms":
        Poscar(host12).write_file(path)
    elif kind == "missing":
        path.unlink()
    else:
        path.write_text("" if kind == "empty" else text[: len(text) // 2])
    start = begin("run", vacancy12, "fixed", old)
    assert entry_of(start)["geometry"] == "POSCAR"
    assert np.allclose(start.structure.frac_coords, vacancy12.frac_coords)
    assert start.from_wavecar is False


def test_nothing_usable_is_the_input(old, vacancy12):
    for name in ("CONTCAR", "POSCAR"):
        (old / name).write_text("")
    (old / "WAVECAR").write_text("something")
    start = begin("run", vacancy12, "fixed", old)
    assert start.structure == vacancy12
    assert (entry_of(start)["geometry"], entry_of(start)["moments"]) == ("input", "input")
    assert start.from_wavecar is False


def test_a_free_cell_goes_on_with_the_cell_it_reached(old, vacancy12):
    Poscar(vacancy12.copy().apply_strain(0.01)).write_file(old / "CONTCAR")
    start = begin("run", vacancy12, "free", old)
    assert start.structure.volume == pytest.approx(vacancy12.volume * 1.01**3)


def test_broken_run_takes_the_newest_of_the_name(tmp_path):
    for age, (folder, name) in enumerate([("a", "run"), ("b", "run"), ("c", "other")]):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / NOTE).write_text(json.dumps({"name": name}))
        os.utime(tmp_path / folder / NOTE, (1000 + age, 1000 + age))
    assert broken_run("run", tmp_path) == tmp_path / "b"
    assert broken_run("none", tmp_path) is None
    assert broken_run("run", None) is None
    (tmp_path / "c" / NOTE).write_text("{")
    assert broken_run("other", tmp_path) is None


def wavecar(path, lattice, *, cut=0, tag=45200.0):
    """Write a file with the head of VASP's WAVECAR: 2 spins, 3 k-points, 4 bands."""
    record, head = 128, np.zeros(16)
    head[:3] = [record, 2, tag]
    second = np.zeros(16)
    second[:12] = [3, 4, 520.0, *np.array(lattice).ravel()]
    rest = np.zeros(16 * 2 * 3 * (1 + 4))
    data = np.concatenate([head, second, rest]).astype("<f8").tobytes()
    path.write_bytes(data[: len(data) - cut])


@pytest.mark.parametrize(
    ("change", "cell", "usable"),
    [
        ({}, "fixed", True),
        ({"tag": 53310.0}, "fixed", True),
        ({"cut": 8}, "fixed", False),
        ({"lattice": 1.01}, "fixed", False),
        ({"lattice": 1.01}, "free", True),
        ("empty", "fixed", False),
        ("missing", "fixed", False),
        ("odd", "fixed", True),
    ],
)
def test_only_a_whole_wavecar_of_the_same_cell_is_a_start(  # noqa: PLR0917
    tmp_path, monkeypatch, vacancy12, change, cell, usable
):
    source, here = tmp_path / "source", tmp_path / "here"
    source.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    if isinstance(change, dict):
        scale = change.pop("lattice", 1.0) if "lattice" in change else 1.0
        wavecar(source / "WAVECAR", Lattice(scale * vacancy12.lattice.matrix).matrix, **change)
    elif change != "missing":
        (source / "WAVECAR").write_bytes(b"" if change == "empty" else b"a format of its own ...")
    assert fetch_wavecar(source, vacancy12, cell) is usable
    assert (here / "WAVECAR").is_file() is usable
    assert (source / "WAVECAR").is_file() is (change != "missing")
