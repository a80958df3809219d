import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vacancy_flows.structures import (
    MODES,
    built_in_host,
    conventional_axes,
    deform,
    deformation_gradient,
)

HOST = built_in_host("Li2MnO3", "primitive")
AXES = conventional_axes(HOST)
STRAINS = st.floats(-0.2, 0.2)


def strained(mode, value):
    return conventional_axes(deform(HOST, deformation_gradient(AXES, mode, value)))


@pytest.mark.parametrize(("mode", "row"), [("uniaxial-a", 0), ("uniaxial-b", 1)])
@given(value=STRAINS)
def test_uniaxial_strain_changes_its_axis(mode, row, value):
    lengths = np.linalg.norm(strained(mode, value), axis=1) / np.linalg.norm(AXES, axis=1)
    assert lengths[row] == pytest.approx(1 + value)
    assert lengths[1 - row] == pytest.approx(1)  # a and b are perpendicular


@given(value=STRAINS)
def test_c_star_is_the_layer_spacing_not_c(value):
    new = strained("uniaxial-c*", value)
    np.testing.assert_allclose(new[:2], AXES[:2], atol=1e-12)
    normal = np.cross(AXES[0], AXES[1])
    normal /= np.linalg.norm(normal)
    assert new[2] @ normal == pytest.approx((1 + value) * (AXES[2] @ normal))
    # c is 19.6° off c*, so its length follows by less, and its in-plane part not at all.
    np.testing.assert_allclose(
        new[2] - (new[2] @ normal) * normal, AXES[2] - (AXES[2] @ normal) * normal, atol=1e-12
    )
    if abs(value) > 0.01:
        ratio = np.linalg.norm(new[2]) / np.linalg.norm(AXES[2])
        assert abs(ratio - 1) < 0.95 * abs(value)


@given(value=STRAINS)
def test_biaxial_strain_has_no_normal_component(value):
    gradient = deformation_gradient(AXES, "biaxial-ab", value)
    normal = np.cross(AXES[0], AXES[1]) / np.linalg.norm(np.cross(AXES[0], AXES[1]))
    np.testing.assert_allclose(gradient @ normal, normal, atol=1e-12)
    np.testing.assert_allclose(gradient @ AXES[0], (1 + value) * AXES[0], atol=1e-12)
    np.testing.assert_allclose(gradient @ AXES[1], (1 + value) * AXES[1], atol=1e-12)


@pytest.mark.parametrize(
    ("mode", "power"),
    [
        ("uniaxial-a", 1),
        ("uniaxial-b", 1),
        ("uniaxial-c*", 1),
        ("biaxial-ab", 2),
        ("hydrostatic", 3),
    ],
)
def test_tension_makes_the_cell_larger(mode, power):
    larger = deform(HOST, deformation_gradient(AXES, mode, 0.04))
    assert larger.volume / HOST.volume == pytest.approx(1.04**power)


@pytest.mark.parametrize("mode", MODES)
def test_no_strain_is_the_unit_matrix(mode):
    np.testing.assert_array_equal(deformation_gradient(AXES, mode, 0.0), np.eye(3))


@given(arrays(float, (3, 3), elements=st.floats(-0.3, 0.3)))
def test_any_deformation_multiplies_the_volume_and_keeps_fractions(change):
    gradient = np.eye(3) + change
    assume(np.linalg.det(gradient) > 0.01)
    result = deform(HOST, gradient)
    assert result.volume == pytest.approx(np.linalg.det(gradient) * HOST.volume)
    np.testing.assert_array_equal(result.frac_coords, HOST.frac_coords)
    # Vectors go to F a, not to its transpose.
    np.testing.assert_allclose(result.lattice.matrix[0], gradient @ HOST.lattice.matrix[0])


def test_labels_and_axes_are_carried(host24):
    result = deform(host24, np.diag([1.05, 1, 1]))
    assert result.site_properties == host24.site_properties
    np.testing.assert_allclose(conventional_axes(result), result.lattice.matrix)


@pytest.mark.parametrize("value", [0.21, -0.3, 5, float("nan"), float("inf")])
def test_absurd_strains_are_refused(value):
    with pytest.raises(ValueError, match=r"0\.05 means 5 %"):
        deformation_gradient(AXES, "hydrostatic", value)


def test_unknown_mode_names_the_nearest():
    with pytest.raises(ValueError, match=r"nearest known: uniaxial-c\*"):
        deformation_gradient(AXES, "uniaxial-c", 0.01)


def test_flat_axes_are_refused():
    with pytest.raises(ValueError, match="independent"):
        deformation_gradient(np.ones((3, 3)), "biaxial-ab", 0.01)


@pytest.mark.parametrize(
    "gradient",
    [np.eye(2), np.zeros((3, 3)), np.diag([1, 1, -1]), np.full((3, 3), np.nan), "F", [[1], [2, 3]]],
)
def test_deformations_that_are_none(gradient):
    with pytest.raises(ValueError, match="deformation gradient"):
        deform(HOST, gradient)
