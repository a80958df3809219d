"""E_f over T and p: the zero line against the thermal term, solved on its own."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from vacancy_flows.analysis import OxygenReference, oxygen_thermal_term
from vacancy_flows.analysis.figures_maps import (
    Window,
    figure_temperature_pressure,
    plot_temperature_pressure,
)

REFERENCE = OxygenReference()
WORDS = {"label": "Li2MnO3  O-8j-1", "engine": "chgnet", "scale": "mp2020", "n_atoms": 24}


def zero_line(figure):
    """Return the vertices (K, log10 bar) of the line E_f = 0."""
    (contour,) = [c for c in figure.axes[0].collections if c.get_gid() == "zero"]
    return np.concatenate([path.vertices for path in contour.get_paths()])


@pytest.mark.parametrize("variant", ["0K", "298K"])
@pytest.mark.parametrize(("e_f", "log_pressure"), [(1.0, -0.6), (2.51, -18.0), (2.51, -6.0)])
def test_zero_line_is_where_the_thermal_term_takes_e_f_to_zero(e_f, log_pressure, variant):
    figure = figure_temperature_pressure(e_f, REFERENCE, **WORDS, variant=variant)
    line = zero_line(figure)
    line = line[np.argsort(line[:, 1])]
    drawn = np.interp(log_pressure, line[:, 1], line[:, 0])
    pressure = 10.0**log_pressure
    expected = brentq(lambda t: e_f + oxygen_thermal_term(t, pressure, variant), 150.0, 1900.0)
    assert drawn == pytest.approx(expected, abs=2.0)


def test_table_of_the_physics_is_on_the_map():
    # science.md §3, variant (b): -1.212 eV at 1000 K and 0.21 bar
    line = zero_line(figure_temperature_pressure(1.212, REFERENCE, **WORDS))
    line = line[np.argsort(line[:, 1])]
    assert np.interp(math.log10(0.21), line[:, 1], line[:, 0]) == pytest.approx(1000.0, abs=2.0)


def test_variant_follows_scale_and_reference():
    r2scan = WORDS | {"engine": "chgnet-r2scan", "scale": "r2scan"}
    assert "½[H-H0-TS]" in figure_temperature_pressure(2.0, REFERENCE, **r2scan).get_supxlabel()
    assert "½[H-H298-TS]" in figure_temperature_pressure(2.0, REFERENCE, **WORDS).get_supxlabel()


def test_files_say_what_they_show(tmp_path):
    png, svg = plot_temperature_pressure(2.51, tmp_path / "map", REFERENCE, **WORDS)
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    for part in (
        "temperature (K)",
        r"$\log_{10}(p_{\mathrm{O}_2}$ / bar)",
        r"$E_\mathrm{f}[V_\mathrm{O}]$ (eV)",
        r"$E_\mathrm{f} = 0$ eV",
        "air (0.21 bar)",
        "Li2MnO3  O-8j-1",
        "Engine chgnet",
        "energy scale mp2020",
        "O2 (½E(O2), no shift)",
        "N = 24 atoms",
    ):
        assert part in text
    assert "no thermal term" not in text


def test_air_is_at_its_pressure():
    figure = figure_temperature_pressure(2.51, REFERENCE, **WORDS)
    (air,) = [line for line in figure.axes[0].lines if line.get_gid() == "air"]
    assert list(air.get_ydata()) == pytest.approx([math.log10(0.21)] * 2)


@pytest.mark.parametrize(("e_f", "side"), [(9.0, "above"), (-1.0, "below")])
def test_no_zero_line_is_said(e_f, side):
    figure = figure_temperature_pressure(e_f, REFERENCE, **WORDS)
    assert f"E_f is {side} zero everywhere" in figure.get_supxlabel()
    assert not [c for c in figure.axes[0].collections if c.get_gid() == "zero"]


def test_same_numbers_give_the_same_file(tmp_path):
    first, second = (
        plot_temperature_pressure(2.51, tmp_path / n, REFERENCE, **WORDS)[1] for n in "ab"
    )
    assert first.read_bytes() == second.read_bytes()


def test_no_formation_energy_is_no_figure(tmp_path):
    assert plot_temperature_pressure(math.nan, tmp_path / "a", REFERENCE, **WORDS) == []
    assert not list(tmp_path.iterdir())


def test_thermal_term_is_not_added_twice():
    with pytest.raises(ValueError, match="made at 300 K and has its thermal term already"):
        figure_temperature_pressure(2.0, OxygenReference(temperature=300.0), **WORDS)


def test_mu_o_of_the_user_has_no_map():
    with pytest.raises(ValueError, match="labels and add nothing"):
        figure_temperature_pressure(2.0, OxygenReference("user", mu_o=-5.0), **WORDS)


def test_window_outside_the_o2_table_is_refused():
    with pytest.raises(ValueError, match="outside the O2 table"):
        figure_temperature_pressure(2.0, REFERENCE, **WORDS, window=Window((50.0, 900.0)))
    with pytest.raises(ValueError, match="lower first"):
        figure_temperature_pressure(2.0, REFERENCE, **WORDS, window=Window((900.0, 300.0)))
