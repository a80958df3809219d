import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from scipy.spatial.transform import Rotation

from vacancy_flows.structures import built_in_host, prepare_host, symmetrise, with_geometry
from vacancy_flows.structures.symmetry import site_permutations, space_group

SKEWED = [[1, 1, 0], [0, 1, 1], [1, 0, 2]]  # breaks the point group


def noisy(structure, seed, size=1e-3):
    rng = np.random.default_rng(seed)
    stretch = np.eye(3) + size / 10 * rng.normal(size=(3, 3))
    rattle = size * rng.normal(size=(len(structure), 3)) / np.sqrt(3)
    return with_geometry(
        structure,
        structure.lattice.matrix @ stretch,
        structure.frac_coords + rattle @ structure.lattice.inv_matrix,
    )


def wurtzite():
    """ZnO, P6_3mc, polar; a 3.25, c 5.207 Å."""
    lattice = Lattice.hexagonal(3.25, 5.207)
    return Structure.from_spacegroup(
        "P6_3mc", lattice, ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]
    )


CELLS = {
    "conventional": (built_in_host("Li2MnO3"), 12),
    "primitive": (built_in_host("Li2MnO3", "primitive"), 12),
    "supercell": (built_in_host("Li2MnO3") * [2, 1, 2], 12),
    "skewed": (built_in_host("Li2MnO3", "primitive") * SKEWED, 12),
    "polar": (wurtzite(), 186),
    "cubic": (
        Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0] * 3, [0.5] * 3]),
        225,
    ),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("seed", [0, 1])
def test_noise_goes_and_the_setting_stays(name, seed):
    clean, number = CELLS[name]
    given = noisy(clean, seed)
    assert space_group(given, 1e-5).number != number
    mended = symmetrise(given)
    assert space_group(mended, 1e-6).number == number
    assert len(space_group(mended, 1e-6).rotations) == len(space_group(clean, 1e-6).rotations)
    assert mended.species == given.species
    # Same setting, same orientation, no atom far from where it was.
    np.testing.assert_allclose(mended.lattice.matrix, given.lattice.matrix, atol=0.01)
    assert np.abs(mended.cart_coords - given.cart_coords).max() < 0.03


def test_exact_structures_and_their_orientation_are_left_alone():
    turn = Rotation.from_rotvec([0.3, -0.5, 0.7]).as_matrix()
    host = built_in_host("Li2MnO3")
    turned = with_geometry(host, host.lattice.matrix @ turn.T, host.frac_coords)
    mended = symmetrise(turned)
    np.testing.assert_allclose(mended.lattice.matrix, turned.lattice.matrix, atol=1e-9)
    np.testing.assert_allclose(mended.frac_coords, turned.frac_coords, atol=1e-9)


def test_mending_only_stretches():
    given = noisy(built_in_host("Li2MnO3"), 3)
    stretch = given.lattice.inv_matrix @ symmetrise(given).lattice.matrix
    np.testing.assert_allclose(stretch, stretch.T, atol=1e-12)


@pytest.mark.parametrize("name", ["conventional", "primitive", "supercell", "skewed"])
def test_letters_do_not_depend_on_noise(name):
    clean, _ = CELLS[name]
    letters = [
        prepare_host(cell).site_properties["label"]
        for cell in (clean, noisy(clean, 5), noisy(clean, 6))
    ]
    assert letters[0] == letters[1] == letters[2]


def test_site_properties_survive(host24):
    mended = symmetrise(noisy(host24, 0))
    assert mended.site_properties == host24.site_properties
    assert mended.properties == host24.properties


def test_permutations_are_a_group(host24):
    dataset = space_group(host24)
    found = site_permutations(host24, dataset.rotations, dataset.translations)
    rows = {tuple(row) for row in found.tolist()}
    assert {tuple(a[b]) for a in found for b in found} == rows


def test_operations_that_do_not_fit_are_refused(host24):
    with pytest.raises(ValueError, match="one to one"):
        site_permutations(host24, np.eye(3)[None], np.array([[0.5, 0.0, 0.0]]))


def test_doubled_atoms_are_no_symmetry():
    doubled = Structure(Lattice.cubic(4), ["Li", "Li"], [[0, 0, 0], [0, 0, 0.001]])
    with pytest.raises(ValueError, match="symprec"):
        symmetrise(doubled)
