"""E_f at temperature and pressure, and the share of sites that is vacant there.

What is left out, everywhere here: vacancies are neutral, dilute and do not interact; the solid
has no vibrations and no heat capacity, so T and p act through the O2 gas alone; the only
configurational entropy is that of vacant and occupied sites, in the site fraction x/(1+x).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from vacancy_flows.analysis.thermochemistry import (
    BOLTZMANN_EV,
    T_MAX,
    T_MIN,
    ThermalVariant,
    check_conditions,
    oxygen_thermal_term,
)


def thermal_terms(
    temperatures: ArrayLike, pressures: ArrayLike, variant: ThermalVariant
) -> NDArray[np.float64]:
    """Thermal part of mu_O on a grid of temperatures and pressures.

    `vacancy_flows.analysis.thermochemistry.oxygen_thermal_term` at each pair.

    Parameters
    ----------
    temperatures : array_like
        (nT,) or a number, K; 0 (no thermal term) or 100 to 2000.
    pressures : array_like
        (nP,) or a number, bar; finite and above zero.
    variant : {"0K", "298K"}
        Which reference the term belongs to; see `oxygen_thermal_term`.

    Returns
    -------
    numpy.ndarray
        (nT, nP), eV per O atom.

    Raises
    ------
    ValueError
        If a temperature, a pressure or the variant is outside what is named above.
    """
    kelvin = np.atleast_1d(np.asarray(temperatures, dtype=float))
    bar = np.atleast_1d(np.asarray(pressures, dtype=float))
    if kelvin.ndim != 1 or bar.ndim != 1:
        raise ValueError(
            "temperatures and pressures are lists of numbers, not arrays of shape "
            f"{kelvin.shape} and {bar.shape}"
        )
    for pressure in bar:
        check_conditions(0.0, float(pressure))
    at_one_bar = np.array([oxygen_thermal_term(float(t), 1.0, variant) for t in kelvin])
    return np.asarray(
        at_one_bar[:, None] + 0.5 * BOLTZMANN_EV * kelvin[:, None] * np.log(bar)[None, :]
    )


def formation_energy_map(
    e_without_thermal: ArrayLike,
    temperatures: ArrayLike,
    pressures: ArrayLike,
    variant: ThermalVariant,
) -> NDArray[np.float64]:
    """E_f(T, p) of one or of many vacancies: the free energy of losing ½O2 to the gas.

    ``E_f(T, p) = E_f + ½[H(T) - H_ref - T S(T)] + ½ k T ln(p / 1 bar)`` with the O2 table of
    `vacancy_flows.analysis.thermochemistry` (Chase 1998). It rises with p and falls with T.

    Parameters
    ----------
    e_without_thermal : array_like
        E_f in eV, any shape, made with temperature 0.
    temperatures : array_like
        (nT,), K; 0 (no thermal term) or 100 to 2000.
    pressures : array_like
        (nP,), bar.
    variant : {"0K", "298K"}
        `OxygenReference.thermal_variant` of the reference E_f was made with.

    Returns
    -------
    numpy.ndarray
        Shape of `e_without_thermal` followed by (nT, nP), eV.

    Raises
    ------
    ValueError
        As `thermal_terms`.
    """
    energies = np.asarray(e_without_thermal, dtype=float)
    return np.asarray(energies[..., None, None] + thermal_terms(temperatures, pressures, variant))


def site_fraction(e_f: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    """Share of the sites of a class that are vacant in equilibrium.

    ``x / (1 + x)`` with ``x = exp(-E_f / kT)``: the Fermi-like fraction of independent sites,
    which stays between 0 and 1 where E_f <= 0 (at 0 it is one half). Neutral, dilute,
    non-interacting vacancies; all configurational entropy is in this fraction. Above a few
    per cent vacancies interact, and the number is a lead only.

    Parameters
    ----------
    e_f : array_like
        E_f(T, p) in eV, thermal term included (`formation_energy_map`).
    temperature : array_like
        K, above zero; broadcast against `e_f`.

    Returns
    -------
    numpy.ndarray
        Between 0 and 1, the broadcast shape; NaN where E_f is NaN.

    Raises
    ------
    ValueError
        If a temperature is not finite and above zero.
    """
    return np.asarray(expit(-np.asarray(e_f, dtype=float) / _thermal_energy(temperature)))


def free_energy_of_fraction(fraction: ArrayLike, temperature: ArrayLike) -> NDArray[np.float64]:
    """E_f(T, p) at which a share of the sites is vacant: the inverse of `site_fraction`.

    Parameters
    ----------
    fraction : array_like
        Between 0 and 1.
    temperature : array_like
        K, above zero.

    Returns
    -------
    numpy.ndarray
        eV, the broadcast shape; ``kT ln((1 - fraction) / fraction)``.

    Raises
    ------
    ValueError
        For a fraction outside 0-1, or a temperature not above zero.

    Examples
    --------
    >>> round(float(free_energy_of_fraction(0.033, 300.0)), 3)
    0.087
    """
    shares = np.asarray(fraction, dtype=float)
    if not bool(np.all((shares >= 0) & (shares <= 1))):
        raise ValueError(f"a fraction of sites lies between 0 and 1, not {fraction!r}")
    return np.asarray(-logit(shares) * _thermal_energy(temperature))


def check_kelvin(temperature: float) -> None:
    """Refuse a temperature at which there is no equilibrium with O2 gas.

    Parameters
    ----------
    temperature : float
        K.

    Raises
    ------
    ValueError
        Outside 100-2000 K; 0, which elsewhere means "no thermal term", is refused too.
    """
    if temperature == 0:
        raise ValueError(
            f"0 K has no equilibrium with O2 gas: give a temperature of {T_MIN:g} to {T_MAX:g} K"
        )
    check_conditions(temperature, 1.0)


def _thermal_energy(temperature: ArrayLike) -> NDArray[np.float64]:
    """Return kT in eV."""
    kelvin = np.asarray(temperature, dtype=float)
    if not bool(np.all((kelvin > 0) & np.isfinite(kelvin))):
        raise ValueError(f"a temperature is finite and above 0 K, not {temperature!r}")
    return np.asarray(BOLTZMANN_EV * kelvin)
