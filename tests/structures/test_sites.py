import numpy as np
import pytest

from vacancy_flows.structures import (
    built_in_host,
    conventional_axes,
    deform,
    deformation_gradient,
    initial_moments,
    prepare_host,
    remove_labels,
    select_classes,
    site_classes,
)


def manganese_moments(structure, signs):
    values = iter(signs)
    return [3.0 * next(values) if site.specie.symbol == "Mn" else 0.0 for site in structure]


def sizes(classes):
    return [(found.wyckoff, found.multiplicity) for found in classes]


def test_two_classes_without_moments(host24):
    classes = site_classes(host24)
    assert sizes(classes) == [("4i", 4), ("8j", 8)]
    assert [found.label for found in classes] == ["O-4i-1", "O-8j-1"]
    # Every O of Li2MnO3 sits in an octahedron of 4 Li and 2 Mn.
    assert [found.coordination for found in classes] == [6, 6]
    assert sorted(sum((found.members for found in classes), ())) == sorted(
        label for label in host24.site_properties["label"] if label.startswith("O")
    )


def test_six_classes_with_one_spin_turned(host24):
    # science.md, section 4.
    classes = site_classes(host24, moments=manganese_moments(host24, (1, 1, 1, -1)))
    assert len(classes) == 6
    assert sum(found.multiplicity for found in classes) == 12


@pytest.mark.parametrize("signs", [(1, 1, 1, 1), (1, -1, 1, -1), (-1, -1, -1, -1), (0, 0, 0, 0)])
def test_orders_that_keep_all_symmetry(host24, signs):
    # Ferromagnetic, Néel (time reversal joins the two sublattices) and none.
    classes = site_classes(host24, moments=manganese_moments(host24, signs))
    assert sizes(classes) == [("4i", 4), ("8j", 8)]


def test_primitive_and_supercell_multiplicities(host12):
    assert sizes(site_classes(host12)) == [("4i", 2), ("8j", 4)]
    double = prepare_host(built_in_host("Li2MnO3"), (2, 1, 1))
    assert sizes(site_classes(double)) == [("4i", 8), ("8j", 16)]


@pytest.mark.parametrize(
    "mode", ["uniaxial-a", "uniaxial-b", "uniaxial-c*", "biaxial-ab", "hydrostatic"]
)
def test_the_modes_keep_the_classes_of_a_monoclinic_host(host24, mode):
    gradient = deformation_gradient(conventional_axes(host24), mode, 0.04)
    assert sizes(site_classes(deform(host24, gradient))) == [("4i", 4), ("8j", 8)]


def test_a_skew_direction_leaves_inversion_and_centring_only(host24):
    direction = np.array([0.48, 0.6, 0.64])  # neither along b nor in the mirror plane
    gradient = np.eye(3) + 0.05 * np.outer(direction, direction)
    # P-1 with a centring: four operations, so 4i stays whole and 8j splits into 4 + 4.
    classes = site_classes(deform(host24, gradient))
    assert sizes(classes) == [("4i", 4), ("8j", 4), ("8j", 4)]


def test_removing_li_splits_classes_that_keep_their_letters(host24):
    cell = remove_labels(host24, ["Li-2b-1", "Li-4h-1"])
    classes = site_classes(cell)
    assert sum(found.multiplicity for found in classes) == 12
    assert len(classes) > 2
    assert {found.wyckoff for found in classes} == {"4i", "8j"}
    assert min(found.coordination for found in classes) < 6


def test_coordination_counts_periodic_images(host12):
    # In 12 atoms some neighbours of an O are images of one and the same cation.
    assert {found.coordination for found in site_classes(host12)} == {6}


def test_classes_of_another_element(host24):
    assert sizes(site_classes(host24, "Li")) == [("2b", 2), ("2c", 2), ("4h", 4)]
    assert site_classes(host24, "Na") == []


def test_select_takes_whole_classes_once(host24):
    classes = site_classes(host24)
    assert select_classes(classes, ["O-8j-5", "O-8j-2"]) == [classes[1]]
    assert select_classes(classes, ["O-8j-5", "O-4i-2"]) == classes
    with pytest.raises(ValueError, match=r"O-8j-9 \(nearest known: O-8j-"):
        select_classes(classes, ["O-8j-9"])


def test_structures_without_labels_are_refused(host24):
    with pytest.raises(ValueError, match="prepare_host"):
        site_classes(built_in_host("Li2MnO3"))
    with pytest.raises(ValueError, match="one per site"):
        site_classes(host24, moments=[1.0])


def test_432_atoms_in_p1():
    host = prepare_host(built_in_host("Li2MnO3"), (3, 2, 3))
    host.perturb(0.15)
    classes = site_classes(host, moments=[0.0] * len(host))
    assert len(classes) == 216


def test_classes_of_a_supercell_whose_magnetic_group_spglib_cannot_name(capfd):
    host = prepare_host(built_in_host("Li2MnO3", "primitive"), [1, 1, 2])
    moments = initial_moments(host, "afm", {})
    classes = site_classes(host, moments=moments)
    plain = site_classes(host)
    assert sum(found.multiplicity for found in classes) == 12
    assert len(classes) >= len(plain)
    # reversing all moments is time reversal, which changes no class
    assert site_classes(host, moments=[-moment for moment in moments]) == classes
    assert capfd.readouterr() == ("", "")  # its library complains by itself
