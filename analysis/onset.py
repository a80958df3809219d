"""Where a site starts to lose oxygen: the temperature at a pressure, the pressure at a temperature.

Assumptions as in `vacancy_flows.analysis.thermodynamics`: neutral vacancies, no vibrations of the
solid; the sign of E_f(T, p) alone decides.
"""

import math
from dataclasses import dataclass

from scipy.optimize import brentq

from vacancy_flows.analysis.thermochemistry import (
    BOLTZMANN_EV,
    T_MAX,
    T_MIN,
    ThermalVariant,
    oxygen_thermal_term,
)
from vacancy_flows.analysis.thermodynamics import check_kelvin

_LARGEST_LOG = 700.0  # exp() of more, or of less than its negative, leaves the range of a float


@dataclass(frozen=True)
class Onset:
    """Where a site starts to lose oxygen.

    Attributes
    ----------
    value
        Temperature in K or pressure in bar; not finite, or 0 bar, where there is none.
    reason
        Why there is none; empty where `value` is one.
    """

    value: float
    reason: str = ""


def onset_temperature(
    e_without_thermal: float, pressure: float, variant: ThermalVariant = "298K"
) -> Onset:
    """Temperature at which a site starts to lose oxygen: E_f(T, p) = 0.

    Parameters
    ----------
    e_without_thermal : float
        E_f in eV, made with temperature 0.
    pressure : float
        Partial pressure of O2, bar.
    variant : {"0K", "298K"}
        As in `formation_energy_map`.

    Returns
    -------
    Onset
        K, between 100 and 2000. ``inf`` where the site keeps its oxygen up to 2000 K, ``nan``
        where it has lost it at 100 K already, and where E_f is not a number; `reason` says which.

    Raises
    ------
    ValueError
        For a bad pressure or variant.
    """

    def free_energy(temperature: float) -> float:
        return e_without_thermal + oxygen_thermal_term(temperature, pressure, variant)

    low, high = free_energy(T_MIN), free_energy(T_MAX)
    if math.isnan(e_without_thermal):
        return Onset(math.nan, "no formation energy")
    if low < 0:
        return Onset(math.nan, f"loses oxygen at {T_MIN:g} K already, where the O2 table begins")
    if high > 0:
        return Onset(math.inf, f"keeps its oxygen up to {T_MAX:g} K, where the O2 table ends")
    return Onset(float(brentq(free_energy, T_MIN, T_MAX, xtol=1e-6)))


def onset_pressure(
    e_without_thermal: float, temperature: float, variant: ThermalVariant = "298K"
) -> Onset:
    """Pressure of O2 below which a site loses oxygen: E_f(T, p) = 0.

    ``p = exp(-2 E_f(T, 1 bar) / kT)`` bar, from the ½ k T ln p of half a molecule.

    Parameters
    ----------
    e_without_thermal : float
        E_f in eV, made with temperature 0.
    temperature : float
        K, 100 to 2000.
    variant : {"0K", "298K"}
        As in `formation_energy_map`.

    Returns
    -------
    Onset
        bar. ``0`` and ``inf`` where the pressure is too low or too high for a floating-point
        number (the site keeps, or loses, its oxygen at any pressure), ``nan`` where E_f is not
        a number; `reason` says which.

    Raises
    ------
    ValueError
        For a temperature outside 100-2000 K (0 as well) or an unknown variant.
    """
    check_kelvin(temperature)
    at_one_bar = e_without_thermal + oxygen_thermal_term(temperature, 1.0, variant)
    exponent = -2.0 * at_one_bar / (BOLTZMANN_EV * temperature)
    if math.isnan(exponent):
        return Onset(math.nan, "no formation energy")
    if exponent < -_LARGEST_LOG:
        return Onset(0.0, "keeps its oxygen at any pressure")
    if exponent > _LARGEST_LOG:
        return Onset(math.inf, "loses oxygen at any pressure")
    return Onset(math.exp(exponent))
