"""Which optimizer does what; ASE's EMT copper takes milliseconds."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from vacancy_flows.engines import minimise as module
from vacancy_flows.engines.minimise import minimise, stress_limit
from vacancy_flows.schemas import largest_force


def copper(shake, stretch=1.04):
    """32 atoms of copper, stretched and shaken."""
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.set_cell(stretch * atoms.cell.array, scale_atoms=True)
    atoms.rattle(shake, seed=1)
    atoms.calc = EMT()
    return atoms


def forbid(monkeypatch):
    def refused(*_, **__):
        raise AssertionError("the preconditioner was asked")

    monkeypatch.setattr(module, "PreconLBFGS", refused)


def test_a_free_cell_far_from_its_minimum_starts_without_the_preconditioner(monkeypatch):
    forbid(monkeypatch)
    atoms = copper(0.3)
    assert largest_force(atoms.get_forces()) > 1.0
    steps = minimise(atoms, 0.05, 300, free_cell=True)
    assert 0 < steps < 100
    assert largest_force(atoms.get_forces()) <= 0.05
    assert np.abs(atoms.get_stress()).max() <= stress_limit(0.05)
    perfect = copper(0.0)
    minimise_energy = perfect.get_potential_energy()
    assert atoms.get_potential_energy() < minimise_energy


@pytest.mark.parametrize(("shake", "free_cell"), [(0.01, True), (0.3, False)])
def test_what_is_near_or_has_a_fixed_cell_goes_to_the_preconditioner(monkeypatch, shake, free_cell):
    forbid(monkeypatch)
    with pytest.raises(AssertionError, match="was asked"):
        minimise(copper(shake, 1.0), 0.05, 300, free_cell=free_cell)


def test_both_ways_end_in_one_minimum():
    far, near = copper(0.3), copper(0.02)
    for atoms in (far, near):
        minimise(atoms, 0.01, 300, free_cell=True)
    assert far.get_potential_energy() == pytest.approx(near.get_potential_energy(), abs=5e-3)
    assert far.get_volume() == pytest.approx(near.get_volume(), rel=5e-3)


def test_no_more_steps_than_allowed():
    assert minimise(copper(0.3), 1e-4, 5, free_cell=True) == 5
