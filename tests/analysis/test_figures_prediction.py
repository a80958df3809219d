"""The figure of predicted E_f, read back from its SVG."""

import re
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.analysis.dipole_prediction import curvature_error
from vacancy_flows.analysis.figures_prediction import plot_predictions

SVG = "{http://www.w3.org/2000/svg}"
STRAINS = {"biaxial-ab": (-0.02, 0.02, 0.04, 0.06), "hydrostatic": (0.02, 0.05)}
SLOPES = {"biaxial-ab": 8.4, "hydrostatic": 10.1}


@pytest.fixture
def predictions():
    """Two hosts, two sites, two modes, as `predict_strains` makes them."""
    rows = []
    for host, n_atoms, base in (("Li2MnO3", 24, 2.51), ("Li1.5MnO3", 22, 1.62)):
        for site, extra in (("O-8j-1", 0.0), ("O-4i-1", 0.18)):
            for mode, values in STRAINS.items():
                for strain in values:
                    start = base + extra
                    rows.append(
                        {
                            "host": host,
                            "ordering": None,
                            "site": site,
                            "strain_mode": mode,
                            "strain": strain,
                            "predicted_eV": start - SLOPES[mode] * strain,
                            "error_eV": float(curvature_error(mode, strain)),
                            "formation_energy_unstrained_eV": start,
                            "uid": f"u{host}{site}",
                            "engine": "chgnet",
                            "energy_scale": "mp2020",
                            "oxygen_scheme": "O2",
                            "temperature_K": 0.0,
                            "pressure_bar": 1.0,
                            "mu_o_eV": -4.8185,
                            "n_atoms": n_atoms,
                        }
                    )
    return pd.DataFrame(rows)


@pytest.fixture
def drawn(predictions, tmp_path):
    paths = plot_predictions(predictions, tmp_path / "predicted", OxygenReference())
    groups = {g.get("id"): g for g in ET.parse(paths[1]).iter(f"{SVG}g")}  # noqa: S314 - our own
    return paths, groups


def markers(group):
    return list(group.iter(f"{SVG}use"))


def height_of(group, strain, first, last):
    """Height of a band, drawn from the first to the last strain, at a strain; SVG units."""
    path = next(group.iter(f"{SVG}path")).get("d")
    points = [tuple(map(float, pair)) for pair in re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", path)]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    at = left + (strain - first) / (last - first) * (right - left)
    near = sorted(points, key=lambda point: abs(point[0] - at))[:2]
    return abs(near[0][1] - near[1][1])


def test_it_says_that_the_numbers_are_predicted_and_from_what(drawn):
    (png, svg), _ = drawn
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    for part in (
        ">predicted from the elastic dipole, not calculated<",
        "not a bound",
        "strain, biaxial-ab (%)",
        "strain, hydrostatic (%)",
        "Li1.5MnO3  O-4i-1",
        "± estimated error",
        "Engine chgnet",
        "energy scale mp2020",
        "O2 (½E(O2), no shift)",
        "-4.819 eV",
        "24 (Li2MnO3)",
    ):
        assert part in text, part


def test_predicted_is_open_and_the_calculated_point_filled(drawn):
    groups = drawn[1]
    for mode, values in STRAINS.items():
        predicted = groups[f"predicted_{mode}_Li2MnO3_O-8j-1"]
        assert len(markers(predicted)) == len(values)
        (start,) = markers(groups[f"start_{mode}_Li2MnO3_O-8j-1"])
        assert "fill: #ffffff" in markers(predicted)[0].get("style")
        assert "fill: #ffffff" not in start.get("style")


def test_band_grows_as_the_square_of_the_strain(drawn):
    band = drawn[1]["band_biaxial-ab_Li2MnO3_O-8j-1"]
    small, large = (height_of(band, strain, -0.02, 0.06) for strain in (0.02, 0.04))
    assert large / small == pytest.approx(4, rel=0.05)


def test_line_falls_with_tension(drawn):
    path = next(drawn[1]["curve_biaxial-ab_Li2MnO3_O-8j-1"].iter(f"{SVG}path")).get("d")
    numbers = [tuple(map(float, pair)) for pair in re.findall(r"[ML] (-?[\d.]+) (-?[\d.]+)", path)]
    assert numbers[0][0] < numbers[-1][0]
    assert numbers[0][1] < numbers[-1][1]  # SVG counts downwards


def test_same_table_gives_the_same_file(predictions, tmp_path):
    pairs = [plot_predictions(predictions, tmp_path / n, OxygenReference()) for n in ("a", "b")]
    for one, other in zip(*pairs, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_nothing_to_draw(predictions, tmp_path):
    assert plot_predictions(predictions.head(0), tmp_path / "a", OxygenReference()) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("column", ["engine", "energy_scale"])
def test_mixed_scales_are_refused(predictions, tmp_path, column):
    predictions.loc[0, column] = "other"
    with pytest.raises(ValueError, match=f"one {column}, the table has"):
        plot_predictions(predictions, tmp_path / "a", OxygenReference())


def test_another_reference_than_the_table_s_is_refused(predictions, tmp_path):
    with pytest.raises(ValueError, match="oxygen_scheme O2, not Li2O"):
        plot_predictions(predictions, tmp_path / "a", OxygenReference("Li2O"))
