"""DFT of minutes at 350 eV: references, a pristine cell and a vacancy (marker ``dft``).

Numbers without another source were measured with GPAW 26.7.0 and gpaw-data 1.2.1. The longest test
comes first and the shortest second, which is how pytest-xdist shares them out evenly.
"""

import subprocess
import sys

import pytest
from pymatgen.core import Lattice, Structure

from vacancy_flows.analysis import mu_o_from_li2o
from vacancy_flows.engines import get_engine
from vacancy_flows.flows.calculation import start_from
from vacancy_flows.structures import (
    initial_moments,
    prepare_host,
    remove_labels,
    with_geometry,
)
from vacancy_flows.structures.magnetic_state import magnetic_state

gpaw_package = pytest.importorskip("gpaw", reason="GPAW is not installed (extra gpaw)")
pytestmark = pytest.mark.dft

ENERGIES = {"O2": -3.501, "Li": -1.901, "Li2O": -10.760}  # eV per molecule, atom, formula unit
ATOMS = ["Li", "Li", "Li", "Mn", "O", "O"]  # 2b, 2c, 4h, 4g, 4i, 8j of C2/m
POSITIONS = [
    [0, 0.5, 0],
    [0, 0, 0.5],
    [0, 0.661299, 0.5],
    [0, 0.167234, 0],
    [0.219041, 0, 0.227995],
    [0.253828, 0.32143, 0.223599],
]


@pytest.fixture(scope="module")
def gpaw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpaw")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield get_engine("gpaw", {"encut": 350.0, "stress": False})


@pytest.fixture(scope="module")
def relaxed():
    """The 12-atom cell as CHGNet 0.3.0 relaxes it (its own FIRE, 0.01 eV/Å), with moments.

    Written down, because the energy depends on these digits: 0.1 % of strain takes and gives
    plane waves that are worth up to 0.15 eV at 350 eV.
    """
    lattice = Lattice.monoclinic(5.007904, 8.654627, 5.093152, 109.530363)
    cell = Structure.from_spacegroup("C2/m", lattice, ATOMS, POSITIONS)
    cell = prepare_host(cell.get_primitive_structure())
    cell.add_site_property("magmom", initial_moments(cell, "fm", {}))
    return cell


def of_mn(structure, moments):
    return [m for m, site in zip(moments, structure, strict=True) if site.specie.symbol == "Mn"]


def test_a_vacancy_adds_two_electrons_and_leaves_two_mn3(gpaw, relaxed, chgnet):
    label = next(name for name in relaxed.site_properties["label"] if name.startswith("O-4i"))
    cell = remove_labels(relaxed, [label])
    before = chgnet.relax_maker("fixed", 0.05, 100).relax(cell)
    vacancy = gpaw.static_maker("vacancy").relax(
        start_from.original(cell, before, keep_moments=False)
    )
    assert vacancy.provenance["total_moment"] == pytest.approx(6 + 2, abs=0.02)
    assert of_mn(cell, vacancy.moments) == pytest.approx([3.7, 3.7], abs=0.15)
    state = magnetic_state(cell, vacancy.moments)
    assert state["expected"], state


def check_reference(gpaw, kind):
    reference = gpaw.reference(kind)
    result = gpaw.relax_maker(reference.cell, 0.05, 30, kind).relax(reference.structure)
    assert result.converged
    assert result.energy / reference.units == pytest.approx(ENERGIES[kind], abs=0.005)
    return result


def test_o2_is_a_triplet(gpaw):
    o2 = check_reference(gpaw, "O2")
    assert o2.provenance["total_moment"] == pytest.approx(2, abs=1e-3)
    assert o2.structure.get_distance(0, 1) == pytest.approx(1.273, abs=0.01)  # long at this cutoff
    assert o2.force_calls <= 6  # one bond is all that relaxes


def test_the_pristine_cell_on_the_geometry_of_chgnet(gpaw, relaxed):
    pristine = gpaw.static_maker("pristine").relax(relaxed)
    # An independent calculation, on the same geometry to 1e-4 Å.
    assert pristine.energy == pytest.approx(-54.453, abs=0.01)
    assert pristine.provenance["total_moment"] == pytest.approx(6.00, abs=0.01)
    assert of_mn(relaxed, pristine.moments) == pytest.approx([3.07, 3.07], abs=0.05)


def test_lithium_has_the_volume_of_pbe(gpaw):
    assert check_reference(gpaw, "Li").structure.volume == pytest.approx(20.3, abs=0.2)  # 3.44 Å


def test_lithium_oxide(gpaw):
    check_reference(gpaw, "Li2O")
    # far from 1/2 E(O2) + 0.68: at 350 eV a campaign is refused
    by_oxide = mu_o_from_li2o(ENERGIES["Li2O"], ENERGIES["Li"])
    assert by_oxide - (ENERGIES["O2"] / 2 + 0.68) > 0.2


@pytest.fixture
def lithium_with_1s(tmp_path, monkeypatch):
    """Make the setup Li.sv.PBE as docs/gpaw.md says."""
    how = ["dataset", "Li", "-f", "PBE", "-e", "3", "-t", "sv", "-w", "-b"]
    command = [sys.executable, "-m", "gpaw", *how]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    monkeypatch.chdir(tmp_path)
    gpaw_package.setup_paths.insert(0, tmp_path)  # what GPAW_SETUP_PATH does at the start
    yield
    gpaw_package.setup_paths.remove(tmp_path)


@pytest.mark.usefixtures("lithium_with_1s")
def test_with_1s_of_li_in_the_valence_both_routes_agree():
    """At 500 eV, the crystals in cells found there; with 1s in the core they are 0.12 eV apart."""
    engine = get_engine("gpaw", {"encut": 500.0, "stress": False, "setups": {"Li": "sv"}})
    engine.check()
    o2 = engine.reference("O2")
    by_o2 = engine.relax_maker("fixed", 0.05, 30, "O2").relax(o2.structure).energy / 2 + 0.68
    energies = []
    for kind, volume in (("Li2O", 25.6), ("Li", 20.4)):  # Å³
        structure = engine.reference(kind).structure
        matrix = structure.lattice.scale(volume).matrix
        cell = with_geometry(structure, matrix, structure.frac_coords)
        energies.append(engine.static_maker(kind).relax(cell).energy)
    assert abs(mu_o_from_li2o(*energies) - by_o2) < 0.05
