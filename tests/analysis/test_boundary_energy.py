import math

import pytest

from vacancy_flows.analysis.boundary_energy import EV_A2_IN_J_M2, boundary_energy


def test_the_unit_is_that_of_the_si():
    assert abs(EV_A2_IN_J_M2 - 16.02176634) < 1e-8


def test_a_boundary_that_costs_energy_is_positive():
    """8 units of -10 eV; the cell lies 0.5 eV above them, over two boundaries of 50 Å²."""
    gamma = boundary_energy(-79.5, -10.0, 8, 50.0)
    assert gamma == pytest.approx(0.5 / 100 * 16.02176634)
    assert boundary_energy(-80.5, -10.0, 8, 50.0) == pytest.approx(-gamma)
    assert boundary_energy(-80.0, -10.0, 8, 50.0) == 0
    assert boundary_energy(-79.5, -10.0, 8, 50.0, n_boundaries=1) == pytest.approx(2 * gamma)


def test_size_does_not_matter():
    """Twice the cell along a: twice the energy, units and area."""
    once, twice = boundary_energy(-79.5, -10.0, 8, 50.0), boundary_energy(-159.0, -10.0, 16, 100.0)
    assert once == pytest.approx(twice)


@pytest.mark.parametrize("bad", [{"area": 0.0}, {"n_units": -8}, {"e_boundary": math.nan}])
def test_what_cannot_be_is_refused(bad):
    good = {"e_boundary": -79.5, "e_bulk_per_unit": -10.0, "n_units": 8, "area": 50.0}
    with pytest.raises(ValueError, match="must be finite"):
        boundary_energy(**(good | bad))
