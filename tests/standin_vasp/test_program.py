"""The program alone: its files as pymatgen reads them, magnetism, restarts, refusals."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.vasp import Chgcar, Kpoints, Outcar, Poscar, Vasprun

pytestmark = pytest.mark.filterwarnings(
    "ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning",
    "ignore:Please use INCAR KSPACING:DeprecationWarning",
)


def test_cell_of_oxide_relaxes(call, manganate):
    directory, done = call(manganate, ISIF=3)
    run = Vasprun(directory / "vasprun.xml")
    assert done.returncode == 0, done.stderr
    assert run.converged
    assert 5 < len(run.ionic_steps) < 40
    assert np.linalg.norm(run.ionic_steps[-1]["forces"], axis=1).max() < 0.01
    assert np.abs(run.ionic_steps[-1]["stress"]).max() < 2.0  # kB
    assert run.final_structure.volume == pytest.approx(manganate.volume, rel=0.08)
    assert run.run_type == "PBE"


@pytest.mark.parametrize("name", ["O2", "Li", "Li2O"])
def test_references_relax(call, lithia, name):
    cells = {
        "O2": Structure(Lattice.orthorhombic(8, 9, 10), ["O", "O"], [[0, 0, 0], [0, 0, 0.125]]),
        "Li": Structure(Lattice.cubic(3.44), ["Li", "Li"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        "Li2O": lithia,
    }
    tags = {"ISIF": 2, "NUPDOWN": 2} if name == "O2" else {"ISIF": 3}
    directory, _ = call(cells[name], **tags)
    run = Vasprun(directory / "vasprun.xml")
    assert run.converged
    assert 2 < len(run.ionic_steps) < 15
    if name == "O2":
        assert run.final_structure.get_distance(0, 1) == pytest.approx(1.22, abs=0.005)
        assert Outcar(directory / "OUTCAR").total_mag == pytest.approx(2.0)


def test_both_routes_to_mu_o_agree():
    """What the guard of the references demands of pbe+u; the toy is tuned to it."""
    from standin_vasp.inputs import Poscar as Inputs
    from standin_vasp.potential import get_potential
    from standin_vasp.relax import Settings, ionic_steps
    from vacancy_flows.analysis import LI2O_FORMATION_ENTHALPY
    from vacancy_flows.engines.base import REFERENCE_KINDS, default_reference

    energies = {}
    for kind in REFERENCE_KINDS:
        found = default_reference(kind)
        species = [site.specie.symbol for site in found.structure]
        cell, frac = found.structure.lattice.matrix, found.structure.frac_coords
        poscar = Inputs("", cell, species, [1] * len(species), frac)
        settings = Settings(99, 2 if found.cell == "fixed" else 3, -0.001)
        _, potential = get_potential(species, np.zeros(len(species)))
        *_, last = ionic_steps(poscar, potential, settings)
        energies[kind] = last.point.energy / found.units
    from_o2 = energies["O2"] / 2 + 0.68
    from_li2o = energies["Li2O"] - 2 * energies["Li"] - LI2O_FORMATION_ENTHALPY
    assert from_o2 == pytest.approx(from_li2o, abs=0.01)


def test_declared_a_stand_in_in_every_output(call, lithia):
    directory, done = call(lithia, NSW=0)
    texts = [done.stdout, *((directory / n).read_text() for n in ("OUTCAR", "vasprun.xml"))]
    assert all("STAND-IN for vasp_std, not VASP" in "".join(t[:2000]) for t in texts)
    assert Vasprun(directory / "vasprun.xml").vasp_version.endswith("standin")
    assert "STAND-IN" in (directory / "OUTCAR").read_text().splitlines()[0]


def test_selective_dynamics(call, manganate):
    free = [[k > 5] * 3 for k in range(12)]
    free[11] = [True, True, False]  # not along c
    masked = manganate.copy(site_properties={"selective_dynamics": free})
    directory, _ = call(masked)
    final = Poscar.from_file(directory / "CONTCAR").structure
    moved = np.abs(final.frac_coords - manganate.frac_coords)
    moved = np.minimum(moved, 1 - moved)
    assert moved[:6].max() < 1e-12
    assert moved[11, 2] < 1e-12
    assert moved[6:, :2].min() > 1e-7
    run = Vasprun(directory / "vasprun.xml")
    assert run.converged
    assert np.linalg.norm(run.ionic_steps[-1]["forces"], axis=1).max() > 0.01  # of the fixed ones
    assert run.final_structure.site_properties["selective_dynamics"] == free


def test_energies_of_smearing(call, lithia):
    directory, _ = call(lithia, NSW=0, SIGMA=0.1, ISMEAR=0)
    step = Vasprun(directory / "vasprun.xml").ionic_steps[-1]
    assert step["e_fr_energy"] < step["e_0_energy"] < step["e_wo_entrp"]
    # Gaussian smearing: E(sigma -> 0) = (F + E) / 2
    mean = (step["e_fr_energy"] + step["e_wo_entrp"]) / 2
    assert step["e_0_energy"] == pytest.approx(mean, abs=1e-8)


def test_all_algorithm_leaves_zero_for_sigma_zero(call, lithia):
    directory, _ = call(lithia, NSW=0, ALGO="All")
    reference, _ = call(lithia, NSW=0, folder="normal")
    run = Vasprun(directory / "vasprun.xml")
    assert run.ionic_steps[-1]["e_0_energy"] == 0.0
    assert run.final_energy == Vasprun(reference / "vasprun.xml").final_energy


def test_moments_pass_through(call, manganate):
    directory, _ = call(manganate, NSW=0, MAGMOM=manganate.site_properties["magmom"])
    found = [m["tot"] for m in Outcar(directory / "OUTCAR").magnetization]
    assert found == [0.0] * 4 + [2.85, -3.8] + [0.0] * 6
    assert Vasprun(directory / "vasprun.xml").parameters["MAGMOM"][4:6] == [3.0, -4.0]


def test_converged_moments_stay(call, manganate):
    start = [0.0] * 4 + [2.85, -3.8] + [0.0] * 6
    directory, _ = call(manganate, NSW=0, MAGMOM=start)
    assert [m["tot"] for m in Outcar(directory / "OUTCAR").magnetization] == start


def test_magnetic_order_changes_the_energy(call, manganate):
    def energy(first, second):
        directory, _ = call(
            manganate, NSW=0, LWAVE=False, MAGMOM=[0] * 4 + [first, second] + [0] * 6
        )
        return Vasprun(directory / "vasprun.xml").final_energy

    assert energy(3, 3) < energy(3, -3) - 0.01


def test_magmom_is_ignored_with_a_wavecar(call, manganate):
    start = [0] * 4 + [3, 3] + [0] * 6
    directory, _ = call(manganate, NSW=0, LWAVE=True, MAGMOM=start)
    call(manganate, NSW=0, MAGMOM=[-m for m in start])
    assert Outcar(directory / "OUTCAR").total_mag == pytest.approx(5.7)
    call(manganate, NSW=0, MAGMOM=[-m for m in start], ISTART=0)
    assert Outcar(directory / "OUTCAR").total_mag == pytest.approx(-5.7)


def test_density_holds_all_electrons(call, manganate):
    directory, _ = call(manganate, NSW=0, LCHARG=True, LAECHG=True)
    valence, core, also = (
        Chgcar.from_file(str(directory / name)) for name in ("CHGCAR", "AECCAR0", "AECCAR2")
    )
    points = valence.ngridpts
    assert valence.data["total"].sum() / points == pytest.approx(4 * 3 + 2 * 13 + 6 * 6)
    total = (core.data["total"] + also.data["total"]).sum() / points
    assert total == pytest.approx(4 * 3 + 2 * 25 + 6 * 8)
    assert valence.net_magnetization / points == pytest.approx(5.7)


@pytest.mark.parametrize(
    ("kpoints", "divisions"),
    [
        (Kpoints.gamma_automatic((3, 2, 1)), (3, 2, 1)),
        (Kpoints.monkhorst_automatic((2, 2, 4)), (2, 2, 4)),
        (30, (11, 11, 11)),  # int(30 × 0.3749 + 0.5), fcc of a = 4.62 Å
    ],
)
def test_kpoints(call, lithia, kpoints, divisions):
    kpoints = Kpoints.automatic(kpoints) if kpoints == 30 else kpoints
    directory, _ = call(lithia, kpoints, NSW=0)
    run = Vasprun(directory / "vasprun.xml")
    assert run.kpoints.kpts[0] == divisions
    assert sum(run.actual_kpoints_weights) == pytest.approx(1.0)


def test_restart_goes_on_from_contcar(call, standin, manganate):
    standin.fail({"fault": "walltime", "steps": 4})
    directory, done = call(manganate)
    assert done.returncode == -9
    with pytest.raises(Exception, match=r"Premature end|no element"):
        Vasprun(directory / "vasprun.xml")
    (directory / "CONTCAR").rename(directory / "POSCAR")
    call()
    whole, _ = call(manganate, folder="whole")
    energies = [Vasprun(d / "vasprun.xml").final_energy for d in (directory, whole)]
    assert energies[0] == pytest.approx(energies[1], abs=2e-4)
    steps = [len(Vasprun(d / "vasprun.xml").ionic_steps) for d in (directory, whole)]
    assert steps[0] < steps[1]


@pytest.mark.slow
def test_chgnet(call, lithia, monkeypatch):
    """CHGNet instead of the toy: Li2O's lattice constant is 4.62 Å by measurement."""
    monkeypatch.setenv("STANDIN_VASP_POTENTIAL", "chgnet")
    directory, done = call(lithia, ISIF=3)
    assert done.returncode == 0, done.stderr
    run = Vasprun(directory / "vasprun.xml")
    assert run.converged
    assert (4 * run.final_structure.volume) ** (1 / 3) == pytest.approx(4.62, abs=0.1)
