"""E_f(T, p), onsets and site fractions. Gas numbers: science.md §3."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vacancy_flows.analysis import oxygen_thermal_term
from vacancy_flows.analysis.onset import onset_pressure, onset_temperature
from vacancy_flows.analysis.thermochemistry import BOLTZMANN_EV
from vacancy_flows.analysis.thermodynamics import (
    formation_energy_map,
    free_energy_of_fraction,
    site_fraction,
    thermal_terms,
)

# maps over temperature and pressure


@pytest.mark.parametrize(
    ("kelvin", "bar", "variant", "term"),
    [
        (300, 1.0, "298K", -0.319),
        (300, 0.21, "0K", -0.294),
        (1000, 1.0, "298K", -1.145),
        (1000, 1.0, "0K", -1.100),
        (1000, 0.21, "298K", -1.212),
    ],
)
def test_map_adds_the_gas_term_once_per_oxygen(kelvin, bar, variant, term):
    assert formation_energy_map(2.51, kelvin, bar, variant) == pytest.approx(2.51 + term, abs=1e-3)


def test_map_is_the_scalar_term_at_every_point():
    kelvin, bar = [0.0, 100.0, 298.15, 700.0, 2000.0], [1e-10, 0.21, 1.0, 40.0]
    result = formation_energy_map([[1.0, 2.0, 3.0]], kelvin, bar, "298K")
    assert result.shape == (1, 3, 5, 4)
    for i, t in enumerate(kelvin):
        for j, p in enumerate(bar):
            assert result[0, 1, i, j] == pytest.approx(2.0 + oxygen_thermal_term(t, p), abs=1e-12)


def test_it_falls_with_temperature_and_rises_with_pressure():
    result = formation_energy_map(1.0, np.linspace(100, 2000, 39), np.logspace(-20, 2, 12), "298K")
    assert (np.diff(result, axis=0) < 0).all()
    assert (np.diff(result, axis=1) > 0).all()


@pytest.mark.parametrize(
    ("kelvin", "bar", "variant", "message"),
    [
        ([300, 99], [1.0], "0K", "99 K is outside"),
        ([2001], [1.0], "0K", "2001 K"),
        ([300], [1.0, 0.0], "0K", "above zero"),
        ([300], [math.nan], "0K", "nan bar"),
        ([300], [1.0], "77K", "variant"),
        ([[300]], [1.0], "0K", "lists of numbers"),
    ],
)
def test_bad_conditions_are_refused(kelvin, bar, variant, message):
    with pytest.raises(ValueError, match=message):
        thermal_terms(kelvin, bar, variant)


# onsets


@pytest.mark.parametrize(("e_f", "variant"), [(1.145, "298K"), (1.100, "0K")])
def test_onset_at_1000_kelvin_is_that_of_the_table(e_f, variant):
    onset = onset_temperature(e_f, 1.0, variant)
    assert onset.reason == ""
    slope = 1.3e-3  # eV/K at 1000 K: 2 meV are 1.5 K
    assert onset.value == pytest.approx(1000, abs=2e-3 / slope)
    assert oxygen_thermal_term(onset.value, 1.0, variant) == pytest.approx(-e_f, abs=1e-6)


@given(st.floats(0.1, 2.4), st.floats(1e-12, 1e3), st.sampled_from(["0K", "298K"]))
def test_the_two_onsets_are_inverse(e_f, bar, variant):
    onset = onset_temperature(e_f, bar, variant)
    if not onset.reason and abs(onset.value - 700) > 0.1:  # the two ranges of the table join
        assert onset_pressure(e_f, onset.value, variant).value == pytest.approx(bar, rel=1e-4)


def test_oxygen_leaves_earlier_at_low_pressure_and_low_energy():
    def kelvin(e_f, bar):
        return onset_temperature(e_f, bar).value

    assert kelvin(1.0, 1e-6) < kelvin(1.0, 1.0) < kelvin(1.0, 10.0)
    assert kelvin(0.8, 1.0) < kelvin(1.0, 1.0)
    assert onset_pressure(1.0, 800.0).value < onset_pressure(0.8, 800.0).value
    # below the onset pressure E_f(T, p) is negative
    low = 0.9 * onset_pressure(1.0, 800.0).value
    assert formation_energy_map(1.0, 800.0, low, "298K") < 0


def test_no_onset_has_a_reason():
    never, always = onset_temperature(5.0, 1.0), onset_temperature(-0.5, 1.0)
    assert never.value == math.inf
    assert "keeps its oxygen up to 2000 K" in never.reason
    assert math.isnan(always.value)
    assert "100 K already" in always.reason
    assert onset_temperature(math.nan, 1.0).reason == "no formation energy"
    assert onset_pressure(9.0, 100.0).value == 0.0
    assert onset_pressure(-9.0, 100.0).value == math.inf
    assert onset_pressure(-9.0, 100.0).reason == "loses oxygen at any pressure"
    assert math.isnan(onset_pressure(math.nan, 300.0).value)


@pytest.mark.parametrize("kelvin", [0.0, 50.0, 2500.0, math.nan])
def test_no_onset_pressure_outside_the_table(kelvin):
    with pytest.raises(ValueError, match="100 to 2000"):
        onset_pressure(1.0, kelvin)


# site fractions


def test_limits_of_the_site_fraction():
    assert site_fraction(0.0, 300.0) == 0.5
    assert site_fraction([-50.0, 50.0], 10.0).tolist() == [1.0, 0.0]
    assert math.isnan(site_fraction(math.nan, 300.0))
    x = math.exp(-0.3 / (BOLTZMANN_EV * 500))
    assert site_fraction(0.3, 500.0) == pytest.approx(x / (1 + x), rel=1e-12)
    # far on the dilute side it is exp(-E_f/kT), without underflow where that is a number
    assert site_fraction(1.0, 300.0) == pytest.approx(math.exp(-1.0 / (BOLTZMANN_EV * 300)))


@given(st.floats(-0.5, 0.5), st.floats(100, 2000))
def test_vacant_and_occupied_sites_add_up_and_the_inverse_returns(e_f, kelvin):
    assert site_fraction(e_f, kelvin) + site_fraction(-e_f, kelvin) == pytest.approx(1.0)
    share = site_fraction(abs(e_f), kelvin)
    assert free_energy_of_fraction(share, kelvin) == pytest.approx(abs(e_f), abs=1e-6)


@pytest.mark.parametrize("kelvin", [0.0, -1.0, math.inf, math.nan])
def test_a_fraction_needs_a_temperature(kelvin):
    with pytest.raises(ValueError, match="above 0 K"):
        site_fraction(1.0, kelvin)


def test_a_fraction_lies_between_0_and_1():
    with pytest.raises(ValueError, match="between 0 and 1"):
        free_energy_of_fraction(3.3, 300.0)
