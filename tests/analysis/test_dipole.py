"""The elastic dipole, on made-up stresses and with CHGNet. Numbers: science.md §5."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from vacancy_flows.analysis.dipole import (
    CellStress,
    ElasticDipole,
    elastic_dipole,
    small_strain,
)
from vacancy_flows.analysis.dipole_prediction import (
    compare_with_direct,
    curvature_from_points,
    predicted_curve,
    predicted_formation_energy,
)
from vacancy_flows.analysis.lattice_error import lattice_error, lattice_strain
from vacancy_flows.structures import (
    MODES,
    built_in_host,
    conventional_axes,
    deform,
    deformation_gradient,
    prepare_host,
    remove_labels,
    site_classes,
)

CUBE = 6.0 * np.eye(3)
ZERO = np.zeros((3, 3))
DIRECT = ("biaxial-ab", "uniaxial-c*")


def rows(points, **more):
    """Return a table of one site, (mode, strain, E_f) each."""
    common = {"host": "Li2MnO3", "engine": "chgnet", "energy_scale": "mp2020", "ordering": None}
    common |= {"n_atoms": 24, "site": "O-8j-1", "mu_o_eV": -4.819, "converged": True}
    names = ["strain_mode", "strain", "formation_energy_eV"]
    return pd.DataFrame(points, columns=names).assign(**(common | more))


# made-up stresses


def test_the_dipole_is_minus_volume_times_the_stress_the_vacancy_adds():
    added, old = np.diag([-0.02, -0.02, -0.01]), np.diag([0.001, 0.0, 0.0])
    assert elastic_dipole(old + added, old, 200.0) == pytest.approx(np.diag([4.0, 4.0, 2.0]))


def test_a_harmonic_crystal_follows_its_dipole():
    # E(ε) of a pristine cell and of one with a dipole D: the stress difference is -D/V
    rng = np.random.default_rng(3)
    first, dipole = (m + m.T for m in rng.normal(size=(2, 3, 3)))
    strain = 1e-3 * (m := rng.normal(size=(3, 3))) + 1e-3 * m.T

    def energy(eps, linear):
        return float(np.sum(linear * eps)) + 40.0 * float(np.sum(eps * eps))

    volume = 216.0
    found = ElasticDipole.from_cells(
        CellStress(CUBE, (first - dipole) / volume), CellStress(CUBE, first / volume)
    )
    assert found.tensor == pytest.approx(dipole)
    direct = energy(strain, first - dipole) - energy(strain, first)
    assert predicted_formation_energy(0.0, found, strain) == pytest.approx(direct)


def test_principal_values_do_not_depend_on_the_frame():
    dipole = ElasticDipole(np.array([[3.4, 0.0, -1.1], [0.0, 4.3, -0.6], [-1.1, -0.6, 2.2]]))
    axes = [[0.0, 5.0, 0.0], [8.6, 0.0, 0.0], [1.0, -1.5, -4.8]]
    turned = dipole.along(axes)
    assert turned.trace == pytest.approx(dipole.trace) == pytest.approx(9.9)
    assert turned.principal_values == pytest.approx(dipole.principal_values)
    directions = dipole.principal_directions
    assert directions @ dipole.tensor @ directions.T == pytest.approx(
        np.diag(dipole.principal_values), abs=1e-12
    )
    assert turned.tensor[0, 0] == pytest.approx(4.3)  # a lies along y here
    with pytest.raises(ValueError, match="independent"):
        dipole.along(ZERO)


def test_the_small_strain_has_no_rotation():
    angle = 1e-4
    turn = [[1.0, -angle, 0.0], [angle, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert small_strain(turn) == pytest.approx(ZERO)
    assert small_strain(1.01 * np.eye(3)) == pytest.approx(0.01 * np.eye(3))


def test_modes_take_their_part_of_the_dipole():
    dipole = ElasticDipole(np.diag([4.0, 4.4, 1.7]))
    slopes = {m: predicted_curve(0.0, dipole, CUBE, m, [0.01])[0] / 0.01 for m in MODES}
    expected = {"uniaxial-a": -4.0, "uniaxial-b": -4.4, "uniaxial-c*": -1.7}
    expected |= {"biaxial-ab": -8.4, "hydrostatic": -10.1}
    assert slopes == pytest.approx(expected)
    assert predicted_curve(2.0, dipole, CUBE, "hydrostatic", []).shape == (0,)


def test_a_cell_too_large_makes_the_energy_too_low():
    dipole = ElasticDipole(np.diag([4.0, 4.4, 1.7]))
    assert lattice_error(dipole, 0.01) == pytest.approx(-0.101)
    hydrostatic = predicted_curve(0.0, dipole, CUBE, "hydrostatic", [0.01])[0]
    assert lattice_error(dipole, 0.01) == pytest.approx(hydrostatic)
    assert lattice_error(dipole, np.diag([0.01, 0, 0])) == pytest.approx(-0.040)


def test_stress_that_is_left_tells_how_far_a_cell_is_off():
    bulk_modulus = 0.9
    tension = 3 * bulk_modulus * 0.01 * np.eye(3)  # positive: the cell is too large
    assert lattice_strain(tension, bulk_modulus) == pytest.approx(0.01 * np.eye(3))
    shape = np.array([[0.02, 0, 0.01], [0, -0.02, 0], [0.01, 0, 0]])
    strain = lattice_strain(tension + shape, bulk_modulus)
    assert np.trace(strain) == pytest.approx(0.03)
    assert strain - 0.01 * np.eye(3) == pytest.approx(shape / (2 * 0.6 * bulk_modulus))
    with pytest.raises(ValueError, match="above zero"):
        lattice_strain(tension, 0.0)


@pytest.mark.parametrize(
    ("vacancy", "pristine", "message"),
    [
        (
            CellStress(CUBE, ZERO, converged=False, name="u1"),
            CellStress(CUBE, ZERO),
            "vacancy cell u1",
        ),
        (
            CellStress(CUBE, ZERO),
            CellStress(CUBE, ZERO, converged=False),
            "pristine cell .* not conv",
        ),
        (CellStress(CUBE * (1 + 1e-5), ZERO), CellStress(CUBE, ZERO), "same fixed cell"),
        # the same volume, another shape
        (CellStress(np.diag([12.0, 3.0, 6.0]), ZERO), CellStress(CUBE, ZERO), "same fixed cell"),
        (CellStress(CUBE, np.triu(np.ones((3, 3)))), CellStress(CUBE, ZERO), "not symmetric"),
        (CellStress(CUBE, ZERO[0]), CellStress(CUBE, ZERO), "3×3"),
        (CellStress(CUBE, ZERO), CellStress(CUBE, np.full((3, 3), np.nan)), "finite"),
    ],
)
def test_pairs_without_a_dipole_are_refused(vacancy, pristine, message):
    with pytest.raises(ValueError, match=message):
        ElasticDipole.from_cells(vacancy, pristine)


@pytest.mark.parametrize("volume", [0.0, -1.0, np.inf, np.nan])
def test_a_volume_is_above_zero(volume):
    with pytest.raises(ValueError, match="volume"):
        elastic_dipole(ZERO, ZERO, volume)


def test_rounding_of_a_stress_is_symmetrised():
    stress = -0.01 * np.eye(3)
    stress[0, 1] = 1e-5
    assert elastic_dipole(stress, ZERO, 200.0)[0, 1] == pytest.approx(-1e-3)
    assert elastic_dipole(stress, ZERO, 200.0)[1, 0] == pytest.approx(-1e-3)


# comparison with a table


def test_comparison_and_its_curvature():
    dipole = ElasticDipole(np.diag([4.0, 4.4, 1.7]))
    points = [("biaxial-ab", e, 2.5 - 8.4 * e - 0.5 * 20 * e**2) for e in (0.04, 0.02, -0.02)]
    points += [("custom", np.nan, 2.0), ("none", 0.0, 2.5), ("uniaxial-a", 0.02, 9.0)]
    table = rows(points)
    table.loc[5, "converged"] = False
    result = compare_with_direct(table, dipole, CUBE)
    assert result["strain"].tolist() == [0.0, -0.02, 0.02, 0.04]
    assert result["error_eV"].tolist() == pytest.approx([0.0, 0.004, 0.004, 0.016])
    assert curvature_from_points(result).to_dict() == pytest.approx({"biaxial-ab": -20.0})


@pytest.mark.parametrize(
    ("column", "value"),
    [("site", "O-4i-1"), ("energy_scale", "r2scan"), ("mu_o_eV", -5.0), ("n_atoms", 48)],
)
def test_mixed_rows_are_refused(column, value):
    table = rows([("none", 0.0, 2.5), ("hydrostatic", 0.01, 2.4)])
    table.loc[1, column] = value
    with pytest.raises(ValueError, match=rf"several {column} .*one dipole"):
        compare_with_direct(table, ElasticDipole(np.eye(3)), CUBE)


def test_a_comparison_needs_its_unstrained_row():
    with pytest.raises(ValueError, match="here are 0"):
        compare_with_direct(rows([("hydrostatic", 0.01, 2.4)]), ElasticDipole(np.eye(3)), CUBE)


# CHGNet


@pytest.fixture(scope="module")
def chgnet():
    """Li2MnO3, 24 atoms: the 8j vacancy in the relaxed cell, and in cells strained by 1 %."""
    pytest.importorskip("chgnet")
    from vacancy_flows.engines import get_engine

    engine = get_engine("chgnet")
    fixed = engine.relax_maker("fixed", 0.01, 200)
    start = prepare_host(built_in_host("Li2MnO3"))
    host = engine.relax_maker("free", 0.01, 500).relax(start).structure
    axes = conventional_axes(host)
    label = next(c.label for c in site_classes(host) if c.wyckoff == "8j")

    def pair(gradient):
        cell = deform(host, gradient)
        results = fixed.relax(remove_labels(cell, [label])), fixed.relax(cell)
        return [
            (r.energy, CellStress(r.structure.lattice.matrix, r.stress, r.converged))
            for r in results
        ]

    (e_vacancy, vacancy), (e_pristine, pristine) = pair(np.eye(3))
    points = [("none", 0.0, e_vacancy - e_pristine)]
    for mode in DIRECT:
        (e_vacancy, _), (e_pristine, _) = pair(deformation_gradient(axes, mode, 0.01))
        points.append((mode, 0.01, e_vacancy - e_pristine))
    return SimpleNamespace(vacancy=vacancy, pristine=pristine, axes=axes, table=rows(points))


def test_dipole_of_the_8j_vacancy(chgnet):
    dipole = ElasticDipole.from_cells(chgnet.vacancy, chgnet.pristine)
    turned = dipole.along(chgnet.axes).tensor
    assert np.diag(turned) == pytest.approx([4.0, 4.4, 1.7], abs=0.3)
    assert dipole.trace == pytest.approx(10.0, abs=0.7)
    # pymatgen's orientation, c along z
    assert np.diag(dipole.tensor) == pytest.approx([3.4, 4.3, 2.2], abs=0.3)
    assert dipole.tensor[0, 2] == pytest.approx(-1.1, abs=0.3)
    assert abs(dipole.tensor[1, 2]) == pytest.approx(0.6, abs=0.3)  # sign by the member of 8j


def test_prediction_agrees_with_directly_strained_cells(chgnet):
    dipole = ElasticDipole.from_cells(chgnet.vacancy, chgnet.pristine)
    result = compare_with_direct(chgnet.table, dipole, chgnet.axes).set_index("strain_mode")
    assert set(result.index) == {"none", *DIRECT}
    assert result["error_eV"].abs().max() < 0.005
    assert (result.loc[list(DIRECT), "direct_eV"] < result.loc["none", "direct_eV"] - 0.01).all()


def test_the_other_sign_misses_by_far(chgnet):
    dipole = ElasticDipole.from_cells(chgnet.pristine, chgnet.vacancy)
    result = compare_with_direct(chgnet.table, dipole, chgnet.axes).set_index("strain_mode")
    assert (result.loc[list(DIRECT), "error_eV"].abs() > 0.02).all()
