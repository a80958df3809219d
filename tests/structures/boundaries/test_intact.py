"""What a relaxation may not do to a boundary cell: made-up relaxations, no energies."""

import numpy as np
import pytest

from vacancy_flows.structures import with_geometry
from vacancy_flows.structures.boundaries import damage, grain_cores, preset_boundary
from vacancy_flows.structures.boundaries.intact import widest_gap


def turned(cell, grain, degrees):
    """The atoms of a grain turned about a through the grain's middle."""
    at = np.radians(degrees)
    matrix = np.array([[1, 0, 0], [0, np.cos(at), -np.sin(at)], [0, np.sin(at), np.cos(at)]])
    chosen = np.array(cell.site_properties["grain"]) == grain
    positions = cell.cart_coords.copy()
    middle = positions[chosen].mean(axis=0)
    positions[chosen] = (positions[chosen] - middle) @ matrix.T + middle
    return with_geometry(cell, cell.lattice.matrix, positions @ np.linalg.inv(cell.lattice.matrix))


def shaken(cell, size, seed=0):
    steps = np.random.default_rng(seed).normal(0, size, (len(cell), 3))
    positions = cell.cart_coords + steps
    return with_geometry(cell, cell.lattice.matrix, positions @ np.linalg.inv(cell.lattice.matrix))


def opened(cell, width):
    """Vacuum (Å) at the upper end of the cell."""
    lattice = cell.lattice.matrix.copy()
    lattice[2, 2] += width
    return with_geometry(cell, lattice, cell.cart_coords @ np.linalg.inv(lattice))


def test_angles_of_both_grains_are_read_in_thin_cells_too(tilt_109, twin_104):
    tilt = grain_cores(tilt_109)
    assert tilt["top"].angle == pytest.approx(-70.8, abs=1)
    assert tilt["bottom"].angle == pytest.approx(38.4, abs=1)
    twin = grain_cores(twin_104)
    assert twin["top"].angle == pytest.approx(-twin["bottom"].angle, abs=1e-6)


def test_what_a_relaxation_may_do(tilt_109, twin_104):
    for cell in (tilt_109, twin_104):
        assert damage(cell, cell) == []
        assert damage(cell, shaken(cell, 0.08)) == []
        assert damage(cell, with_geometry(cell, 1.03 * cell.lattice.matrix, cell.frac_coords)) == []


@pytest.mark.parametrize("grain", ["top", "bottom"])
def test_layers_that_turn_are_seen(tilt_109, grain):
    assert damage(tilt_109, turned(tilt_109, grain, 4.0)) == []
    for degrees in (15.0, -15.0):
        found = damage(tilt_109, turned(tilt_109, grain, degrees))
        assert any(f"layers of the {grain} grain turned by 1" in text for text in found)


def test_layers_that_are_gone_are_seen(tilt_109):
    found = damage(tilt_109, shaken(tilt_109, 1.5))
    assert any("gone" in text or "turned" in text or "lost oxygen" in text for text in found)
    assert any("lost oxygen neighbours" in text for text in found)


def test_a_cell_that_comes_apart_is_seen(tilt_109):
    assert widest_gap(opened(tilt_109, 3.0)) > widest_gap(tilt_109) + 1.5
    assert damage(tilt_109, opened(tilt_109, 1.0)) == []
    assert any("came apart" in text for text in damage(tilt_109, opened(tilt_109, 3.0)))


def test_a_grain_too_thin_to_show_a_layer_is_not_judged_by_one():
    thin = preset_boundary("twin_104", 2.1)[0]
    assert "top" not in grain_cores(thin)
    assert damage(thin, thin) == []
