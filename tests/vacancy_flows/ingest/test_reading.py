"""Finished runs as they are read: real ones, the stand-in's, and files that are none."""

import gzip
import shutil
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest
from pymatgen.io.vasp import Kpoints, Outcar, Vasprun
from pymatgen.io.vasp.inputs import Incar

from vacancy_flows.engines.vasp.reading import RunError, find_vasprun, read_run
from vacancy_flows.engines.vasp.reading_settings import (
    Species,
    functional,
    hubbard,
    kind_of_run,
    kmesh,
)

RELAX = {"NSW": 60, "IBRION": 2, "EDIFFG": -0.01}
OXIDE = [Species("Li", 4, 3, "PAW_PBE Li_sv"), Species("Mn", 2, 13, "PAW_PBE Mn_pv")]


def test_real_runs(real):
    bulk, vacancy, oxygen = (read_run(p) for p in (real.bulk, real.vacancy, real.oxygen))
    assert vacancy.energy - bulk.energy == pytest.approx(13.30566578, abs=1e-6)
    assert oxygen.energy == -14.01320413  # its last e_0_energy is -0.0
    assert all(run.converged for run in (bulk, vacancy, oxygen))
    assert vacancy.reason == "forces below 0.05 eV/Å after 8 steps"
    assert vacancy.max_force < 0.05
    assert bulk.uid == "u82cb3bdc1b7b80f2"  # of the decompressed file
    scales = [run.settings.energy_scale for run in (bulk, vacancy, oxygen)]
    assert scales == ["pbesol", "pbesol", "hse06"]
    assert bulk.settings.titels["Ga"] == "PAW_PBE Ga_d 06Jul2010"
    assert (vacancy.settings.charge, oxygen.settings.charge) == (0, 0)
    assert oxygen.cpu_s == pytest.approx(9691, abs=1)


def test_signs_and_units_are_those_of_ase(real, tmp_path):
    path = tmp_path / "vasprun.xml"
    path.write_bytes(gzip.decompress((real.vacancy / "vasprun.xml.gz").read_bytes()))
    run, atoms = read_run(path), ase.io.read(path)
    assert np.allclose(run.forces, atoms.get_forces(apply_constraint=False), atol=1e-8)
    assert np.allclose(run.stress, atoms.get_stress(voigt=False), atol=1e-7)
    assert run.uid == read_run(real.vacancy).uid


def test_one_file_is_enough_and_its_neighbours_enrich(made, tmp_path):
    full = read_run(made / "pristine")
    rows = Outcar(made / "pristine" / "OUTCAR").magnetization
    assert full.moments == [row["tot"] for row in rows]
    shutil.copy(made / "pristine" / "vasprun.xml", tmp_path)
    bare = read_run(tmp_path)
    assert bare.moments is None
    assert (bare.uid, bare.energy) == (full.uid, full.energy)
    assert bare.notes == []


def test_outcar_of_another_run_is_left_out(tree):
    shutil.copy(tree / "vacancy_6" / "OUTCAR", tree / "pristine")
    run = read_run(tree / "pristine")
    assert run.moments is None
    assert "OUTCAR is of another run" in run.notes[0]
    (tree / "pristine" / "OUTCAR").write_text("cut off")
    assert "OUTCAR" in read_run(tree / "pristine").notes[0]


def test_charges_from_the_densities_or_acf(vasp, oxide, tmp_path):
    folder = vasp(tmp_path / "run", oxide, LCHARG=True, LAECHG=True)
    run = read_run(folder)
    assert sum(run.charges) == pytest.approx(0, abs=0.05)
    assert "AECCAR" in run.charge_method
    counted = [2.1] * 4 + [9.8] * 2 + [7.6667] * 6  # 74 electrons, as Li_sv, Mn_pv and O have

    def write(scale):
        rows = [f"{i} 0 0 0 {scale * n:.4f} 0.5 9.0" for i, n in enumerate(counted, start=1)]
        head = "    #  X  Y  Z  CHARGE  MIN DIST  ATOMIC VOL"
        (folder / "ACF.dat").write_text("\n".join([head, *rows, " VACUUM CHARGE: 0", ""]))

    write(1.0)
    run = read_run(folder)
    assert run.charge_method == "ACF.dat"
    assert run.charges[0] == pytest.approx(3 - 2.1)
    assert run.charges[-1] == pytest.approx(6 - 7.6667)
    write(1.1)
    run = read_run(folder)
    assert "ACF.dat holds 81.40 electrons, the run 74" in run.notes[0]
    assert "AECCAR" in run.charge_method


def test_fixed_atoms_do_not_count(make, tmp_path):
    start = make.shaken(make.oxide)
    free = [[i > 5] * 3 for i in range(12)]
    free[11] = [True, True, False]
    masked = start.copy(site_properties={"selective_dynamics": free})
    run = read_run(make.vasp(tmp_path / "run", masked, **RELAX))
    assert run.converged
    assert run.max_force < 0.01 < np.linalg.norm(run.forces, axis=1).max()
    assert run.structure.site_properties["selective_dynamics"] == free


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"fault": "electronic"}, "electrons not converged in 60 steps"),
        ({"fault": "ionic"}, "ions not converged: largest force"),
    ],
)
def test_unconverged_runs_are_read_and_say_so(vasp, oxide, tmp_path, fault, said):
    run = read_run(vasp(tmp_path / "run", oxide, fault=fault, **RELAX | {"NSW": 4}))
    assert not run.converged
    assert said in run.reason


def test_relaxation_that_was_stopped_is_not_converged(make, tmp_path):
    """Fewer steps than NSW is what pymatgen asks; a STOPCAR leaves fewer, too."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "STOPCAR").write_text("LSTOP = .TRUE.\n")
    start = make.shaken(make.oxide)
    folder = make.vasp(tmp_path / "run", start, **RELAX)
    assert Vasprun(folder / "vasprun.xml", parse_potcar_file=False).converged
    assert not read_run(folder).converged


def cut(text):
    return text[: len(text) // 2]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("vasprun.xml", lambda text: b"", "is empty"),
        ("vasprun.xml", cut, "is truncated: the run was killed"),
        ("vasprun.xml.gz", lambda text: cut(gzip.compress(text)), "is truncated: the compressed"),
        ("vasprun.xml.gz", lambda text: text, "cannot be read"),
        ("vasprun.xml", lambda text: b"<html><body>404</body></html>", "is no vasprun.xml"),
        ("vasprun.xml", lambda text: b"\x00\xff" * 9000, "is no vasprun.xml"),
        ("vasprun.xml", lambda text: text.replace(b"stand-in for vasp", b"abacus"), "by Abacus"),
        ("vasprun.xml", lambda text: b"<modeling>\n</modeling>\n", "cannot be read as a run"),
        ("vasprun.xml", lambda text: text.replace(b"</calculation>", b""), "cannot be read as"),
        ("vasprun.xml", lambda text: text.replace(b'"forces"', b'"other"'), "cannot be read as"),
    ],
)
def test_files_that_are_none(made, tmp_path, name, change, said):
    text = (made / "pristine" / "vasprun.xml").read_bytes()
    (tmp_path / name).write_bytes(change(text))
    with pytest.raises(RunError, match=said):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("tag", "value", "said"),
    [
        ("NSW", 5, "molecular dynamics"),
        ("ICHARG", 11, "not self-consistent"),
    ],
)
def test_runs_without_a_total_energy(made, tmp_path, tag, value, said):
    text = (made / "pristine" / "vasprun.xml").read_text()
    old = next(line for line in text.split("<parameters>")[1].splitlines() if f'"{tag}"' in line)
    head, tail = text.split("<parameters>")
    new = f'<i type="int" name="{tag}">{value}</i>'
    tail = tail.replace(old, new).replace(">    -1<", ">     0<")
    (tmp_path / "vasprun.xml").write_text(head + "<parameters>" + tail)
    with pytest.raises(RunError, match=said):
        read_run(tmp_path)


def test_no_run_there(tmp_path):
    with pytest.raises(RunError, match="holds no vasprun"):
        read_run(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        read_run(tmp_path / "nothing")


def test_last_of_custodians_runs(tmp_path):
    for name in ("vasprun.xml.relax1.gz", "vasprun.xml.relax2.gz"):
        (tmp_path / name).touch()
    assert find_vasprun(tmp_path).name == "vasprun.xml.relax2.gz"
    (tmp_path / "vasprun.xml.bz2").touch()
    assert find_vasprun(tmp_path).name == "vasprun.xml.bz2"


def tags(incar=None, points=None, listed=(), **parameters):
    """What the settings are read from, by hand."""
    return SimpleNamespace(
        incar=Incar(incar or {}),
        parameters=Incar(parameters),
        kpoints=points,
        actual_kpoints=list(listed),
        actual_kpoints_weights=[1 / max(len(listed), 1)] * len(listed),
    )


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (tags(GGA="PE"), "PBE"),
        (tags(GGA="PS"), "PBEsol"),
        (tags(GGA="--"), "PBE"),  # that of the POTCAR
        (tags({"METAGGA": "R2scan"}, GGA="PE"), "R2SCAN"),
        (tags({"METAGGA": "--"}, GGA="PE"), "PBE"),
        (tags(GGA="PE", LHFCALC=True, AEXX=0.25, HFSCREEN=0.2), "HSE06"),
        (tags(GGA="PE", LHFCALC=True, AEXX=0.25, HFSCREEN=0.0), "PBE0"),
        (tags(GGA="PE", LHFCALC=True, AEXX=0.3, HFSCREEN=0.2), "PBE-hybrid(AEXX=0.3,0.2)"),
        (tags({"IVDW": 12}, GGA="PE"), "PBE+D3BJ"),
    ],
)
def test_functionals(run, name):
    assert functional(run, OXIDE) == name


def test_functional_of_an_lda_potcar():
    assert functional(tags(GGA="--"), [Species("Li", 1, 1, "PAW Li 17Jan2003")]) == "LDA"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, {}),
        ({"LDAU": True, "LDAUU": [0, 4.2], "LDAUL": [-1, 2]}, {"Mn": 4.2}),
        ({"LDAU": True, "LDAUU": [1, 5.2], "LDAUL": [-1, 2], "LDAUJ": [0, 1]}, {"Mn": 4.2}),
        ({"LDAU": False, "LDAUU": [0, 4.2], "LDAUL": [-1, 2]}, {}),
    ],
)
def test_values_of_u(given, found):
    assert hubbard(tags(given), OXIDE) == found


def test_two_values_of_u_for_one_element_are_refused():
    blocks = [Species("Mn", 1, 13, "PAW_PBE Mn_pv"), Species("Mn", 1, 13, "PAW_PBE Mn_pv")]
    with pytest.raises(ValueError, match="several values of U"):
        hubbard(tags({"LDAU": True, "LDAUU": [4, 5], "LDAUL": [2, 2]}), blocks)
    with pytest.raises(ValueError, match="no U for each"):
        hubbard(tags({"LDAU": True}), blocks)


def test_meshes_that_are_one():
    gamma, odd, even = (
        Kpoints.gamma_automatic((3, 3, 1)),
        Kpoints.monkhorst_automatic((3, 3, 1)),
        Kpoints.monkhorst_automatic((2, 2, 1)),
    )
    assert kmesh(tags(points=gamma)) == kmesh(tags(points=odd)) == "Γ 3×3×1"
    assert kmesh(tags(points=even)) == "Monkhorst-Pack 2×2×1"
    single = Kpoints(style=Kpoints.supported_modes.Reciprocal, kpts=[(0, 0, 0)], kpts_weights=[1])
    assert kmesh(tags(points=single, listed=[(0, 0, 0)])) == "Γ 1×1×1"
    lines = [
        kmesh(tags(points=single, listed=p))
        for p in ([(0, 0, 0), (0.5, 0, 0)], [(0, 0, 0), (0, 0.5, 0)])
    ]
    assert lines[0] != lines[1]


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (tags(NSW=0, IBRION=2, ISIF=3), "static"),
        (tags(NSW=9, IBRION=2, ISIF=2), "ions"),
        (tags(NSW=9, IBRION=2, ISIF=3), "cell"),
        (tags(NSW=9, IBRION=2, ISIF=4), "cell"),
    ],
)
def test_what_moved(run, kind):
    assert kind_of_run(run) == kind
