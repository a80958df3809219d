import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.electronic_structure.core import Magmom

from vacancy_flows.structures import (
    built_in_host,
    conventional_axes,
    deform,
    deformation_gradient,
    initial_moments,
    oxidation_states,
    prepare_host,
    remove_labels,
)
from vacancy_flows.structures.moments import spin_only_moment


def box(formula):
    """Sites of a formula anywhere: oxidation states do not look at positions."""
    species = [str(el) for el, n in Composition(formula).items() for _ in range(int(n))]
    return Structure(Lattice.cubic(10), species, np.random.default_rng(0).random((len(species), 3)))


def manganese(structure, moments):
    return [m for site, m in zip(structure, moments, strict=True) if site.specie.symbol == "Mn"]


@pytest.mark.parametrize(
    ("element", "state", "moment"),
    [
        ("Mn", 4, 3), ("Mn", 3, 4), ("Mn", 2, 5), ("Ni", 2, 2), ("Ni", 3, 1), ("Ni", 4, 0),
        ("Co", 2, 3), ("Co", 3, 0), ("Co", 4, 1), ("Fe", 3, 5), ("Fe", 2, 4), ("Cr", 3, 3),
        ("V", 4, 1), ("Ti", 4, 0), ("Cu", 2, 1), ("Ru", 5, 3), ("Ru", 4, 2), ("Ir", 4, 1),
        ("Nb", 5, 0), ("Gd", 3, 7), ("La", 3, 0), ("O", -2, 0), ("Li", 1, 0), ("Mn", 3.5, 3.5),
    ],
)  # fmt: skip
def test_spin_only_moments(element, state, moment):
    assert spin_only_moment(element, state) == moment


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Li2MnO3", {"Mn": 4}),
        ("Li3NiCoMnO6", {"Ni": 2, "Co": 3, "Mn": 4}),
        ("NiCoMnO6", {"Ni": 4, "Co": 4, "Mn": 4}),
        ("LiCoO2", {"Co": 3}),
        ("LiNiO2", {"Ni": 3}),
        ("Li2NiMn3O8", {"Ni": 2, "Mn": 4}),
        ("Li8Mn4O11", {"Mn": 3.5}),
        ("Li3Mn2O6", {"Mn": 4, "O": -11 / 6}),  # the hole sits on O: science.md, section 4
        ("Li2RuO3", {"Ru": 4}),
        ("LiFePO4", {"Fe": 2, "P": 5}),
    ],
)
def test_oxidation_states(formula, expected):
    structure = box(formula)
    states = oxidation_states(structure)
    assert {key: states[key] for key in expected} == pytest.approx(expected)
    assert sum(states[site.specie.symbol] for site in structure) == pytest.approx(0, abs=1e-9)


def test_states_of_the_structure_win():
    structure = box("Li3NiCoMnO6")
    structure.add_oxidation_state_by_element({"Li": 1, "Ni": 3, "Co": 3, "Mn": 3, "O": -2})
    assert oxidation_states(structure)["Ni"] == 3
    assert oxidation_states(prepare_host(structure, symprec=1e-3))["Mn"] == 3


def test_states_that_no_longer_add_up_are_not_used(host24):
    host = host24.copy()
    host.properties["oxidation_states"] = {"Li": 1, "Mn": 4, "O": -2}
    assert oxidation_states(remove_labels(host, ["O-8j-1"]))["Mn"] == 3.5


def test_states_that_cannot_be_told():
    with pytest.raises(ValueError, match="oxidation states of TiMn2 cannot be told"):
        oxidation_states(box("TiMn2"))


def test_ferromagnetic_manganese_has_three(host24):
    moments = initial_moments(host24)
    assert manganese(host24, moments) == [3.0] * 4
    assert sum(map(abs, moments)) == 12


@pytest.mark.parametrize("matrix", [(1, 1, 1), (2, 1, 1), (1, 1, 2)])
@pytest.mark.parametrize("cell", ["conventional", "primitive"])
def test_the_honeycomb_takes_a_balanced_neel_order(cell, matrix):
    host = prepare_host(built_in_host("Li2MnO3", cell), matrix)
    moments = np.array(initial_moments(host, "afm"))
    assert moments.sum() == 0
    sites = [i for i, site in enumerate(host) if site.specie.symbol == "Mn"]
    for i in sites:
        for neighbour in host.get_neighbors(host[i], 3.0):
            if neighbour.specie.symbol == "Mn":
                assert moments[neighbour.index] == -moments[i]


@pytest.mark.parametrize("mode", ["uniaxial-a", "uniaxial-b", "biaxial-ab"])
def test_strain_does_not_change_the_neel_order(host24, mode):
    gradient = deformation_gradient(conventional_axes(host24), mode, 0.08)
    strained = deform(host24, gradient)
    assert initial_moments(strained, "afm") == initial_moments(host24, "afm")


@pytest.mark.parametrize("matrix", [(1, 1, 1), (2, 2, 1)])
def test_the_triangular_lattice_is_refused(licoo2, matrix):
    host = prepare_host(licoo2, matrix)
    with pytest.raises(ValueError, match="No antiferromagnetic order"):
        initial_moments(host, "afm", {"Co": 2.0})


def test_without_magnetic_sites_there_is_nothing_to_order(licoo2):
    assert initial_moments(licoo2, "afm") == [0.0] * 4  # Co3+ low spin


def test_overrides_and_which_wins(host24):
    moments = initial_moments(host24, "fm", {"Mn": 3.5, "Mn-4g-2": -1.0, "O": 0.1})
    assert manganese(host24, moments) == [3.5, -1.0, 3.5, 3.5]
    assert moments[-1] == 0.1
    afm = manganese(host24, initial_moments(host24, "afm", {"Mn": 3.5, "Mn-4g-2": 2.0}))
    assert afm[1] == 2.0
    assert sorted(afm) == [-3.5, 2.0, 3.5, 3.5]


def test_overrides_need_no_oxidation_states():
    moments = initial_moments(box("TiMn2"), overrides={"Mn": 2.0, "Ti": 0.0})
    assert sorted(moments) == [0.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"Mm": 3.0}, "nearest known: Mn"),
        ({"Mn-4g-7": 3.0}, "Mn-4g-"),
        ({"Mn": float("nan")}, "finite"),
    ],
)
def test_overrides_that_are_wrong(host24, overrides, message):
    with pytest.raises(ValueError, match=message):
        initial_moments(host24, overrides=overrides)


def test_unknown_order(host24):
    with pytest.raises(ValueError, match="'fm' or 'afm'"):
        initial_moments(host24, "ferri")


@pytest.mark.parametrize(
    "values",
    [
        [1.0, -2.0, None, 0.0],
        [Magmom(1.0), Magmom(-2.0), Magmom(0.0), Magmom(0.0)],
        [[0.6, 0.8, 0], [-1.2, -1.6, 0], [0, 0, 0], [0, 0, 0]],
    ],
)
def test_moments_of_the_file_win(licoo2, values):
    licoo2.add_site_property("magmom", values)
    moments = initial_moments(prepare_host(licoo2), "afm", {"Co": 5.0})
    assert np.abs(moments).tolist() == pytest.approx([1, 2, 0, 0])
    assert moments[0] * moments[1] < 0


def test_moments_that_are_not_collinear_are_refused(licoo2):
    licoo2.add_site_property("magmom", [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]])
    with pytest.raises(ValueError, match="not collinear"):
        prepare_host(licoo2)
    licoo2.add_site_property("magmom", ["up"] * 4)
    with pytest.raises(ValueError, match="cannot be read"):
        prepare_host(licoo2)
