"""Oxygen gas between 100 and 2000 K: enthalpy, entropy and what they add to mu_O(T, p)."""

import math
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import R, eV, physical_constants

ThermalVariant = Literal["0K", "298K"]

T_MIN = 100.0
"""Lowest temperature of the Shomate fit, K."""
T_MAX = 2000.0
"""Highest temperature used of the Shomate fit, K."""
T_JOIN = 700.0
"""Where the two Shomate ranges of O2 meet, K; the lower range includes it."""

ENTHALPY_298_MINUS_0 = 8.683
"""H(298.15 K) - H(0 K) of O2 gas, kJ/mol (Chase, NIST-JANAF Tables, 4th ed., 1998)."""

KJ_PER_MOL: float = 1000.0 / (physical_constants["Avogadro constant"][0] * eV)
"""One kJ/mol in eV per particle (CODATA)."""

BOLTZMANN_EV: float = R / 1000.0 * KJ_PER_MOL
"""Boltzmann constant, eV/K (CODATA)."""

# NIST Chemistry WebBook, O2 gas, Shomate equation (Chase 1998): A, B, C, D, E, F, G, H for
# t = T / 1000 K, in J/mol/K and kJ/mol.  One row per range, below and above T_JOIN.
_SHOMATE_O2 = np.array(
    [
        [31.32234, -20.23531, 57.86644, -36.50624, -0.007374, -8.903471, 246.7945, 0.0],
        [30.03235, 8.772972, -3.988133, 0.788313, -0.741599, -11.32468, 236.1663, 0.0],
    ]
)


def shomate_enthalpy(temperature: ArrayLike) -> NDArray[np.float64]:
    """Enthalpy of O2 gas relative to 298.15 K.

    ``H - H298 = A t + B t²/2 + C t³/3 + D t⁴/4 - E/t + F - H`` with ``t = T/1000``
    (NIST Chemistry WebBook; Chase 1998).

    Parameters
    ----------
    temperature : array_like
        Temperature in K, 100 to 2000, any shape.

    Returns
    -------
    numpy.ndarray
        Enthalpy in kJ per mol of O2, shape of `temperature`.

    Raises
    ------
    ValueError
        If a temperature lies outside 100-2000 K or is not finite.
    """
    t, (a, b, c, d, e, f, _, h) = _range_of(temperature)
    return np.asarray(a * t + b * t**2 / 2 + c * t**3 / 3 + d * t**4 / 4 - e / t + f - h)


def shomate_entropy(temperature: ArrayLike) -> NDArray[np.float64]:
    """Entropy of O2 gas at 1 bar.

    ``S = A ln t + B t + C t²/2 + D t³/3 - E/(2t²) + G`` with ``t = T/1000``
    (NIST Chemistry WebBook; Chase 1998).

    Parameters
    ----------
    temperature : array_like
        Temperature in K, 100 to 2000, any shape.

    Returns
    -------
    numpy.ndarray
        Entropy in J per mol of O2 and K, shape of `temperature`.

    Raises
    ------
    ValueError
        If a temperature lies outside 100-2000 K or is not finite.
    """
    t, (a, b, c, d, e, _, g, _) = _range_of(temperature)
    return np.asarray(
        a * np.log(t) + b * t + c * t**2 / 2 + d * t**3 / 3 - e / (2 * t**2) + g,
    )


def oxygen_thermal_term(
    temperature: float, pressure: float = 1.0, variant: ThermalVariant = "298K"
) -> float:
    """Thermal part of the chemical potential of oxygen, per O atom.

    ``½[H(T) - H_ref - T S(T)] + ½ k T ln(p / 1 bar)``, *half* of the molecule's value. It is
    negative at 1 bar and lowers E_f.

    Parameters
    ----------
    temperature : float
        Temperature in K: 0 (no thermal term at all) or 100 to 2000.
    pressure : float
        Partial pressure of O2 in bar, finite and above zero.
    variant : {"0K", "298K"}
        H_ref: "0K" belongs to a bare 0 K energy of O2; "298K" to references fitted to
        298 K enthalpies (the 0.68 eV of Wang, Maxisch and Ceder, the Li2O route, MP2020).

    Returns
    -------
    float
        eV per O atom.

    Raises
    ------
    ValueError
        If temperature, pressure or variant is outside what is named above.

    Examples
    --------
    >>> round(oxygen_thermal_term(300.0), 3)
    -0.319
    >>> round(oxygen_thermal_term(300.0, variant="0K"), 3)
    -0.274
    """
    if variant not in get_args(ThermalVariant):
        raise ValueError(f"variant {variant!r} is unknown; use '0K' or '298K'")
    check_conditions(temperature, pressure)
    if temperature == 0:
        return 0.0
    enthalpy = float(shomate_enthalpy(temperature))
    if variant == "0K":
        enthalpy += ENTHALPY_298_MINUS_0
    gibbs = (enthalpy - temperature * float(shomate_entropy(temperature)) / 1000.0) * KJ_PER_MOL
    return 0.5 * (gibbs + BOLTZMANN_EV * temperature * math.log(pressure))


def check_conditions(temperature: float, pressure: float) -> None:
    """Refuse a temperature or pressure for which there is no mu_O.

    Parameters
    ----------
    temperature : float
        K; allowed are 0 (no thermal term) and 100 to 2000.
    pressure : float
        bar; finite and above zero.

    Raises
    ------
    ValueError
        With the value and the remedy.
    """
    if not (temperature == 0 or T_MIN <= temperature <= T_MAX):
        raise ValueError(
            f"temperature {temperature:g} K is outside the O2 table: use 0 (no thermal term) or "
            f"{T_MIN:g} to {T_MAX:g} K"
        )
    if not (math.isfinite(pressure) and pressure > 0):
        raise ValueError(
            f"pressure {pressure:g} bar: the O2 pressure must be finite and above zero (air: 0.21)"
        )


def _range_of(temperature: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return T/1000 and the eight coefficients (axis 0) that apply to each temperature."""
    kelvin = np.asarray(temperature, dtype=float)
    if not bool(np.all((kelvin >= T_MIN) & (kelvin <= T_MAX))):
        raise ValueError(
            f"the Shomate fit of O2 holds from {T_MIN:g} to {T_MAX:g} K, got {temperature!r}"
        )
    coefficients = _SHOMATE_O2[(kelvin > T_JOIN).astype(int)]
    return kelvin / 1000.0, np.moveaxis(coefficients, -1, 0)
