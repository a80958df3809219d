import json

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Lattice, Structure

from vacancy_flows.structures.boundaries import (
    Limits,
    Orientation,
    Placement,
    bicrystal,
    bicrystals,
    closest,
    find_matches,
    layer_angle,
    layer_normal,
    misorientation,
    relaxed_apart,
    search_placements,
)
from vacancy_flows.structures.boundaries.overlap import overlap, spheres
from vacancy_flows.structures.boundaries.push import push_apart
from vacancy_flows.structures.ncm import layered_host, ordered_ncm
from vacancy_flows.structures.symmetry import space_group

HARD = {"M-O": 1.7, "O-O": 2.3, "M-M": 2.3}  # Å, boundaries.md


def pair_lengths(structure, repeats=1, cutoff=4.2):
    """Sorted distances of each pair of elements, every `repeats`-th of them."""
    first, second, _, length = structure.get_neighbor_list(cutoff)
    names = np.array([site.specie.symbol for site in structure])
    pairs = np.char.add(names[first], names[second])
    return {str(p): np.sort(length[pairs == p])[::repeats] for p in np.unique(pairs)}


def same_crystal(cell, bulk):
    """Whether a cell is the bulk: all distances within 4.2 Å, across the boundaries too."""
    ours, theirs = pair_lengths(cell, len(cell) // len(bulk)), pair_lengths(bulk)
    return ours.keys() == theirs.keys() and all(
        len(ours[p]) == len(theirs[p]) and np.abs(ours[p] - theirs[p]).max() < 1e-6 for p in ours
    )


def ewald(structure, states=None):
    charged = structure.copy()
    charged.add_oxidation_state_by_element(states or {"Li": 1, "Co": 3, "O": -2})
    return EwaldSummation(charged).total_energy


# --- identity: two grains at the same angle are the perfect bulk ---------------------------------


@pytest.mark.parametrize("stacking", [None, "C2"])
@pytest.mark.parametrize("angle", [-71.0, 38.0, 0.0, 12.0, 147.0])
def test_identity(stacking, angle):
    bulk = ordered_ncm(stacking) if stacking else layered_host(cell="primitive")
    match = find_matches(bulk, Orientation((-1, 0, 0), (0, 0, 1), angle, angle))[0]
    cell = bicrystal(bulk, match)
    assert match.strain == pytest.approx(0, abs=1e-9)
    assert same_crystal(cell, bulk)
    group, known = space_group(cell, 1e-3), space_group(bulk)
    assert group.number == known.number
    assert len(set(group.mapping_to_primitive)) == len(set(known.mapping_to_primitive))


@st.composite
def bulks(draw):
    """Random triclinic oxides MO of one formula unit, nothing closer than 1.5 Å."""
    lengths = [draw(st.floats(2.8, 4.2)) for _ in range(3)]
    angles = [draw(st.floats(75, 105)) for _ in range(3)]
    place = [draw(st.floats(0.4, 0.6)) for _ in range(3)]
    lattice = Lattice.from_parameters(*lengths, *angles)
    return Structure(lattice, ["Ni", "O"], [[0, 0, 0], place])


@st.composite
def perpendicular_axes(draw):
    """A plane that points up, and a zone axis in it."""
    small = st.integers(-2, 2)
    up = np.array(draw(st.tuples(small, small, small).filter(any)))
    axis = np.cross(up, draw(st.tuples(small, small, small)))
    assume(axis.any())
    axis = axis // np.gcd.reduce(axis)
    return tuple(int(v) for v in axis), tuple(int(v) for v in up)


@given(bulks(), perpendicular_axes(), st.floats(-180, 180))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_identity_of_random_cells(bulk, axes, angle):
    asked = Orientation(axes[0], None, angle, angle, up_plane=axes[1])
    try:
        matches = find_matches(bulk, asked, Limits(tolerance=10), thickness=9.4)
    except ValueError as error:
        assume("No match" not in str(error) and "below one plane" not in str(error))
        raise
    same = [m for m in matches if m.top.line == m.bottom.line and m.n_atoms < 300]
    assume(same)
    assert same_crystal(bicrystal(bulk, same[0]), bulk)


@given(bulks(), perpendicular_axes(), st.floats(-90, 90), st.floats(-90, 90))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_bicrystals_keep_composition_strain_and_distances(bulk, axes, top, bottom):
    limits = Limits(width=24, strain=0.05, shear=0.05, tolerance=5)
    asked = Orientation(axes[0], None, top, bottom, up_plane=axes[1])
    try:
        matches = find_matches(bulk, asked, limits, thickness=6.0)
    except ValueError as error:
        assume("No match" not in str(error) and "below one plane" not in str(error))
        raise
    match = matches[0]
    assume(match.n_atoms < 150)
    cell = bicrystals(bulk, match, 1)[0]
    assert len(cell) == match.n_atoms
    assert cell.composition == bulk.composition * (match.n_atoms // 2)
    boundary = cell.properties["boundary"]
    for name in ("top", "bottom"):
        assert abs(boundary["grains"][name]["strain"]) <= 0.026
    hard = spheres(bulk, 0.05 + 0.05).hard
    found = closest(cell)
    for name, least in (("M-M", hard[0, 0]), ("M-O", hard[0, 1]), ("O-O", hard[1, 1])):
        assert found[name] >= least


# --- the tilt ------------------------------------------------------------------------------------


def test_the_tilt_has_exact_composition_and_small_strain(r3m, tilt_match):
    cell = bicrystals(r3m, tilt_match, 1)[0]
    assert cell.composition == r3m.composition * 16
    assert cell.lattice.a == pytest.approx(5.72)
    assert cell.lattice.b == pytest.approx(14.99, abs=0.005)
    grains = cell.properties["boundary"]["grains"]
    assert grains["top"]["strain"] == pytest.approx(-0.0033, abs=5e-5)
    assert grains["bottom"]["strain"] == pytest.approx(0.0033, abs=5e-5)


def test_several_candidates_are_kept_apart_and_clear(r3m, tilt_match):
    cells = bicrystals(r3m, tilt_match, 4)
    assert len(cells) == 4
    overlaps = [cell.properties["boundary"]["overlap"] for cell in cells]
    assert overlaps == sorted(overlaps)
    for cell in cells:
        found = closest(cell)
        assert all(found[name] >= least for name, least in HARD.items())
        assert cell.properties["boundary"]["closest"]["M-O"] == pytest.approx(
            found["M-O"], abs=1e-3
        )


def test_grains_turn_as_asked(r3m, tilt_match):
    cell = bicrystal(r3m, tilt_match, Placement(gaps=(0.5, 0.5)))
    # Each layer normal, read from the atoms; strain and finite size leave less than 1°.
    assert layer_angle(cell, "top") == pytest.approx(-70.77, abs=0.5)
    assert layer_angle(cell, "bottom") == pytest.approx(39.32, abs=0.5)
    assert misorientation(cell) == pytest.approx(180 - 110.1, abs=1.0)
    assert layer_normal(cell, "top")[0] == pytest.approx(0, abs=1e-6)


def test_the_core_is_six_fold(tilt_109):
    from vacancy_flows.structures.boundaries import plane_distances

    first, second, _, _ = tilt_109.get_neighbor_list(2.6)
    oxygen = np.array([site.specie.symbol == "O" for site in tilt_109])
    counts = np.bincount(first[oxygen[second]], minlength=len(tilt_109))
    far = plane_distances(tilt_109) > 3.0
    metals = np.array([site.specie.symbol in {"Ni", "Co", "Mn"} for site in tilt_109])
    assert set(counts[far & metals].tolist()) == {6}


def test_twice_the_depth_has_twice_the_energy(r3m):
    single = find_matches(r3m, Orientation((-1, 0, 0), (0, 0, 1), -71, 38), depth=1)[0]
    double = find_matches(r3m, Orientation((-1, 0, 0), (0, 0, 1), -71, 38), depth=2)[0]
    placement = search_placements(r3m, single)[0]
    one, two = (relaxed_apart(r3m, match, placement) for match in (single, double))
    assert ewald(two) == pytest.approx(2 * ewald(one), abs=1e-3)
    made = one.make_supercell([2, 1, 1], in_place=False)
    assert ewald(made) == pytest.approx(2 * ewald(one), abs=1e-3)
    assert overlap(two, spheres(r3m)) == pytest.approx(2 * overlap(one, spheres(r3m)), abs=1e-6)


def test_translations_that_continue_the_lattice_are_found(r3m):
    # At equal angles the search finds the perfect crystal: no overlap, no gap.
    match = find_matches(r3m, Orientation((-1, 0, 0), (0, 0, 1), -71, -71))[0]
    best = search_placements(r3m, match)[0]
    assert best.overlap == pytest.approx(0, abs=1e-3)
    assert best.gaps == (0.0, 0.0)


def test_the_same_input_gives_the_same_cell(r3m, tilt_match):
    assert bicrystals(r3m, tilt_match, 1)[0] == bicrystals(r3m, tilt_match, 1)[0]


def test_vacuum_instead_of_the_second_boundary(r3m, tilt_match):
    cell = bicrystals(r3m, tilt_match, 1, vacuum=12.0)[0]
    planes = cell.properties["boundary"]["planes"]
    assert [plane["boundary"] for plane in planes] == [1]
    assert cell.lattice.angles == pytest.approx((90, 90, 90))
    heights = np.sort(cell.frac_coords[:, 2]) * cell.lattice.c
    assert np.diff(heights, append=heights[0] + cell.lattice.c).max() > 11.0


def test_orthogonal_cells(r3m, tilt_match):
    cell = bicrystals(r3m, tilt_match, 1, orthogonal=True)[0]
    assert cell.lattice.angles == pytest.approx((90, 90, 90), abs=1e-3)
    assert cell.composition == r3m.composition * 16


def test_provenance_is_json_and_rebuilds_the_cell(r3m, tilt_match):
    cell = bicrystals(r3m, tilt_match, 1)[0]
    boundary = json.loads(json.dumps(cell.properties["boundary"]))
    builder = boundary["builder"]
    again = bicrystal(
        r3m,
        tilt_match,
        Placement(
            terminations=tuple(builder["terminations"]),
            translations=tuple(tuple(shift) for shift in builder["translations"]),
            gaps=tuple(builder["gaps"]),
        ),
    )
    assert np.allclose(again.lattice.matrix, cell.lattice.matrix, atol=1e-4)
    assert boundary["grains"]["top"]["plane"] == [0, 1, 2]
    assert boundary["grains"]["bottom"]["plane"] == [0, -1, 7]
    assert set(cell.site_properties["grain"]) == {"top", "bottom"}


def test_grains_lie_on_their_sides_of_the_planes(r3m, tilt_match):
    cell = bicrystal(r3m, tilt_match, Placement(gaps=(0.3, 0.1)))
    first, second = (p["fraction"] for p in cell.properties["boundary"]["planes"])
    below = (cell.frac_coords[:, 2] - second) % 1.0 < (first - second) % 1.0
    assert [("bottom" if b else "top") for b in below] == cell.site_properties["grain"]


def test_pushing_leaves_the_perfect_crystal_alone(r3m):
    assert np.allclose(push_apart(r3m, spheres(r3m)).frac_coords, r3m.frac_coords)


@pytest.mark.parametrize(
    ("placement", "told"),
    [
        (Placement(terminations=(9, 0)), "Termination 9 of plane \\(0, 1, 2\\)"),
        (Placement(gaps=(-0.1, 0.0)), "Gaps"),
        (Placement(vacuum=0.0), "vacuum"),
    ],
)
def test_bad_placements_are_refused(r3m, tilt_match, placement, told):
    with pytest.raises(ValueError, match=told):
        bicrystal(r3m, tilt_match, placement)


def test_other_bad_input_is_refused(r3m, tilt_match):
    with pytest.raises(ValueError, match="keep = 0"):
        bicrystals(r3m, tilt_match, 0)
    huge = find_matches(r3m, Orientation((-1, 0, 0), (0, 0, 1), -71, 38), thickness=500.0, depth=2)[
        0
    ]
    with pytest.raises(ValueError, match="more than 5000 atoms"):
        bicrystal(r3m, huge)


@pytest.mark.slow
def test_a_thousand_atoms(r3m):
    asked = Orientation((-1, 0, 0), (0, 0, 1), -71, 38)
    match = find_matches(r3m, asked, thickness=24.0, depth=4)[0]
    cell = bicrystals(r3m, match, 1)[0]
    assert len(cell) >= 960
    assert cell.composition == r3m.composition * (len(cell) // 12)
