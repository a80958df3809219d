"""The chemical potential of oxygen: which reference, on which energy scale, at which T and p."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from vacancy_flows.analysis.routes import (
    LI2O_FORMATION_ENTHALPY,
    O2_OVERBINDING,
    SCALE_SHIFTS,
    ReferenceMismatch,
    ReferenceUnavailable,
    check_references,
    mu_o_from_li2o,
    mu_o_from_o2,
    oxygen_shift,
)
from vacancy_flows.analysis.thermochemistry import (
    ThermalVariant,
    check_conditions,
    oxygen_thermal_term,
)

__all__ = [
    "LI2O_FORMATION_ENTHALPY",
    "O2_OVERBINDING",
    "OxygenReference",
    "OxygenScheme",
    "ReferenceMismatch",
    "ReferenceUnavailable",
    "check_references",
    "chemical_potential",
    "mu_o_from_li2o",
    "mu_o_from_o2",
    "oxygen_shift",
]

OxygenScheme = Literal["O2", "Li2O", "user"]


@dataclass(frozen=True)
class OxygenReference:
    """What mu_O is measured from, and at which temperature and pressure.

    Parameters
    ----------
    scheme : {"O2", "Li2O", "user"}
        ½E(O2) with a shift, the experimental enthalpy of Li2O, or a value of the user's own.
    temperature : float
        K; 0 means no thermal term, else 100 to 2000. A label only where scheme is "user".
    pressure : float
        Partial pressure of O2, bar. A label only where scheme is "user".
    mu_o : float, optional
        The user's own mu_O, eV per O atom, thermal term included; exactly with scheme "user".
    shift : float, optional
        eV per O atom added to ½E(O2), only with scheme "O2"; None is what the scale asks for.
    li2o_enthalpy : float
        Enthalpy of formation of Li2O, eV per formula unit.

    Raises
    ------
    ValueError
        If values contradict each other or lie outside the O2 table.
    """

    scheme: OxygenScheme = "O2"
    temperature: float = 0.0
    pressure: float = 1.0
    mu_o: float | None = None
    shift: float | None = None
    li2o_enthalpy: float = LI2O_FORMATION_ENTHALPY

    def __post_init__(self) -> None:
        if self.scheme not in get_args(OxygenScheme):
            raise ValueError(
                f"oxygen scheme {self.scheme!r} is unknown; use 'O2', 'Li2O' or 'user'"
            )
        if self.scheme == "user" and self.mu_o is None:
            raise ValueError("oxygen scheme 'user' needs mu_o, eV per O atom")
        if self.scheme != "user" and self.mu_o is not None:
            raise ValueError(
                f"mu_o is given, but the oxygen scheme is {self.scheme!r}: use scheme 'user', or "
                "leave mu_o out"
            )
        if self.scheme != "O2" and self.shift is not None:
            raise ValueError(
                f"shift applies to scheme 'O2' only, not to {self.scheme!r}: leave it out"
            )
        for name in ("mu_o", "shift", "li2o_enthalpy"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} is {value}; give a finite number of eV")
        check_conditions(self.temperature, self.pressure)

    def shift_for(self, scale: str) -> float:
        """Return the shift of ½E(O2) on `scale`: the one asked for, else the scale's own.

        Parameters
        ----------
        scale : str
            Energy scale, such as "mp2020".

        Returns
        -------
        float
            eV per O atom.

        Raises
        ------
        ReferenceUnavailable
            For a scale without a known shift (a foreign functional), but for scheme O2
            without one: ½E(O2) as it is.
        """
        if scale not in SCALE_SHIFTS and self.scheme == "O2" and not self.shift:
            return 0.0
        if self.shift is None or scale not in SCALE_SHIFTS:
            return oxygen_shift(scale)
        return self.shift

    def thermal_variant(self, scale: str) -> ThermalVariant:
        """Return which thermal term belongs to this reference (science.md §3).

        "298K" where the reference was fitted to enthalpies at 298 K (the 0.68 eV, Li2O, and
        MP2020's own correction), "0K" where it is a bare O2 energy.

        Parameters
        ----------
        scale : str
            Energy scale.

        Returns
        -------
        {"0K", "298K"}

        Raises
        ------
        ReferenceUnavailable
            As `shift_for`.
        """
        if self.scheme == "Li2O" or scale == "mp2020" or self.shift_for(scale) != 0:
            return "298K"
        return "0K"

    def label(self, scale: str) -> str:
        """Say in words which reference this is on `scale`.

        Parameters
        ----------
        scale : str
            Energy scale.

        Returns
        -------
        str
            Scheme, shift, temperature, pressure and variant of the thermal term. Never raises.
        """
        conditions = f"{self.temperature:g} K, {self.pressure:g} bar"
        if self.scheme == "user":
            return f"user (mu_O = {self.mu_o:.3f} eV as given; {conditions} are labels only)"
        try:
            variant, shift = self.thermal_variant(scale), self.shift_for(scale)
        except ReferenceUnavailable:
            return f"{self.scheme} (does not apply to energy scale {scale})"
        if self.scheme == "Li2O":
            name = f"Li2O (ΔH = {self.li2o_enthalpy:.4f} eV)"
        elif scale not in SCALE_SHIFTS:
            name = f"O2 (½E(O2), no shift: the overbinding of {scale} is not corrected)"
        elif shift == 0:
            name = "O2 (½E(O2), no shift)"
        else:
            name = f"O2 (½E(O2) {'+' if shift > 0 else '-'} {abs(shift):.2f} eV)"
        if self.temperature == 0:
            return f"{name}, no thermal term"
        thermal = "½[H-H0-TS]" if variant == "0K" else "½[H-H298-TS]"
        return f"{name}, {conditions}, thermal term {thermal}"


def chemical_potential(
    reference: OxygenReference, scale: str, energies: Mapping[str, float]
) -> float:
    """Return mu_O of a reference on an energy scale, checked and with its thermal term.

    Parameters
    ----------
    reference : OxygenReference
        Scheme, shift, temperature and pressure.
    scale : str
        Energy scale all energies are on.
    energies : Mapping[str, float]
        eV: "O2" per molecule, "Li" per atom, "Li2O" per formula unit. All three are needed
        for schemes "O2" and "Li2O", because the guard compares both routes (on a foreign
        scale O2 alone will do); none for "user".

    Returns
    -------
    float
        eV per O atom. A user's mu_O comes back as it is: T and p are labels there.

    Raises
    ------
    ReferenceUnavailable
        If an energy is missing or not finite, or the scheme does not apply to the scale.
    ReferenceMismatch
        If the two routes disagree with the shift asked for.
    """
    if reference.mu_o is not None:
        return reference.mu_o
    shift = reference.shift_for(scale)
    missing = [k for k in ("O2", "Li", "Li2O") if not math.isfinite(energies.get(k, math.nan))]
    if missing and "O2" not in missing and scale not in SCALE_SHIFTS:
        bare = mu_o_from_o2(energies["O2"], shift)
        return bare + oxygen_thermal_term(reference.temperature, reference.pressure, "0K")
    if missing:
        raise ReferenceUnavailable(
            f"reference energies missing on scale {scale!r}: {', '.join(missing)} (both routes "
            "are needed to check mu_O); compute them, or give your own mu_O"
        )
    from_o2 = mu_o_from_o2(energies["O2"], shift)
    from_li2o = mu_o_from_li2o(energies["Li2O"], energies["Li"], reference.li2o_enthalpy)
    check_references(from_o2, from_li2o)
    bare = from_o2 if reference.scheme == "O2" else from_li2o
    variant = reference.thermal_variant(scale)
    return bare + oxygen_thermal_term(reference.temperature, reference.pressure, variant)
