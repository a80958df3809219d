"""The figure of E_f against strain, read back from its SVG."""

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.analysis.plots import plot_strain

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawn(table, tmp_path):
    """The files, and the SVG's groups by id."""
    paths = plot_strain(table, tmp_path / "E_f.v1", OxygenReference())
    groups = {g.get("id"): g for g in ET.parse(paths[1]).iter(f"{SVG}g")}  # noqa: S314 - our own
    return paths, groups


def points(group):
    """Return the markers of a curve."""
    return list(group.iter(f"{SVG}use"))


def vertices(group):
    """Return the vertices of a curve's line."""
    paths = [path for path in group.findall(f"{SVG}path") if "fill: none" in path.get("style")]
    return [number for path in paths for number in re.findall(r"[ML]", path.get("d"))]


def test_both_files_exist(drawn):
    (png, svg), _ = drawn
    assert (png.name, svg.name) == ("E_f.v1.png", "E_f.v1.svg")
    assert png.read_bytes().startswith(b"\x89PNG")


def test_svg_says_what_it_shows(drawn):
    text = drawn[0][1].read_text()
    for part in (
        r"$E_\mathrm{f}[V_\mathrm{O}]$ (eV)",
        "strain, biaxial-ab (%)",
        "strain, uniaxial-c* (%)",
        "Li2MnO3  O-8j-1",
        "Li1.5MnO3 #1  O-4i-1",
        "Engine chgnet",
        "energy scale mp2020",
        "O2 (½E(O2), no shift), no thermal term",
        "-4.819 eV",
        "24 (Li2MnO3)",
        "neutral",
        "underestimates E_f by about 0.7 eV",
        "Not converged: 1 of 24 points",
    ):
        assert part in text


def test_unstrained_rows_are_on_every_curve(drawn):
    curves = {key: group for key, group in drawn[1].items() if key and key.startswith("curve_")}
    assert len(curves) == 12  # 3 cells x 2 sites x 2 modes
    assert len(points(curves["curve_biaxial-ab_Li2MnO3_O-8j-1"])) == 3
    assert len(vertices(curves["curve_biaxial-ab_Li2MnO3_O-8j-1"])) == 3
    assert len(points(curves["curve_uniaxial-c*_Li2MnO3_O-8j-1"])) == 2


def test_unconverged_point_is_hollow_and_on_no_line(drawn):
    groups = drawn[1]
    hollow = [key for key in groups if key and key.startswith("hollow_")]
    assert hollow == ["hollow_biaxial-ab_Li2MnO3_O-4i-1"]
    (mark,) = points(groups[hollow[0]])
    assert not vertices(groups[hollow[0]])
    curve = groups["curve_biaxial-ab_Li2MnO3_O-4i-1"]
    assert len(points(curve)) == len(vertices(curve)) == 2
    assert mark.get("x") not in {point.get("x") for point in points(curve)}


def test_line_does_not_bridge_an_unconverged_point(table, tmp_path):
    middle = (table["strain"] == 0.02) & (table["site"] == "O-8j-1") & (table["host"] == "Li2MnO3")
    table.loc[middle, "converged"] = False
    svg = plot_strain(table, tmp_path / "gap", OxygenReference())[1]
    groups = {g.get("id"): g for g in ET.parse(svg).iter(f"{SVG}g")}  # noqa: S314 - our own
    assert vertices(groups["curve_biaxial-ab_Li2MnO3_O-8j-1"]).count("L") == 0


def test_same_table_gives_the_same_file(table, tmp_path):
    first, second = (plot_strain(table, tmp_path / n, OxygenReference()) for n in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_settings_of_the_user_stay(table, tmp_path):
    before = dict(mpl.rcParams)
    plot_strain(table, tmp_path / "a", OxygenReference())
    assert dict(mpl.rcParams) == before


def test_rows_that_cannot_be_drawn_are_counted(table, tmp_path):
    table.loc[0, "formation_energy_eV"] = float("nan")
    svg = plot_strain(table, tmp_path / "a", OxygenReference())[1]
    assert "Not drawn: 1 rows" in svg.read_text()


def test_unstrained_only(table, tmp_path):
    alone = table[table["strain_mode"] == "none"]
    svg = plot_strain(alone, tmp_path / "a", OxygenReference())[1]
    assert "strain (%)" in svg.read_text()


def test_nothing_to_draw(table, tmp_path):
    assert plot_strain(table.head(0), tmp_path / "a", OxygenReference()) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("column", ["engine", "energy_scale"])
def test_mixed_scales_are_refused(table, tmp_path, column):
    table.loc[0, column] = "other"
    with pytest.raises(ValueError, match=f"one {column}, the table has"):
        plot_strain(table, tmp_path / "a", OxygenReference())


def test_another_reference_than_the_table_s_is_refused(table, tmp_path):
    with pytest.raises(ValueError, match="oxygen_scheme O2, not Li2O"):
        plot_strain(table, tmp_path / "a", OxygenReference("Li2O"))


def test_pyplot_is_not_imported():
    code = "import sys, vacancy_flows.analysis.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
