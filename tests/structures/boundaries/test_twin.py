import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from vacancy_flows.structures.boundaries import closest, plane_distances, twins
from vacancy_flows.structures.boundaries.overlap import spheres


def coordinations(structure):
    first, second, _, _ = structure.get_neighbor_list(2.4)
    oxygen = np.array([site.specie.symbol == "O" for site in structure])
    counts = np.bincount(first[oxygen[first] != oxygen[second]], minlength=len(structure))
    return set(counts.tolist())


# boundaries.md: zero strain, every atom six-coordinated, 12 O on the two mirrors whatever N.
@pytest.mark.parametrize("planes", [2, 4, 6])
def test_the_104_twin_is_coherent_at_any_thickness(ordered, planes):
    cell = twins(ordered, (0, 1, -4), planes=planes)[0]
    assert cell.composition == ordered.composition * (2 * planes)
    assert coordinations(cell) == {6}
    on_mirror = [s for s in cell if s.properties["grain"] == "shared" and s.specie.symbol == "O"]
    assert len(on_mirror) == 12
    assert plane_distances(cell)[[s.properties["grain"] == "shared" for s in cell]].max() < 1e-9
    assert cell.properties["boundary"]["mismatch"] == 0.0
    assert cell.properties["boundary"]["pushed"] == 0.0


@pytest.mark.parametrize("plane", [(1, 0, 4), (0, 1, -4), (-1, 1, 4)])
def test_equal_planes_give_equal_twins(r3m, plane):
    cell = twins(r3m, plane, planes=3)[0]
    assert np.prod(cell.lattice.abc) == pytest.approx(2.86 * 5.7715 * 6 * 2.0313, rel=1e-4)


def test_the_twin_is_its_own_mirror_image(twin_104):
    mirrored = twin_104.frac_coords * [1, 1, -1]
    for site, image in zip(twin_104, mirrored, strict=True):
        delta = twin_104.frac_coords - image
        delta -= np.round(delta)
        nearest = int(np.argmin(np.linalg.norm(delta, axis=1)))
        assert np.abs(delta[nearest]).max() < 1e-9
        assert twin_104[nearest].specie == site.specie


def test_both_boundaries_of_a_twin_are_equal(twin_104):
    one, two = (np.sort(plane_distances(twin_104, k)) for k in (1, 2))
    assert np.allclose(one, two)


def test_an_axis_in_the_plane_can_be_chosen(ordered):
    cell = twins(ordered, (0, 1, -4), planes=2, axis=(1, 0, 0))[0]
    assert cell.lattice.abc[:2] == pytest.approx((8.58, 5.7715), abs=1e-4)
    with pytest.raises(ValueError, match="axis \\[0, 1, 0\\] is not in the twin plane"):
        twins(ordered, (0, 1, -4), axis=(0, 1, 0))


def test_other_mirrors_are_candidates(r3m):
    cells = twins(r3m, (0, 1, 2), planes=3, keep=3)
    overlaps = [cell.properties["boundary"]["overlap"] for cell in cells]
    assert overlaps == sorted(overlaps)
    assert len({cell.properties["boundary"]["grains"]["top"]["termination"] for cell in cells}) == 3
    for cell in cells:
        assert cell.composition == r3m.composition * 2
        assert closest(cell)["M-O"] >= 1.7


@st.composite
def random_twins(draw):
    lengths = [draw(st.floats(2.8, 4.2)) for _ in range(3)]
    angles = [draw(st.floats(75, 105)) for _ in range(3)]
    place = [draw(st.floats(0.4, 0.6)) for _ in range(3)]
    bulk = Structure(Lattice.from_parameters(*lengths, *angles), ["Ni", "O"], [[0, 0, 0], place])
    small = st.integers(-2, 2)
    return bulk, draw(st.tuples(small, small, small).filter(any)), draw(st.integers(1, 4))


@given(random_twins())
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_twins_of_random_cells_keep_composition_and_distances(drawn):
    bulk, plane, planes = drawn
    try:
        cell = twins(bulk, plane, planes=planes)[0]
    except ValueError as error:
        assume("stay too close" not in str(error))  # planes closer than atoms are wide
        raise
    assert cell.composition == bulk.composition * (2 * planes)
    assert cell.lattice.alpha == pytest.approx(90)
    assert cell.lattice.beta == pytest.approx(90)
    hard, found = spheres(bulk).hard, closest(cell)
    assert found["M-M"] >= hard[0, 0]
    assert found["M-O"] >= hard[0, 1]


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"plane": (1, 0, 0.5)}, "twin plane"),
        ({"plane": (0, 0, 0)}, "twin plane"),
        ({"plane": (1, 0, 4), "thickness": 1.0}, "below one plane.*2.031"),
        ({"plane": (1, 0, 4), "planes": 0}, "planes = 0"),
        ({"plane": (1, 0, 4), "repeats": (1, 0)}, "repeats"),
    ],
)
def test_bad_twins_are_refused(r3m, kwargs, told):
    with pytest.raises(ValueError, match=told):
        twins(r3m, **kwargs)
