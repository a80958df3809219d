"""CHGNet as an engine: its calculator, its relaxations, its references."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from ase.stress import full_3x3_to_voigt_6_stress
from chgnet.model.dynamics import CHGNetCalculator
from pymatgen.core import Lattice
from pymatgen.io.ase import AseAtomsAdaptor

from vacancy_flows import engines
from vacancy_flows.analysis import mu_o_from_li2o, mu_o_from_o2
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import ENGINES, REFERENCE_KINDS, Engine, get_engine
from vacancy_flows.engines.base import default_reference
from vacancy_flows.engines.chgnet import calculator
from vacancy_flows.engines.minimise import stress_limit
from vacancy_flows.errors import EngineError


@pytest.fixture(scope="module")
def rattled(host12):
    """The 12-atom cell, sheared and rattled: nothing vanishes by symmetry."""
    shear = np.array([[1.02, 0.03, 0.0], [0.0, 0.99, 0.02], [0.01, 0.0, 1.015]])
    cell = host12.copy()
    cell.lattice = Lattice(cell.lattice.matrix @ shear.T)
    steps = np.random.default_rng(1).normal(scale=0.05, size=(len(cell), 3))
    for index, step in enumerate(steps):
        cell.translate_sites([index], step, frac_coords=False)
    return cell


@pytest.fixture
def atoms(rattled):
    found = AseAtomsAdaptor.get_atoms(rattled, msonable=False)
    found.calc = calculator("chgnet", "cpu")
    return found


@pytest.fixture(scope="module")
def references(finished):
    """E(O2), E(Li), E(Li2O) per unit, as the small campaign stored them."""
    rows = ResultsDatabase(finished.directory / "results.db").table()
    rows = rows[rows.kind == "reference"]
    return dict(zip(rows.reference_kind, rows.energy_eV, strict=True))


def test_one_gradient_equals_chgnets_own_calculator(atoms):
    own = atoms.copy()
    own.calc = CHGNetCalculator(atoms.calc.model, use_device="cpu")
    assert atoms.get_potential_energy() == pytest.approx(own.get_potential_energy(), abs=1e-5)
    assert atoms.get_forces() == pytest.approx(own.get_forces(), abs=1e-4)
    assert atoms.get_stress() == pytest.approx(own.get_stress(), abs=1e-5)
    theirs = np.ravel(own.get_magnetic_moments())
    assert atoms.get_magnetic_moments() == pytest.approx(theirs, abs=1e-5)
    assert np.abs(atoms.get_stress()).min() > 1e-4  # all six components were compared


def test_stress_asked_for_changes_no_energy_or_force(atoms):
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.get_stress()
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-5)
    assert atoms.get_forces() == pytest.approx(forces, abs=1e-4)


def test_forces_are_the_slope_of_the_energy(atoms):
    forces, step = atoms.get_forces(), 0.01
    for index, axis in ((0, 0), (5, 1), (9, 2)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.calc = atoms.calc
            moved.positions[index, axis] += sign * step
            energies.append(moved.get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * step)
        assert forces[index, axis] == pytest.approx(-slope, abs=0.01)


@pytest.mark.parametrize(("i", "j"), [(0, 0), (2, 2), (0, 1), (1, 2)])
def test_stress_is_the_slope_of_the_energy_with_strain(atoms, i, j):
    stress, step = atoms.get_stress(voigt=False)[i, j], 0.005
    energies = []
    for sign in (1, -1):
        strain = np.eye(3)
        strain[i, j] += sign * step / 2
        strain[j, i] += sign * step / 2
        moved = atoms.copy()
        moved.calc = atoms.calc
        moved.set_cell(atoms.cell.array @ strain.T, scale_atoms=True)
        energies.append(moved.get_potential_energy())
    slope = (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
    assert stress == pytest.approx(slope, abs=5e-4)


def test_a_compressed_cell_has_negative_stress(host12, chgnet):
    small, large = host12.copy(), host12.copy()
    small.scale_lattice(host12.volume * 0.9)
    large.scale_lattice(host12.volume * 1.1)
    assert np.trace(chgnet.static_maker().relax(small).stress) < -0.05
    assert np.trace(chgnet.static_maker().relax(large).stress) > 0.05


def test_a_static_calculation_moves_nothing(rattled, chgnet):
    result = chgnet.static_maker().relax(rattled)
    assert result.reason == "static"
    assert result.converged
    assert result.n_steps == 0
    assert result.force_calls == 1
    assert np.allclose(result.structure.frac_coords, rattled.frac_coords, atol=1e-12)
    assert result.max_force > 0.5


def test_masked_atoms_stay_and_do_not_count(rattled, chgnet):
    cell = rattled.copy()
    free = [index in (0, 6, 7) for index in range(len(cell))]
    cell.add_site_property("selective_dynamics", [[value] * 3 for value in free])
    result = chgnet.relax_maker("fixed", 0.05, 100).relax(cell)
    moved = np.linalg.norm(result.structure.cart_coords - cell.cart_coords, axis=1)
    assert (moved[free] > 1e-3).all()
    assert (moved[~np.array(free)] < 1e-10).all()
    forces = np.linalg.norm(result.forces, axis=1)
    assert result.converged
    assert result.max_force == pytest.approx(forces[free].max())
    assert result.max_force <= 0.05 < forces.max()


def test_a_mask_of_single_components(rattled, chgnet):
    cell = rattled.copy()
    cell.add_site_property("selective_dynamics", [[False, False, True]] * len(cell))
    result = chgnet.relax_maker("fixed", 0.1, 100).relax(cell)
    step = result.structure.cart_coords - cell.cart_coords
    assert np.abs(step[:, :2]).max() < 1e-10
    assert np.abs(step[:, 2]).max() > 1e-3
    assert result.max_force == pytest.approx(np.abs(np.array(result.forces)[:, 2]).max())


def test_a_fixed_cell_stays_and_a_relaxation_lowers_the_energy(rattled, chgnet):
    before = chgnet.static_maker().relax(rattled)
    after = chgnet.relax_maker("fixed", 0.1, 100).relax(rattled)
    assert np.allclose(after.structure.lattice.matrix, rattled.lattice.matrix, atol=1e-12)
    assert after.energy < before.energy - 0.1
    assert after.converged
    assert after.max_force <= 0.1
    assert after.structure.site_properties["label"] == rattled.site_properties["label"]


def test_the_stored_energy_belongs_to_the_stored_geometry(rattled, chgnet):
    result = chgnet.relax_maker("fixed", 0.1, 100).relax(rattled)
    again = chgnet.static_maker().relax(result.structure)
    assert again.energy == pytest.approx(result.energy, abs=2e-5)
    assert np.array(again.stress) == pytest.approx(np.array(result.stress), abs=1e-5)


@pytest.mark.parametrize("cell", ["fixed", "free"])
def test_a_relaxation_that_is_cut_says_so(rattled, chgnet, cell):
    result = chgnet.relax_maker(cell, 0.001, 2).relax(rattled)
    assert not result.converged
    assert result.n_steps == 2
    assert result.reason == "stopped at its limit of 2 steps"
    assert result.max_force > 0.001


def test_a_free_cell_ends_without_stress(rattled, chgnet):
    result = chgnet.relax_maker("free", 0.05, 200).relax(rattled)
    assert result.converged
    assert result.max_force <= 0.05
    assert np.abs(result.stress).max() <= 0.02 * 0.05
    assert not np.allclose(result.structure.lattice.matrix, rattled.lattice.matrix, atol=1e-2)


def test_converged_rows_of_a_campaign_are_below_fmax(finished):
    records = list(ResultsDatabase(finished.directory / "results.db").records())
    assert len(records) == 16
    for record in records:
        assert record.result.converged
        assert record.result.max_force <= record.calculation.fmax
        if record.calculation.cell == "free":
            stress = full_3x3_to_voigt_6_stress(np.array(record.result.stress))
            assert np.abs(stress).max() <= stress_limit(record.calculation.fmax)


@pytest.mark.parametrize(("fmax", "limit"), [(0.01, 2e-4), (0.025, 5e-4), (0.3, 5e-4), (1, 5e-4)])
def test_the_stress_limit_follows_fmax_to_a_cap(fmax, limit):
    assert stress_limit(fmax) == pytest.approx(limit)


def test_a_loose_fmax_leaves_no_stressed_free_cell(rattled, chgnet, monkeypatch):
    maker = chgnet.relax_maker("free", 0.3, 100)
    result = maker.relax(rattled)
    assert result.converged
    assert np.abs(result.stress).max() <= 5e-4  # 0.08 GPa

    # and forces below a loose fmax are not enough: 0.3 % of volume is a stress too many
    monkeypatch.setattr("vacancy_flows.engines.ase_relax.minimise", lambda *_, **__: 1)
    large = result.structure.copy()
    large.scale_lattice(large.volume * 1.003)
    stretched = maker.relax(large)
    assert 5e-4 < np.abs(stretched.stress).max() < 0.02 * 0.3
    assert stretched.max_force < 0.3
    assert not stretched.converged


def test_energies_that_are_no_numbers_are_an_error(host12, chgnet, monkeypatch):
    calc = calculator("chgnet", "cpu")
    collect = type(calc)._collect

    def broken(self, energy, gradients, moments):
        return collect(self, float("nan"), gradients, moments)

    monkeypatch.setattr(type(calc), "_collect", broken)
    with pytest.raises(EngineError, match="not a finite number"):
        chgnet.static_maker().relax(host12)


def test_the_model_is_loaded_once_per_process(chgnet):
    first, second = chgnet.relax_maker("fixed", 0.01, 5), chgnet.static_maker()
    assert first.calculator is second.calculator
    assert calculator("chgnet", "cpu") is not calculator("chgnet-r2scan", "cpu")


def test_loading_and_relaxing_print_nothing(host12, capfd):
    calculator.cache_clear()
    get_engine("chgnet").static_maker().relax(host12)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("settings", [{"encut": 520}, {"device": "gpu"}, {"device": 0}])
def test_unknown_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        get_engine("chgnet", settings)


def test_an_unknown_engine_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown engine 'chgnett'.*did you mean 'chgnet'"):
        get_engine("chgnett")


class Invented:
    """An engine that stands outside the package."""

    def __init__(self, name, device):
        self.name, self.device = name, device


def test_an_engine_is_one_entry_of_the_registry(monkeypatch):
    monkeypatch.setitem(sys.modules, "invented_engine", SimpleNamespace(Invented=Invented))
    entry = engines._REGISTRY["chgnet"]._replace(place="invented_engine:Invented")
    monkeypatch.setitem(engines._REGISTRY, "invented", entry)
    found = get_engine("invented", {"device": "mps"})
    assert isinstance(found, Invented)
    assert (found.name, found.device) == ("invented", "mps")
    assert engines.settings_model("invented") is entry.settings


def test_the_first_engine_is_the_default():
    assert ENGINES == ("chgnet", "chgnet-r2scan", "gpaw", "vasp")
    assert get_engine() == get_engine("chgnet")


def test_engines_fill_the_protocol_and_differ_in_scale():
    default, r2scan = get_engine("chgnet"), get_engine("chgnet-r2scan")
    assert isinstance(default, Engine)
    assert (default.energy_scale, r2scan.energy_scale) == ("mp2020", "r2scan")
    assert default.fingerprint() != r2scan.fingerprint()
    assert not default.uses_moments


def test_the_device_is_no_part_of_an_identity():
    assert (
        get_engine("chgnet", {"device": "cuda"}).fingerprint() == get_engine("chgnet").fingerprint()
    )


def test_provenance_names_versions_and_weights(host12, chgnet):
    found = chgnet.static_maker().relax(host12).provenance
    assert found["weights"] == "0.3.0"
    assert found["torch"]
    assert found["chgnet"]


@pytest.mark.parametrize(
    ("kind", "group", "atoms", "nearest"),
    [("Li", "Im-3m", 1, 3.51 * 3**0.5 / 2), ("Li2O", "Fm-3m", 3, 4.62 * 3**0.5 / 4)],
)
def test_reference_crystals(kind, group, atoms, nearest):
    """Primitive cells of bcc Li and of antifluorite Li2O, right-handed."""
    cell = default_reference(kind).structure
    assert (cell.get_space_group_info()[0], len(cell)) == (group, atoms)
    assert np.linalg.det(cell.lattice.matrix) > 0
    assert min(n.nn_distance for n in cell.get_neighbors(cell[0], 4.0)) == pytest.approx(nearest)
    assert cell.composition.reduced_formula == kind


def test_reference_energies(references):
    assert references == pytest.approx({"O2": -9.637, "Li": -1.880, "Li2O": -14.781}, abs=0.002)


def test_both_routes_to_mu_o(references):
    from_o2 = mu_o_from_o2(references["O2"], 0.0)
    from_li2o = mu_o_from_li2o(references["Li2O"], references["Li"])
    assert from_o2 == pytest.approx(-4.819, abs=0.01)
    assert from_li2o == pytest.approx(-4.823, abs=0.01)


def test_the_bond_of_o2(finished):
    records = ResultsDatabase(finished.directory / "results.db").records()
    o2 = next(r for r in records if r.calculation.reference_kind == "O2")
    assert o2.structure.get_distance(0, 1) == pytest.approx(1.231, abs=0.003)


def test_the_routes_of_r2scan_agree():
    engine = get_engine("chgnet-r2scan")
    energies = {}
    for kind in REFERENCE_KINDS:
        reference = engine.reference(kind)
        result = engine.relax_maker(reference.cell, 0.01, 500).relax(reference.structure)
        assert result.converged, kind
        energies[kind] = result.energy / reference.units
    routes = (
        mu_o_from_o2(energies["O2"], 0.0),
        mu_o_from_li2o(energies["Li2O"], energies["Li"]),
    )
    assert abs(routes[0] - routes[1]) < 0.2
    assert energies["O2"] < -11  # raw r2SCAN, not the corrected scale of the default weights
