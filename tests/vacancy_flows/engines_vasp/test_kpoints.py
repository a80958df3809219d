"""Meshes: paper A's, paper B's, and what pairs of cells share."""

import numpy as np
import pytest
from pydantic import ValidationError

from vacancy_flows.engines.kpoints import LIU_2022_DENSITY, KPoints, mesh
from vacancy_flows.structures import conventional_axes, deform, deformation_gradient

PAPER_A = KPoints(density=LIU_2022_DENSITY)


def test_paper_a_on_the_12_atom_cell(host12):
    assert mesh(host12.lattice.matrix, PAPER_A) == (11, 11, 11)


@pytest.mark.parametrize("percent", [-0.7, 0, 1.1, 2, 4, 6.8])
def test_paper_a_mesh_survives_relaxation_and_moderate_strain(host12, percent):
    # CHGNet's cell is 1.1 % longer than the refined one (science.md §4), strain comes on top
    assert mesh(host12.lattice.matrix * (1 + percent / 100), PAPER_A) == (11, 11, 11)


@pytest.mark.parametrize(
    "supercell", [(2, 2, 2), (1, 2, 3), [[1, 1, 0], [-1, 1, 0], [0, 0, 1]], (5, 5, 5)]
)
def test_supercells_are_at_least_as_dense_and_not_much_denser(host12, supercell):
    cell = host12.make_supercell(supercell, in_place=False)
    counts = np.array(mesh(cell.lattice.matrix, PAPER_A))
    assert np.prod(counts) * cell.volume >= LIU_2022_DENSITY
    coarser = np.prod(np.maximum(counts - 1, 0)) * cell.volume
    assert coarser < LIU_2022_DENSITY


def test_2x2x2_is_half_the_mesh_rounded_up(host12):
    cell = host12.make_supercell((2, 2, 2), in_place=False)
    assert mesh(cell.lattice.matrix, PAPER_A) == (6, 6, 6)


def test_a_skewed_cell_is_not_undersampled():
    # rhombohedral LiCoO2: vectors of 4.96 Å, but planes only 2.4 Å apart
    rows = np.array([[1.4075, 0.8126, 4.6833], [-1.4075, 0.8126, 4.6833], [0, -1.6252, 4.6833]])
    assert np.prod(mesh(rows, PAPER_A)) * abs(np.linalg.det(rows)) >= LIU_2022_DENSITY


def test_a_vacancy_has_the_mesh_of_its_pristine_cell(strained12):
    vacancy = strained12.copy()
    vacancy.remove_sites([8])
    assert mesh(vacancy.lattice.matrix, PAPER_A) == mesh(strained12.lattice.matrix, PAPER_A)


def test_noise_of_the_lattice_does_not_move_a_mesh():
    policy = KPoints(spacing=2 * np.pi / 40)  # 5, 4 and 2 points exactly
    for noise in (-1e-9, 0, 1e-9):
        assert mesh(np.diag([8.0, 10.0, 20.0]) * (1 + noise), policy) == (5, 4, 2)


def test_automatic_length_30_by_hand(ncm):
    # hexagonal: |b| = 2 / (√3 a) = 0.2331 and 1/c = 0.2105 1/Å; int(30 |b| + 0.5)
    a = 2.86 * np.sqrt(3)
    by_hand = int(30 * 2 / (np.sqrt(3) * a) + 0.5), int(30 / 4.75 + 0.5)
    assert by_hand == (7, 6)
    assert mesh(ncm.lattice.matrix, KPoints(length=30.0)) == (7, 7, 6)


def test_kspacing_counts_as_vasp_does():
    assert mesh(np.diag([4.0, 5.0, 20.0]), KPoints(spacing=0.25)) == (7, 6, 2)
    assert mesh(np.diag([4.0, 5.0, 200.0]), KPoints(spacing=0.25)) == (7, 6, 1)


def test_strain_along_one_axis_changes_that_axis_only(host24):
    gradient = deformation_gradient(conventional_axes(host24), "uniaxial-b", 0.2)
    before = mesh(host24.lattice.matrix, KPoints(length=60.0))
    after = mesh(deform(host24, gradient).lattice.matrix, KPoints(length=60.0))
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] < before[1]


@pytest.mark.parametrize("given", [{}, {"length": 30.0, "spacing": 0.2}])
def test_exactly_one_measure(given):
    with pytest.raises(ValidationError, match="exactly one of density"):
        KPoints(**given)


def test_a_fixed_mesh_is_refused():
    with pytest.raises(ValidationError, match="a fixed mesh is a different density in every cell"):
        KPoints(mesh=[4, 4, 4])
