import numpy as np
import pytest
import spglib

from vacancy_flows.structures import built_in_host, conventional_axes
from vacancy_flows.structures.symmetry import spglib_cell


@pytest.mark.parametrize(("cell", "atoms"), [("conventional", 24), ("primitive", 12)])
def test_li2mno3_is_c2m(cell, atoms):
    host = built_in_host("Li2MnO3", cell)
    assert len(host) == atoms
    assert host.composition.reduced_formula == "Li2MnO3"
    dataset = spglib.get_symmetry_dataset(spglib_cell(host), symprec=1e-5)
    assert dataset.international == "C2/m"
    # Li 2b 2c 4h, Mn 4g, O 4i 8j: science.md, section 4.
    assert set(dataset.wyckoffs) == set("bchgij")


def test_cell_is_that_of_the_refinement():
    # Nature 606, 305 (2022), C2/m component of the two-phase refinement.
    parameters = built_in_host("Li2MnO3").lattice.parameters
    np.testing.assert_allclose(parameters, (4.9488, 8.5485, 5.0366, 90, 109.556, 90), atol=1e-9)


def test_primitive_cell_knows_the_conventional_axes():
    conventional, primitive = (
        built_in_host("Li2MnO3", cell) for cell in ("conventional", "primitive")
    )
    np.testing.assert_allclose(
        conventional_axes(primitive), conventional.lattice.matrix, atol=1e-12
    )
    assert primitive.volume == pytest.approx(conventional.volume / 2)


def test_no_bond_is_too_short():
    distances = built_in_host("Li2MnO3").distance_matrix
    assert distances[np.triu_indices(24, 1)].min() > 1.8  # Mn-O 1.9 Å


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match="nearest known: Li2MnO3"):
        built_in_host("Li2MnO4")
    with pytest.raises(ValueError, match="'conventional' or 'primitive'"):
        built_in_host("Li2MnO3", "hexagonal")
