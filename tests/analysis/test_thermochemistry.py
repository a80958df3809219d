"""mu_O(T, p) against the table of science.md §3 (from NIST's Shomate fit, Chase 1998)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.constants import physical_constants

from vacancy_flows.analysis import oxygen_thermal_term, shomate_enthalpy, shomate_entropy

K_EV = physical_constants["Boltzmann constant in eV/K"][0]
EV_PER_KJ_MOL = 1 / 96.48533212

TABLE = [
    # T, p, (a) from 0 K, (b) from 298 K, (c) -½TS only
    (298.15, 1.0, -0.272, -0.317, -0.317),
    (300.0, 1.0, -0.274, -0.319, -0.319),
    (300.0, 0.21, -0.294, -0.339, -0.339),
    (500.0, 1.0, -0.495, -0.540, -0.572),
    (1000.0, 1.0, -1.100, -1.145, -1.262),
    (1000.0, 0.21, -1.167, -1.212, -1.330),
]
kelvins = st.floats(100, 1999)
bars = st.floats(1e-12, 1e3)
variants = st.sampled_from(["0K", "298K"])


@pytest.mark.parametrize(("kelvin", "bar", "from_0", "from_298", "entropy_only"), TABLE)
def test_table_of_science_to_1_mev(kelvin, bar, from_0, from_298, entropy_only):
    assert oxygen_thermal_term(kelvin, bar, "0K") == pytest.approx(from_0, abs=1e-3)
    assert oxygen_thermal_term(kelvin, bar, "298K") == pytest.approx(from_298, abs=1e-3)
    entropy = float(shomate_entropy(kelvin)) / 1000 * EV_PER_KJ_MOL  # eV/K per O2
    only = -0.5 * kelvin * entropy + 0.5 * K_EV * kelvin * np.log(bar)
    assert only == pytest.approx(entropy_only, abs=1e-3)


def test_default_is_298_k_at_one_bar():
    assert oxygen_thermal_term(300.0) == oxygen_thermal_term(300.0, 1.0, "298K")


def test_entropy_and_enthalpy_at_298_k():
    assert shomate_entropy(298.15) == pytest.approx(205.15, abs=0.02)  # J/mol/K, science.md §3
    assert shomate_enthalpy(298.15) == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize("variant", ["0K", "298K"])
def test_ranges_join_at_700_k_within_half_a_mev(variant):
    below = oxygen_thermal_term(700.0, 1.0, variant)
    above = oxygen_thermal_term(np.nextafter(700.0, 800.0), 1.0, variant)
    assert below != above  # two fits indeed
    assert abs(below - above) < 0.5e-3


def test_arrays_choose_the_range_per_element():
    kelvin = np.array([[300.0, 699.0], [701.0, 1500.0]])
    for function in (shomate_enthalpy, shomate_entropy):
        assert function(kelvin) == pytest.approx(
            np.array([[float(function(t)) for t in row] for row in kelvin])
        )


def test_no_thermal_term_at_zero_kelvin():
    assert oxygen_thermal_term(0.0, 0.21) == 0.0


@pytest.mark.parametrize("kelvin", [-1.0, 1.0, 99.9, 2000.1, float("nan"), float("inf")])
def test_temperature_outside_the_table(kelvin):
    with pytest.raises(ValueError, match="100 to 2000 K"):
        oxygen_thermal_term(kelvin)
    with pytest.raises(ValueError, match="100 to 2000 K"):
        shomate_enthalpy([300.0, kelvin])


@pytest.mark.parametrize("bar", [0.0, -0.21, float("nan"), float("inf")])
@pytest.mark.parametrize("kelvin", [0.0, 300.0])
def test_impossible_pressure(kelvin, bar):
    with pytest.raises(ValueError, match="finite and above zero"):
        oxygen_thermal_term(kelvin, bar)


def test_unknown_variant():
    with pytest.raises(ValueError, match="'0K' or '298K'"):
        oxygen_thermal_term(300.0, 1.0, "300K")


@given(kelvins, st.floats(0.5, 1900), bars, variants)
def test_falls_with_temperature(kelvin, step, bar, variant):
    hotter = min(kelvin + step, 2000.0)
    # ½(-S + k ln p) < 0 below some 1e10 bar at 100 K; the 700 K join costs less than 0.5 meV
    assert oxygen_thermal_term(hotter, bar, variant) < oxygen_thermal_term(kelvin, bar, variant)


@given(kelvins, bars, st.floats(1.01, 100), variants)
def test_rises_by_half_kt_ln_p(kelvin, bar, factor, variant):
    rise = oxygen_thermal_term(kelvin, bar * factor, variant) - oxygen_thermal_term(
        kelvin, bar, variant
    )
    assert rise == pytest.approx(0.5 * K_EV * kelvin * np.log(factor), abs=1e-9)
    assert rise > 0
