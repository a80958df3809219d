import json
import math

import pytest

from vacancy_flows.structures import prepare_host, remove_labels
from vacancy_flows.structures.boundaries import (
    closest,
    layer_angle,
    plane_distances,
    preset_boundary,
    region_labels,
)
from vacancy_flows.structures.delithiation_mc import delithiate


def labelled(cell):
    host = prepare_host(cell)
    host.properties["boundary"] = cell.properties["boundary"]
    return host


def test_tilt_109_is_the_paper_s_cell(tilt_109):
    # boundaries.md: 192 atoms, 48 Li, 5.72 × 15.0 Å, (012) || (0-17).
    assert tilt_109.composition.formula == "Li48 Mn16 Co16 Ni16 O96"
    boundary = tilt_109.properties["boundary"]
    assert boundary["grains"]["top"]["plane"] == [0, 1, 2]
    assert boundary["grains"]["bottom"]["plane"] == [0, -1, 7]
    assert boundary["misorientation"] == pytest.approx(110.1, abs=0.05)
    assert all(closest(tilt_109)[k] >= v for k, v in {"M-O": 1.7, "O-O": 2.3, "M-M": 2.3}.items())
    assert json.loads(json.dumps(boundary)) == boundary


def test_decoration_is_named_and_its_segregation_reported(tilt_109):
    decoration = tilt_109.properties["boundary"]["decoration"]
    assert "electrostatics" in decoration["method"]
    assert decoration["runs_agreeing"] == [8, 8]
    assert not decoration["proved"]
    metals = decoration["metals"]
    # boundaries.md: Ni2+ takes metal sites of too few O, Mn4+ keeps away from them.
    poor = {m: metals[m]["near"].get("5", 0) for m in metals}
    assert poor["Ni"] > poor["Co"] > poor["Mn"]
    assert set(metals["Mn"]["far"]) == {"6"}


def test_the_interface_oxygens_are_the_paper_s_24_and_12(tilt_109, twin_104):
    # boundaries.md: one boundary's inner O of the tilt, and the O on the mirrors of the twin.
    assert len(region_labels(labelled(tilt_109), 2.615, 1, "O")) == 24
    assert len(region_labels(labelled(twin_104), 0.5, "both", "O")) == 12


def test_twin_104_has_96_atoms(twin_104):
    assert twin_104.composition.formula == "Li24 Mn8 Co8 Ni8 O48"
    # The layers stand at the angle of (003) and (104), mirrored.
    angles = [layer_angle(twin_104, grain, core=1.5) for grain in ("bottom", "top")]
    assert angles == pytest.approx([-55.10, 55.10], abs=0.01)
    assert json.loads(json.dumps(twin_104.properties["boundary"]))["planes"]


def check_ordered(cell):
    metals = cell.properties["boundary"]["decoration"]["metals"]
    # No segregation: every element has its share near the boundary and far from it.
    assert metals["Ni"] == metals["Co"] == metals["Mn"]


def test_tilt_109_ordered_keeps_the_order_of_the_bulk():
    cell = preset_boundary("tilt_109_ordered", thickness=4.7)[0]
    assert cell.composition.formula == "Li36 Mn12 Co12 Ni12 O72"
    check_ordered(cell)


@pytest.mark.slow
def test_tilt_109_ordered_has_288_atoms():
    cell = preset_boundary("tilt_109_ordered")[0]
    assert cell.composition.formula == "Li72 Mn24 Co24 Ni24 O144"
    check_ordered(cell)
    assert set(cell.properties["boundary"]["decoration"]["metals"]["Ni"]["far"]) == {"6"}


def test_thickness_is_in_whole_planes(tilt_109, twin_104):
    for name, thick, planes in (("tilt_109", tilt_109, 4 + 6), ("twin_104", twin_104, 4 + 4)):
        thin = preset_boundary(name, thickness=4.7)[0]
        grains = thin.properties["boundary"]["grains"]
        number = grains["top"]["planes"] + grains["bottom"]["planes"]
        assert number == planes // 2
        assert len(thin) == len(thick) // 2


def test_bad_presets_are_refused():
    with pytest.raises(ValueError, match="tilt_109"):
        preset_boundary("tilt_110")
    with pytest.raises(ValueError, match=r"thickness = 1\.0 Å is below one plane"):
        preset_boundary("tilt_109", thickness=1.0)


def test_the_paper_s_six_of_48_lithium_are_proved(tilt_109):
    host = labelled(tilt_109)
    found = delithiate(host, 42, keep=2)
    assert found.proved
    assert found.arrangements == math.comb(48, 6)
    assert found.charges["Ni"] == pytest.approx(2.875)
    sampled = delithiate(host, 42, proof_limit=0)
    assert sampled.energies[0] == pytest.approx(found.energies[0], abs=1e-6)
    left = remove_labels(host, found.removals[0].labels)
    assert left.composition["Li"] == 6
    # Labels, not indices, survive.
    assert set(left.site_properties["label"]) < set(host.site_properties["label"])


def test_planes_stay_with_the_cell_when_it_is_strained(tilt_109):
    before = plane_distances(tilt_109)
    strained = tilt_109.copy()
    strained.apply_strain(0.02)
    assert plane_distances(strained) == pytest.approx(1.02 * before)
