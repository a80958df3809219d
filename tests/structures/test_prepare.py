import math
from collections import Counter

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pymatgen.core import Lattice, Species, Structure

from vacancy_flows.structures import (
    built_in_host,
    conventional_axes,
    prepare_host,
    supercell_matrix,
    with_geometry,
)

PRIMITIVE = built_in_host("Li2MnO3", "primitive")
AXES = built_in_host("Li2MnO3").lattice.matrix


def kinds(structure):
    return Counter(label.rsplit("-", 1)[0] for label in structure.site_properties["label"])


def test_labels_of_the_conventional_cell(host24):
    assert kinds(host24) == {
        "Li-2b": 2, "Li-2c": 2, "Li-4h": 4, "Mn-4g": 4, "O-4i": 4, "O-8j": 8,
    }  # fmt: skip


def test_multiplicity_in_a_label_is_that_of_the_conventional_cell(host12):
    assert kinds(host12) == {
        "Li-2b": 1, "Li-2c": 1, "Li-4h": 2, "Mn-4g": 2, "O-4i": 2, "O-8j": 4,
    }  # fmt: skip


@pytest.mark.parametrize("supercell", [(2, 1, 1), [[1, 1, 0], [-1, 1, 0], [0, 0, 2]]])
def test_letters_are_carried_and_numbers_run_through_the_supercell(supercell):
    host = prepare_host(built_in_host("Li2MnO3"), supercell)
    labels = host.site_properties["label"]
    assert len(set(labels)) == len(host)
    oxygen = [int(label.rsplit("-", 1)[1]) for label in labels if label.startswith("O-8j")]
    assert oxygen == list(range(1, len(oxygen) + 1))
    assert set(kinds(host)) == {"Li-2b", "Li-2c", "Li-4h", "Mn-4g", "O-4i", "O-8j"}


def test_the_native_label_is_not_ours(host24):
    assert host24[0].label != host24[0].properties["label"]


@given(
    st.tuples(*[st.integers(1, 2)] * 3),
    arrays(int, (3, 3), elements=st.integers(-1, 1)),
    arrays(int, (3, 3), elements=st.integers(-1, 1)),
)
@settings(max_examples=25, deadline=None)
def test_any_supercell_keeps_crystal_and_axes(diagonal, lower, upper):
    determinant = math.prod(diagonal)
    matrix = (np.tril(lower, -1) + np.eye(3, dtype=int)) @ (np.triu(upper, 1) + np.diag(diagonal))
    host = prepare_host(PRIMITIVE, matrix)
    assert host.composition == PRIMITIVE.composition * determinant
    assert host.volume == pytest.approx(determinant * PRIMITIVE.volume)
    np.testing.assert_allclose(conventional_axes(host), AXES, atol=1e-9)
    # Mn-O distances are those of the crystal: six within 2.2 Å of every Mn.
    manganese = [site for site in host if site.specie.symbol == "Mn"]
    centres, others, _, _ = host.get_neighbor_list(2.2, sites=manganese)
    oxygen = np.array([site.specie.symbol == "O" for site in host])
    assert set(np.bincount(centres[oxygen[others]])) == {6}


def test_axes_of_a_file_are_its_cell_before_the_supercell(licoo2):
    host = prepare_host(licoo2, [[1, 1, 0], [-1, 1, 0], [0, 0, 2]])
    np.testing.assert_allclose(conventional_axes(host), licoo2.lattice.matrix, atol=1e-6)


def test_axes_default_to_the_cell(licoo2):
    np.testing.assert_allclose(conventional_axes(licoo2), licoo2.lattice.matrix)


def test_moments_and_states_of_the_file_are_kept(licoo2):
    given_cell = licoo2.copy()
    given_cell.add_oxidation_state_by_element({"Li": 1, "Co": 3, "O": -2})
    given_cell.add_site_property("magmom", [0.5 * i for i in range(4)])
    host = prepare_host(given_cell, (1, 1, 2))
    assert host.site_properties["magmom"] == [0, 0, 0.5, 0.5, 1, 1, 1.5, 1.5]
    assert host.properties["oxidation_states"] == {"Li": 1, "Co": 3, "O": -2}
    assert not any(isinstance(site.specie, Species) for site in host)


def test_spins_of_species_become_moments(licoo2):
    spins = [0, 3, 0, 0]
    species = [
        Species(el.symbol, 1, spin=spin) for el, spin in zip(licoo2.species, spins, strict=True)
    ]
    host = prepare_host(Structure(licoo2.lattice, species, licoo2.frac_coords))
    assert host.site_properties["magmom"] == spins


def test_other_site_properties_of_a_file_go(licoo2):
    licoo2.add_site_property("selective_dynamics", [[True] * 3] * 4)
    assert set(prepare_host(licoo2).site_properties) == {"label"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ((2, 1, 3), np.diag([2, 1, 3])),
        (np.array([1, 1, 2]), np.diag([1, 1, 2])),
        ([[1, 1, 0], [-1, 1, 0], [0, 0, 1]], [[1, 1, 0], [-1, 1, 0], [0, 0, 1]]),
    ],
)
def test_supercells_that_are(spec, expected):
    matrix = supercell_matrix(spec)
    assert matrix.dtype.kind == "i"
    np.testing.assert_array_equal(matrix, expected)


@pytest.mark.parametrize(
    "spec",
    [
        (0, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, 1), (1, 1, 1, 1), (1.5, 1, 1), (2.0, 1, 1),
        (True, 1, 1), "222", 2, None, {"a": 1}, [[1, 0, 0], [0, 1, 0]], [[1, 0], [0, 1], [0, 0]],
        [[1, 0, 0], [2, 0, 0], [0, 0, 1]], [[0, 1, 0], [1, 0, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 0], 1], (10**30, 1, 1), ("1", "1", "1"), (float("nan"), 1, 1), [],
        [[1, 0, 0], [0, 1, 0], [0, 0, [1]]],
    ],
)  # fmt: skip
def test_supercells_that_are_not(spec):
    with pytest.raises(ValueError, match=r"supercell"):
        supercell_matrix(spec)


def test_absurd_supercells_say_how_many_atoms():
    with pytest.raises(ValueError, match="24000 atoms"):
        prepare_host(built_in_host("Li2MnO3"), (10, 10, 10))
    with pytest.raises(ValueError, match="too skewed"):
        prepare_host(PRIMITIVE, [[1, 2000, 0], [0, 1, 2000], [0, 0, 1]])


def test_structures_that_are_no_hosts():
    cell = Lattice.cubic(4)
    with pytest.raises(ValueError, match="partial occupancies"):
        prepare_host(Structure(cell, [{"Li": 0.5, "Mn": 0.5}], [[0, 0, 0]]))
    with pytest.raises(ValueError, match=r"0\.400 Å apart"):
        prepare_host(Structure(cell, ["Li", "O"], [[0, 0, 0], [0, 0, 0.1]]))
    with pytest.raises(ValueError, match=r"Å apart"):  # its own image
        prepare_host(Structure(Lattice.orthorhombic(0.4, 4, 4), ["Li"], [[0, 0, 0]]))
    with pytest.raises(ValueError, match="no atoms"):
        prepare_host(Structure(cell, [], []))
    with pytest.raises(ValueError, match="dummy"):
        prepare_host(Structure(cell, ["X"], [[0, 0, 0]]))
    with pytest.raises(ValueError, match="finite"):
        prepare_host(Structure(cell, ["O"], [[0, 0, float("nan")]]))


@pytest.mark.parametrize(
    ("vectors", "part"),
    [
        (np.diag([4000.0] * 3), r"3\.2e\+10 Å³ per atom, outside 2 to 100: check scale"),
        (np.diag([7.0, 7.0, 6.0]), "147 Å³ per atom"),
        (np.diag([1.5, 1.5, 1.5]), r"1\.69 Å³ per atom"),
        (np.diag([1e200] * 3), "inf Å³ per atom"),
        ([[3, 0, 0], [3, 0, 0], [0, 0, 3]], "0 Å³ per atom"),
        (np.diag([1e-9, 1e9, 27.0]), "flat or skewed, its lattice planes 1e-09 Å apart"),
    ],
)
def test_absurd_cells_are_refused_before_any_search(monkeypatch, vectors, part):
    """Neighbour lists in such cells take all memory there is."""

    def searched(*args, **options):
        raise AssertionError

    monkeypatch.setattr(Structure, "get_neighbor_list", searched)
    monkeypatch.setattr(spglib, "get_symmetry_dataset", searched)
    cell = Structure(Lattice(vectors), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    with pytest.raises(ValueError, match=part):
        prepare_host(cell)


def test_with_geometry_shares_nothing(host24):
    copy = with_geometry(host24, host24.lattice.matrix * 1.1, host24.frac_coords)
    copy.properties["axes"][0][0] = 7.0
    copy[0].properties["label"] = "other"
    assert host24.properties["axes"][0][0] == 1.0
    assert host24[0].properties["label"] == "Li-2b-1"
    assert copy.volume == pytest.approx(1.331 * host24.volume)


def test_with_geometry_refuses_what_does_not_fit(host24):
    with pytest.raises(ValueError, match="24 sites"):
        with_geometry(host24, np.eye(3), np.zeros((23, 3)))
    with pytest.raises(ValueError, match="not finite"):
        with_geometry(host24, np.eye(3), np.full((24, 3), np.nan))
