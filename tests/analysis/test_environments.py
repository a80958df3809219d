"""Surroundings of sites: Li2MnO3's are known by its structure (science.md §4)."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vacancy_flows.analysis.environments import (
    environment_of,
    environment_table,
    environments_of,
    group_sites,
)
from vacancy_flows.analysis.relaxation import environment_changes
from vacancy_flows.structures import built_in_host, prepare_host


@pytest.fixture(scope="module")
def host():
    return prepare_host(built_in_host("Li2MnO3"))


def labelled(lattice, species, coords):
    labels = [f"{s}-1a-{i + 1}" for i, s in enumerate(species)]
    return Structure(lattice, species, coords, site_properties={"label": labels})


@pytest.fixture
def rocksalt():
    """LiO in a rock salt cell of 4 Å: every ion has 6 counter-ions at 2 Å."""
    return labelled(
        Lattice.cubic(4.0),
        ["Li"] * 4 + ["O"] * 4,
        [
            *([0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]),
            *([0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5], [0.5, 0.5, 0.5]),
        ],
    )


def moved(structure, label, vector):
    """The structure with one site shifted by a Cartesian vector."""
    result = structure.copy()
    i = result.site_properties["label"].index(label)
    result.translate_sites([i], vector, frac_coords=False, to_unit_cell=True)
    return result


def without(structure, label):
    result = structure.copy()
    result.remove_sites([result.site_properties["label"].index(label)])
    return result


def test_every_oxygen_of_li2mno3_has_two_mn_and_four_li(host):
    found = environments_of(host)
    assert len(found) == 12
    for environment in found:
        assert environment.neighbours == {"Li": 4, "Mn": 2}
        assert environment.coordination == 6
        assert environment.tm_neighbours == 2
        assert environment.li_neighbours == 4
        mn, li = environment.bond_lengths("Mn"), environment.bond_lengths("Li")
        assert 1.8 < mn.minimum <= mn.mean <= mn.maximum < 2.0  # Mn4+-O
        assert 1.95 < li.minimum <= li.mean <= li.maximum < 2.3
        assert environment.boundary_distance is None


def test_a_cation_counts_anions(host):
    assert environment_of(host, "Mn-4g-1").neighbours == {"O": 6}
    assert environment_of(host, "Li-2b-1").neighbours == {"O": 6}


def test_bond_lengths_of_all_neighbours(host):
    environment = environment_of(host, "O-4i-1")
    every = environment.bond_lengths()
    mn, li = environment.bond_lengths("Mn"), environment.bond_lengths("Li")
    assert every.mean == pytest.approx((2 * mn.mean + 4 * li.mean) / 6)
    assert every.minimum == min(mn.minimum, li.minimum)
    assert np.isnan(environment.bond_lengths("Ni").mean)


def test_images_of_one_atom_count_each():
    # One Li and one O: all six bonds of O go to images of the same Li.
    cell = labelled(
        Lattice([[0, 2, 2], [2, 0, 2], [2, 2, 0]]), ["Li", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    environment = environment_of(cell, "O-1a-2")
    assert environment.neighbours == {"Li": 6}
    assert environment.bonds["Li"] == pytest.approx([2.0] * 6)
    assert environment_of(cell, "O-1a-2", cutoff=1.9).key == "isolated"


def test_description_of_the_cell_does_not_matter(host):
    shifted = host.copy()
    shifted.translate_sites(range(len(host)), [0.37, 1.21, -0.6], to_unit_cell=False)
    large = prepare_host(built_in_host("Li2MnO3"), supercell=[[2, 1, 0], [0, 1, 0], [0, 0, 1]])
    bonds = environment_of(host, "O-4i-1").bonds
    for other in (environment_of(shifted, "O-4i-1"), environment_of(large, "O-4i-1")):
        for species, lengths in bonds.items():
            assert other.bonds[species] == pytest.approx(lengths, abs=1e-6)


def test_distance_to_planes(rocksalt):
    planes = [((0, 0, 3.0), 0.5)]  # z = 0.5 Å and, by periodicity, 4.5 Å
    distances = [e.boundary_distance for e in environments_of(rocksalt, planes=planes)]
    assert distances == pytest.approx([0.5, 0.5, 1.5, 1.5])
    both = [*planes, ((0, 0, -1), -2.25)]
    distances = [e.boundary_distance for e in environments_of(rocksalt, planes=both)]
    assert distances == pytest.approx([0.5, 0.5, 0.25, 0.25])
    top = moved(rocksalt, "O-1a-5", [0, 0, -0.1])  # wraps to z = 3.9 Å
    assert environment_of(top, "O-1a-5", planes=planes).boundary_distance == pytest.approx(0.6)


def test_plane_of_a_monoclinic_cell(host):
    normal = np.cross(host.lattice.matrix[0], host.lattice.matrix[1])  # c*
    height = host.lattice.volume / np.linalg.norm(normal)
    found = environment_of(host, "O-4i-1", planes=[(normal, 0.0)])
    assert found.boundary_distance == pytest.approx(0.227 * height, abs=1e-3)
    with pytest.raises(ValueError, match="not spanned by two vectors"):
        environment_of(host, "O-4i-1", planes=[((1, 2, 3), 0.0)])
    with pytest.raises(ValueError, match="normal of three numbers"):
        environment_of(host, "O-4i-1", planes=[((0, 0, 0), 0.0)])


def test_groups(host):
    found = environments_of(host)
    assert {key: len(v) for key, v in group_sites(found).items()} == {"Li4 Mn2": 12}
    split = group_sites(found, bond_tolerance=0.002)
    assert [sorted({s.split("-")[1] for s in labels}) for labels in split.values()] == [
        ["4i"],
        ["8j"],
    ]
    assert list(split) == ["Li4 Mn2 #1", "Li4 Mn2 #2"]
    assert len(group_sites(found, bond_tolerance=0.5)) == 1
    mixed = environments_of(host, ["Mn-4g-1", "Li-2b-1", "O-4i-1"])
    assert list(group_sites(mixed)) == ["Mn: O6", "Li: O6", "Li4 Mn2"]


def test_groups_follow_a_missing_lithium(host):
    groups = group_sites(environments_of(without(host, "Li-2c-1")))
    assert set(groups) == {"Li3 Mn2", "Li4 Mn2"}
    assert len(groups["Li3 Mn2"]) == 6


def test_table(host):
    table = environment_table(environments_of(host, planes=[((0, 1, 0), 0.0)]))
    assert len(table) == 12
    assert (table["coordination"] == 6).all()
    assert (table["n_Mn"] == 2).all()
    assert (table["environment"] == "Li4 Mn2").all()
    assert table["bond_Mn_mean_A"].between(1.8, 2.0).all()
    assert table["boundary_distance_A"].notna().all()
    empty = environment_table([])
    assert empty.empty
    assert "boundary_distance_A" in empty


def test_bad_input(host):
    with pytest.raises(ValueError, match="nearest known: O-8j"):
        environment_of(host, "O-8j-9")
    with pytest.raises(ValueError, match="no site labels"):
        environment_of(Structure(Lattice.cubic(4), ["O"], [[0, 0, 0]]), "O-1a-1")
    with pytest.raises(ValueError, match="positive length"):
        environment_of(host, "O-8j-1", cutoff=0.0)


def test_an_atom_bonded_twice_goes_out_on_one_side_and_in_on_the_other(rocksalt):
    # O-1a-5 sits at (2, 0, 0); Li-1a-1 at the origin is left of it, and at (4, 0, 0) right of it.
    vacancy = moved(without(rocksalt, "O-1a-5"), "Li-1a-1", [-0.1, 0, 0])
    rows = environment_changes(rocksalt, vacancy, "O-1a-5")
    assert len(rows) == 6
    moving = rows[rows["site"] == "Li-1a-1"]
    assert sorted(moving["outward_A"]) == pytest.approx([-0.1, 0.1])
    assert list(moving["displacement_A"]) == pytest.approx([0.1, 0.1])
    assert list(moving["bonds"]) == [4, 4]  # both bonds to the vacant site are gone
    still = rows[rows["site"] != "Li-1a-1"]
    assert still["outward_A"].to_numpy() == pytest.approx(0)
    assert still["displacement_A"].to_numpy() == pytest.approx(0)


def test_outward_sign_and_bonds_in_a_larger_cell(rocksalt):
    big = rocksalt.make_supercell(2, in_place=False)
    big.add_site_property("label", [f"{s.specie.symbol}-1a-{i}" for i, s in enumerate(big)])
    oxygen = next(i for i, s in enumerate(big) if s.specie.symbol == "O")
    label, position = big.site_properties["label"][oxygen], big[oxygen].coords
    vacancy = without(big, label)
    for neighbour in big.get_neighbors(big[oxygen], 2.1):
        out = (neighbour.coords - position) / neighbour.nn_distance
        vacancy = moved(vacancy, neighbour.properties["label"], 0.15 * out)
    rows = environment_changes(big, vacancy, label)
    assert len(rows) == 6
    assert (rows["species"] == "Li").all()
    assert rows["distance_before_A"].to_numpy() == pytest.approx(2.0)
    assert rows["distance_after_A"].to_numpy() == pytest.approx(2.15)
    assert rows["outward_A"].to_numpy() == pytest.approx(0.15)
    assert rows["displacement_A"].to_numpy() == pytest.approx(0.15)
    assert (rows["bonds"] == 5).all()
    # The bond straight behind shrinks by 0.15, the four at right angles grow a little.
    assert rows["bond_change_min_A"].to_numpy() == pytest.approx(-0.15)
    assert rows["bond_change_max_A"].to_numpy() == pytest.approx(np.hypot(2, 0.15) - 2)
    inward = environment_changes(vacancy_back(big, vacancy, label), without(big, label), label)
    assert inward["outward_A"].to_numpy() == pytest.approx(-0.15)


def vacancy_back(pristine, vacancy, label):
    """The relaxed vacancy cell with the site put back, as if it were the pristine one."""
    site = pristine[pristine.site_properties["label"].index(label)]
    result = vacancy.copy()
    result.append(site.specie, site.frac_coords, properties={"label": label})
    return result


def test_labels_survive_reordering(host):
    vacancy = moved(without(host, "O-8j-3"), "Mn-4g-1", [0.05, -0.02, 0.1])
    order = np.random.default_rng(7).permutation(len(vacancy))
    shuffled = Structure.from_sites([vacancy[int(i)] for i in order])
    first = environment_changes(host, vacancy, "O-8j-3")
    second = environment_changes(host, shuffled, "O-8j-3")
    assert first.equals(second)
    assert sorted(first["species"]) == ["Li"] * 4 + ["Mn"] * 2


def test_refuses_cells_that_do_not_belong_together(host):
    vacancy = without(host, "O-8j-3")
    strained = vacancy.copy()
    strained.apply_strain(0.01)
    with pytest.raises(ValueError, match="different lattices"):
        environment_changes(host, strained, "O-8j-3")
    with pytest.raises(ValueError, match=r"without O-8j-1.*O-8j-1, O-8j-3"):
        environment_changes(host, vacancy, "O-8j-1")
    with pytest.raises(ValueError, match="without O-8j-3"):
        environment_changes(host, host, "O-8j-3")
    with pytest.raises(ValueError, match="no site"):
        environment_changes(host, vacancy, "O-9z-1")
