import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymatgen.core.interface import GrainBoundaryGenerator

from vacancy_flows.structures.boundaries import (
    Limits,
    Orientation,
    find_matches,
    ingrained_orientation,
    match_table,
)
from vacancy_flows.structures.boundaries.frame import complete_basis, primitive_bulk, view
from vacancy_flows.structures.ncm import layered_host, ordered_ncm

TILT = Orientation((-1, 0, 0), (0, 0, 1), -71.0, 38.0)
whole = st.integers(-5, 5)


def test_the_tilt_of_the_paper_is_the_only_match(r3m):
    # boundaries.md: 15.04 and 14.94 Å, strain 0.66 %, no shear, 192 atoms.
    (match,) = find_matches(r3m, TILT, depth=2)
    assert match.planes == "(012) || (0-17)"
    assert match.top.width == pytest.approx(15.04, abs=0.005)
    assert match.bottom.width == pytest.approx(14.94, abs=0.005)
    assert match.strain == pytest.approx(0.0066, abs=5e-5)
    assert match.shear == pytest.approx(0, abs=1e-9)
    assert (match.top.planes, match.bottom.planes, match.n_atoms) == (4, 6, 192)
    assert match.top.angle == pytest.approx(-70.77, abs=0.005)
    assert match.bottom.angle == pytest.approx(39.32, abs=0.005)
    assert match.misorientation == pytest.approx(110.1, abs=0.05)
    assert "15.04 / 14.94 Å" in match_table([match])


def test_with_the_axis_reversed_nothing_matches(r3m):
    with pytest.raises(ValueError, match="No match for axis \\[1, 0, 0\\]") as told:
        find_matches(r3m, Orientation((1, 0, 0), (0, 0, 1), -71.0, 38.0))
    message = str(told.value)
    assert message.count("loosen") == 5
    assert "(0-36) || (0,3,21), widths 45.12 / 44.82 Å: loosen width 45.12 (limit 32)" in message
    assert "opposite one may match" in message


def test_limits_that_everything_fits_are_refused(r3m):
    with pytest.raises(ValueError, match="choose a smaller width"):
        find_matches(r3m, TILT, Limits(width=200, strain=0.2, shear=0.2, tolerance=20))


def test_the_nearest_match_is_found_once_its_limits_are_loosened(r3m):
    with pytest.raises(ValueError, match=r"\(012\) \|\| \(0-17\).*loosen strain 0\.006589"):
        find_matches(r3m, TILT, Limits(strain=0.005))
    assert find_matches(r3m, TILT, Limits(strain=0.0066))


def test_the_ordered_cell_has_the_same_match_at_three_repeats(ordered):
    (match,) = find_matches(ordered, TILT)
    assert match.planes == "(012) || (0-17)"
    assert match.depth == pytest.approx(8.58)
    assert match.n_atoms == 288


def test_ingrained_s_words(r3m):
    asked = ingrained_orientation((-1, 0, 0), (0, 0, 1), -71, 38)
    assert find_matches(r3m, asked) == find_matches(r3m, TILT)


def test_any_setting_of_the_bulk_gives_the_same_table(r3m):
    primitive, large = layered_host("Co", cell="primitive"), r3m.make_supercell(2, in_place=False)
    large.properties["axes"] = (np.eye(3) / 2).tolist()
    tables = [match_table(find_matches(bulk, TILT)) for bulk in (r3m, primitive, large)]
    assert tables[0] == tables[1] == tables[2]


def test_pymatgen_s_generator_has_the_same_plane_cell():
    # boundaries.md: "Σ6" about a, plane (012), 2.86 × 15.04 Å; c²/a² near 24.6 as 16 : 5.
    primitive = layered_host("Co", cell="primitive")
    axes = np.array(primitive.properties["axes"])
    axis = [round(v) for v in axes[0]]
    plane = [round(v) for v in np.linalg.inv(axes) @ [0, 1, 2]]
    angle = GrainBoundaryGenerator.enum_sigma_rho(6, axis, [16, 5])[6][0]
    theirs = GrainBoundaryGenerator(primitive).gb_from_parameters(
        axis, angle, expand_times=1, plane=plane, ratio=[16, 5], rm_ratio=0.0
    )
    (match,) = find_matches(layered_host("Co"), TILT)
    assert theirs.sigma == 6
    assert theirs.lattice.abc[:2] == pytest.approx((match.depth, match.top.width))
    assert theirs.lattice.gamma == pytest.approx(90)


def test_planes_and_directions_of_a_monoclinic_cell_by_a_plane_that_points_up():
    bulk = ordered_ncm()
    del bulk.properties["parent_axes"]  # named in its own C2 cell
    matches = find_matches(bulk, Orientation((1, 0, 0), None, 0.0, 0.0, up_plane=(0, 0, 1)))
    assert matches[0].planes == "(001) || (001)"


@pytest.mark.parametrize(
    ("orientation", "told"),
    [
        (Orientation((1, 0.5, 0), (0, 0, 1)), "zone axis .* is no lattice direction"),
        (Orientation((0, 0, 0), (0, 0, 1)), "zone axis is \\[0, 0, 0\\]"),
        (Orientation((1, 0), (0, 0, 1)), "zone axis"),
        (Orientation((1, 0, 0), (0, 1, 0)), "not perpendicular .* 120.00"),
        (Orientation((1, 0, 0), None, up_plane=(1, 0, 0)), "up_plane .* not perpendicular"),
        (Orientation((1, 0, 0)), "either up"),
        (Orientation((1, 0, 0), (0, 0, 1), float("nan")), "angles"),
    ],
)
def test_bad_axes_are_refused_by_name(r3m, orientation, told):
    with pytest.raises(ValueError, match=told):
        find_matches(r3m, orientation)


@pytest.mark.parametrize(
    ("kwargs", "told"),
    [
        ({"thickness": 1.0}, "thickness = 1.0 Å is below one plane of the top grain"),
        ({"thickness": float("inf")}, "thickness = inf"),
        ({"planes": (4, 0)}, "planes = \\(4, 0\\)"),
        ({"depth": 0}, "depth = 0"),
    ],
)
def test_bad_sizes_are_refused(r3m, kwargs, told):
    with pytest.raises(ValueError, match=told):
        find_matches(r3m, TILT, **kwargs)


@pytest.mark.parametrize("limits", [{"width": -1.0}, {"strain": 0.5}, {"tolerance": float("nan")}])
def test_bad_limits_are_refused(limits):
    with pytest.raises(ValueError, match=f"limit {next(iter(limits))}"):
        Limits(**limits)


def test_what_meets_a_limit_exactly_is_within_it():
    wide = Limits(width=20.0, strain=0.03, shear=0.05, tolerance=1.5)
    bulk, orientation = (
        layered_host("Co", cell="primitive"),
        Orientation((1, 0, 0), (0, 0, 1), 0.0, 1.5),
    )
    matches = find_matches(bulk, orientation, wide)
    assert any(abs(match.bottom.deviation) == pytest.approx(1.5) for match in matches)
    for match in matches:
        limits = Limits(
            width=max(match.top.width, match.bottom.width),
            strain=abs(match.strain),
            shear=abs(match.shear),
            tolerance=max(abs(match.top.deviation), abs(match.bottom.deviation)),
        )
        assert match.planes in {m.planes for m in find_matches(bulk, orientation, limits)}


@given(st.tuples(whole, whole, whole).filter(any))
@settings(deadline=None)
def test_bases_are_completed(vector):
    vector = np.array(vector) // np.gcd.reduce(vector)
    basis = complete_basis(vector)
    assert basis[0].tolist() == vector.tolist()
    assert round(float(np.linalg.det(basis))) == 1


@given(st.floats(-180, 180), st.floats(-180, 180))
@example(0.0, 1.5)
@settings(max_examples=50, deadline=None)
def test_matches_of_random_angles_keep_their_limits(top, bottom):
    limits = Limits(width=20.0, strain=0.03, shear=0.05, tolerance=1.5)
    bulk = layered_host("Co", cell="primitive")
    try:
        matches = find_matches(bulk, Orientation((1, 0, 0), (0, 0, 1), top, bottom), limits)
    except ValueError as error:
        assert "No match" in str(error)  # noqa: PT017
        return
    seen = view(primitive_bulk(bulk), (1, 0, 0), (0, 0, 1))
    for match in matches:
        assert abs(match.strain) <= 0.03 + 1e-9
        assert abs(match.shear) <= 0.05 + 1e-9
        assert max(match.top.width, match.bottom.width) <= 20.0 + 1e-9
        for side, asked in ((match.top, top), (match.bottom, bottom)):
            assert abs(side.angle - asked) <= 1.5 + 1e-9
            # Each repeat is a lattice vector of that length, and lies in the plane named.
            vector = np.array(side.line) @ seen.bulk.lattice
            across = vector - vector @ [1, 0, 0] * np.array([1, 0, 0])
            assert np.linalg.norm(across) == pytest.approx(side.width)
            indices = np.linalg.inv(seen.bulk.axes) @ side.plane
            assert indices @ side.line == pytest.approx(0, abs=1e-9)
