"""The two routes to mu_O, the shift each energy scale takes, and the guard between them."""

LI2O_FORMATION_ENTHALPY = -6.1972
"""Enthalpy of formation of Li2O(s) at 298.15 K, eV per formula unit: -597.94 kJ/mol.

Wagman et al., NBS Tables of Chemical Thermodynamic Properties, J. Phys. Chem. Ref. Data 11,
Suppl. 2 (1982). Tables differ by 0.02 eV (NIST-JANAF 1998: -598.73 kJ/mol), so it is an input.
"""

O2_OVERBINDING = 0.68
"""Correction of PBE's overbinding of O2, eV per O atom, added to ½E(O2).

Wang, Maxisch and Ceder, Phys. Rev. B 73, 195107 (2006): 1.36 eV per molecule.
"""

# mp2020 already holds the correction inside its energies; r2SCAN needs none (science.md §2).
SCALE_SHIFTS = {"pbe": O2_OVERBINDING, "pbe+u": O2_OVERBINDING, "mp2020": 0.0, "r2scan": 0.0}
"""Shift of ½E(O2) each energy scale asks for, eV per O atom."""


class ReferenceMismatch(ValueError):  # noqa: N818 - a name of the project's contract
    """The O2 and the Li2O route disagree: a shift does not fit the energy scale."""


class ReferenceUnavailable(ValueError):  # noqa: N818 - sibling of ReferenceMismatch
    """No mu_O can be given: an energy is missing, or the scheme does not apply to the scale."""


def oxygen_shift(scale: str) -> float:
    """Return what an energy scale adds to ½E(O2).

    Parameters
    ----------
    scale : str
        "pbe" and "pbe+u" take `O2_OVERBINDING`; "mp2020" (which holds a correction already)
        and "r2scan" take none.

    Returns
    -------
    float
        eV per O atom; positive makes mu_O less negative and raises E_f.

    Raises
    ------
    ReferenceUnavailable
        For any other scale, with what applies instead.
    """
    if scale not in SCALE_SHIFTS:
        raise ReferenceUnavailable(
            f"energy scale {scale!r} has no known oxygen shift: give your own mu_O (scheme "
            "'user'), or ask for O2 with shift 0 and an O2 calculation of the same scale"
        )
    return SCALE_SHIFTS[scale]


def mu_o_from_o2(e_o2: float, shift: float) -> float:
    """Return mu_O = ½E(O2) + shift, without thermal term.

    Parameters
    ----------
    e_o2 : float
        Energy of one O2 molecule, eV.
    shift : float
        eV per O atom (Wang, Maxisch and Ceder 2006 for raw PBE: +0.68).

    Returns
    -------
    float
        eV per O atom.
    """
    return 0.5 * e_o2 + shift


def mu_o_from_li2o(e_li2o: float, e_li: float, enthalpy: float = LI2O_FORMATION_ENTHALPY) -> float:
    """Return mu_O = E(Li2O) - 2 E(Li) - ΔH(Li2O), without thermal term.

    Parameters
    ----------
    e_li2o : float
        Energy of Li2O per formula unit, eV.
    e_li : float
        Energy of bcc Li per atom, eV.
    enthalpy : float
        Experimental enthalpy of formation, eV per formula unit, negative.

    Returns
    -------
    float
        eV per O atom (science.md §1, paper B).
    """
    return e_li2o - 2.0 * e_li - enthalpy


def check_references(mu_o_o2: float, mu_o_li2o: float, tolerance: float = 0.2) -> None:
    """Refuse references whose two routes to mu_O disagree (science.md §2).

    Parameters
    ----------
    mu_o_o2, mu_o_li2o : float
        mu_O by the O2 and the Li2O route, eV per O atom, both without thermal term.
    tolerance : float
        Largest difference allowed, eV.

    Raises
    ------
    ReferenceMismatch
        With both values, their difference and the likely reason.
    """
    difference = mu_o_o2 - mu_o_li2o
    if abs(difference) < tolerance:
        return
    if abs(difference - O2_OVERBINDING) < tolerance:
        reason = (
            f"a shift of {O2_OVERBINDING} eV counted twice (the energy scale is corrected already)"
        )
    elif abs(difference + O2_OVERBINDING) < tolerance:
        reason = f"the O2 shift of {O2_OVERBINDING} eV missing on an uncorrected scale"
    else:
        reason = "a shift counted twice or with the wrong sign, or references of mixed settings"
    raise ReferenceMismatch(
        f"the oxygen references disagree: mu_O is {mu_o_o2:.3f} eV from O2 and {mu_o_li2o:.3f} eV "
        f"from Li2O, {difference:+.3f} eV apart ({tolerance:g} allowed); likely {reason}. Leave "
        "the shift to the energy scale, or give your own mu_O"
    )
