"""Bader charges of densities whose answer is known: sums of Gaussians in cells of any shape."""

import math
from functools import cache
from itertools import product

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from vacancy_flows.analysis.bader import bader_charges, bader_volumes, net_charges

CELLS = {
    "cubic": [[6, 0, 0], [0, 6, 0], [0, 0, 6]],
    "monoclinic": [[4.95, 0, 0], [0, 8.55, 0], [-1.69, 0, 4.75]],
    "hexagonal": [[5, 0, 0], [-2.5, 5 * math.sqrt(3) / 2, 0], [0, 0, 8]],
    "rhombohedral, 40°": Lattice.rhombohedral(7.5, 40).matrix,
    "skewed supercell": [[6, 0, 0], [12, 6, 0], [6, 12, 6]],
}
PAIR = (("Li", (0.2, 0.25, 0.3), 1.0, 0.4), ("O", (0.7, 0.75, 0.8), 8.0, 0.5))


def gaussians(structure, electrons, widths, shape):
    """Periodic density in e/Å³: a normalised Gaussian of `electrons` on each site."""
    cell = structure.lattice.matrix
    axes = [np.arange(n) / n for n in shape]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    spacings = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    density = np.zeros(shape)
    for frac, amount, width in zip(structure.frac_coords, electrons, widths, strict=True):
        ranges = [range(-n, n + 1) for n in np.ceil(6 * width / spacings + 1).astype(int)]
        height = amount * (2 * math.pi * width**2) ** -1.5
        for image in product(*ranges):
            vectors = (points - frac - image) @ cell
            density += height * np.exp(-(vectors**2).sum(axis=-1) / (2 * width**2))
    return density


def pair(cell, shape=(30, 30, 30), shift=0.0, atoms=PAIR):
    """Structure and density of two Gaussian atoms of 1 and 8 e."""
    species, coords, electrons, widths = zip(*atoms, strict=True)
    structure = Structure(Lattice(cell), species, np.array(coords) + shift)
    return structure, gaussians(structure, electrons, widths, shape)


SCHEMES = pytest.mark.parametrize("scheme", ["weights", "on-grid"])


@SCHEMES
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_one_and_eight_electrons(cell, scheme):
    structure, density = pair(cell, (30, 36, 40))
    found = bader_charges(density, structure, scheme=scheme)
    assert found.electrons == pytest.approx((1, 8), abs=0.01)
    assert found.total == pytest.approx(9, abs=1e-3)
    assert sum(found.electrons) + found.unassigned == pytest.approx(found.total, abs=1e-3)
    assert found.unassigned == 0
    assert found.bare_sites == ()
    assert found.farthest_maximum < 0.15


@SCHEMES
def test_conservation_with_noise_negative_values_and_plateaus(scheme):
    structure, density = pair(CELLS["monoclinic"], (30, 32, 36))
    noisy = density + np.random.default_rng(1).normal(0, 0.02, density.shape)
    noisy[:4] = 0.0
    found = bader_charges(noisy, structure, scheme=scheme)
    total = noisy.mean() * structure.volume
    assert found.total == pytest.approx(total, abs=1e-9)
    assert sum(found.electrons) + found.unassigned == pytest.approx(total, abs=1e-3)


@SCHEMES
@pytest.mark.parametrize("cell", ["monoclinic", "skewed supercell"])
def test_translation(cell, scheme):
    structure, density = pair(CELLS[cell])
    first = bader_charges(density, structure, scheme=scheme).electrons
    structure.translate_sites(range(2), [7 / 30, -11 / 30, 0.5], to_unit_cell=True)
    rolled = np.roll(density, (7, -11, 15), axis=(0, 1, 2))
    assert bader_charges(rolled, structure, scheme=scheme).electrons == pytest.approx(first)
    between = bader_charges(*pair(CELLS[cell], shift=0.0123)[::-1], scheme=scheme).electrons
    assert between == pytest.approx(first, abs=0.01)


@SCHEMES
def test_supercell_has_twice_the_electrons(scheme):
    structure, density = pair(CELLS["hexagonal"], (30, 30, 40))
    single = bader_charges(density, structure, scheme=scheme)
    double = bader_charges(
        np.tile(density, (1, 2, 1)),
        structure.make_supercell([1, 2, 1], in_place=False),
        scheme=scheme,
    )
    assert double.total == pytest.approx(2 * single.total)
    assert double.electrons == pytest.approx(np.repeat(single.electrons, 2))


def rhenium_trioxide(matrix, n, scheme):
    """Overlapping Gaussians on the ReO3 lattice (a 3.8 Å), in a unimodular cell."""
    structure = Structure(Lattice.cubic(3.8), ["Re", "O", "O", "O"], [[0, 0, 0], *(np.eye(3) / 2)])
    lattice = Lattice(np.array(matrix) @ structure.lattice.matrix)
    skewed = Structure(lattice, structure.species, structure.cart_coords, coords_are_cartesian=True)
    density = gaussians(skewed, [3, 8, 8, 8], [0.45, 0.6, 0.6, 0.6], (n, n, n))
    return np.array(bader_charges(density, skewed, scheme=scheme).electrons)


@pytest.mark.parametrize(
    "matrix", [np.eye(3), [[1, 0, 0], [1, 1, 0], [0, 1, 1]], [[1, 0, 0], [2, 1, 0], [3, 1, 1]]]
)
def test_weights_keep_symmetric_atoms_equal_in_any_cell(matrix):
    # The converged answer for Re, from grids of 30 to 80: 3.7851.
    electrons = rhenium_trioxide(matrix, 30, "weights")
    assert np.ptp(electrons[1:]) < 1e-3
    assert electrons[0] == pytest.approx(3.7851, abs=0.01)


def test_on_grid_ascent_is_biased_which_is_why_weights_are_the_default():
    plain = rhenium_trioxide(np.eye(3), 30, "on-grid")
    assert np.ptp(plain[1:]) > 0.01
    assert abs(plain[0] - 3.7851) > 0.05


def test_volumes_are_basins_of_the_maxima():
    structure, density = pair(CELLS["skewed supercell"])
    found = bader_volumes(density, structure.lattice.matrix)
    assert found.labels.shape == density.shape
    assert len(found.maxima) == 2
    for number, maximum in enumerate(found.maxima):
        assert found.labels[tuple(maximum)] == number
        assert density[tuple(maximum)] == density[found.labels == number].max()


def test_a_constant_density_is_one_volume():
    assert len(bader_volumes(np.ones((4, 5, 6)), np.eye(3)).maxima) == 1


def test_oxygen_is_negative():
    structure, density = pair(CELLS["monoclinic"])
    electrons = bader_charges(density, structure).electrons  # Li 1, O 8 of 3 + 6
    net = net_charges(electrons, [3, 6])
    assert net[1] == pytest.approx(-2, abs=0.01)
    assert net[0] == pytest.approx(2, abs=0.01)
    assert net.sum() == pytest.approx(0, abs=1e-3)
    with pytest.raises(ValueError, match="one of each per site"):
        net_charges(electrons, [6])


@cache
def with_core():
    """Structure, valence and reference of an O whose neighbour has no valence maximum.

    Li keeps 0.3 e in a broad tail at its own place; O's 7.7 e drown it there, and part of the
    valence has its maximum 0.3 Å away from the O core.
    """
    structure = Structure(
        Lattice(CELLS["monoclinic"]), ["Li", "O"], [[0.2, 0.3, 0.3], [0.2, 0.5, 0.3]]
    )
    shape = (30, 48, 30)
    moved = structure.copy()
    moved.translate_sites([1], [0, -0.3, 0], frac_coords=False)
    valence = gaussians(moved, [0.3, 7.7], [0.8, 0.7], shape)
    cores = gaussians(structure, [2, 2], [0.2, 0.2], shape)
    return structure, valence, valence + cores


@SCHEMES
def test_reference_decides_the_volumes_and_charge_what_is_counted(scheme):
    structure, valence, reference = with_core()
    alone = bader_charges(valence, structure, scheme=scheme)
    assert alone.method == f"{scheme}, no reference"
    assert alone.electrons == pytest.approx((0, 8), abs=1e-3)  # Li is lost: pymatgen#3448
    assert alone.bare_sites == (0,)
    assert 0.2 < alone.farthest_maximum < 0.4
    guided = bader_charges(valence, structure, reference, scheme=scheme)
    assert guided.method == f"{scheme}, reference density"
    assert guided.total == pytest.approx(8, abs=1e-3)  # the cores are not counted
    assert sum(guided.electrons) == pytest.approx(8, abs=1e-3)
    assert guided.electrons[0] > 0.05
    assert guided.bare_sites == ()
    assert guided.farthest_maximum < 0.15
    scaled = bader_charges(valence, structure, 17 * reference, scheme=scheme)
    assert scaled.electrons == pytest.approx(guided.electrons)


@SCHEMES
def test_vacuum_is_not_given_to_atoms(scheme):
    structure, density = pair([[6, 0, 0], [0, 6, 0], [0, 0, 24]], (24, 24, 96))
    smeared = density + 1e-4
    found = bader_charges(smeared, structure, scheme=scheme, vacuum=1e-3)
    assert found.unassigned == pytest.approx(1e-4 * structure.volume, rel=0.5)
    assert sum(found.electrons) + found.unassigned == pytest.approx(found.total, abs=1e-9)
    assert found.electrons == pytest.approx((1, 8), abs=0.03)


def test_a_hundred_cubed():
    cell, density = pair(CELLS["monoclinic"], (50, 50, 50))
    structure, density = cell.make_supercell(2, in_place=False), np.tile(density, (2, 2, 2))
    found = bader_charges(density, structure)
    assert found.electrons == pytest.approx([1] * 8 + [8] * 8, abs=0.01)


def test_bad_input():
    structure, density = pair(CELLS["cubic"], (8, 8, 8))
    with pytest.raises(ValueError, match=r"\(8, 8, 8\).*\(8, 8, 9\)"):
        bader_charges(density, structure, np.ones((8, 8, 9)))
    with pytest.raises(ValueError, match="3D array"):
        bader_charges(density[0], structure)
    with pytest.raises(ValueError, match="not finite"):
        bader_charges(np.where(density > 0.1, np.nan, density), structure)
    with pytest.raises(ValueError, match="span a volume"):
        bader_volumes(density, np.ones((3, 3)))
    with pytest.raises(ValueError, match="'magic' is unknown"):
        bader_charges(density, structure, scheme="magic")
    with pytest.raises(ValueError, match="no atoms"):
        bader_charges(density, Structure(structure.lattice, [], []))
