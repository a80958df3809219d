"""Initial magnetic moments from oxidation states, ferromagnetic or Néel."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pymatgen.core import Element, Structure

from vacancy_flows.structures.names import nearest
from vacancy_flows.structures.neel import MAGNETIC, neel_signs
from vacancy_flows.structures.oxidation import file_states, oxidation_states

__all__ = [
    "file_moments",
    "file_states",
    "initial_moments",
    "oxidation_states",
    "spin_only_moment",
]

# Ions of the 3d series that are low spin in the octahedra of layered oxides: LiCoO2 and LiNiO2
# and what they become on charge.
_LOW_SPIN = {("Co", 3), ("Co", 4), ("Ni", 3), ("Ni", 4)}


def spin_only_moment(element: str, state: float) -> float:
    """Spin-only moment of an octahedral ion.

    Unpaired electrons of d^n: high spin in the 3d series but for Co3+, Co4+, Ni3+ and Ni4+, low
    spin in the 4d and 5d series (crystal-field theory, e.g. Figgis and Hitchman, *Ligand Field
    Theory and its Applications*, 2000; Goodenough, *Magnetism and the Chemical Bond*, 1963).
    f^n by Hund's rule. States between two whole ones are interpolated.

    Parameters
    ----------
    element
        Symbol.
    state
        Oxidation state.

    Returns
    -------
    float
        Moment in µB, never negative; 0 for main-group elements.

    Examples
    --------
    >>> spin_only_moment("Mn", 4), spin_only_moment("Mn", 3), spin_only_moment("Co", 3)
    (3.0, 4.0, 0.0)
    """
    low = math.floor(state + 1e-6)
    part = max(state - low, 0.0)
    below = _unpaired(Element(element), low)
    return (
        below if part < 1e-6 else (1 - part) * below + part * _unpaired(Element(element), low + 1)
    )


def _unpaired(element: Element, state: int) -> float:
    """Unpaired electrons of an ion with a whole state."""
    if element.is_lanthanoid or element.is_actinoid:
        f = min(max(element.Z - (54 if element.is_lanthanoid else 86) - state, 0), 14)
        return float(min(f, 14 - f))
    if not element.is_transition_metal:
        return 0.0
    d = min(max(element.group - state, 0), 10)
    if element.row == 4 and (element.symbol, state) not in _LOW_SPIN:
        return float(min(d, 10 - d))
    in_t2g = min(d, 6)
    in_eg = d - in_t2g
    return float(min(in_t2g, 6 - in_t2g) + min(in_eg, 4 - in_eg))


def initial_moments(
    structure: Structure,
    order: str = "fm",
    overrides: Mapping[str, float] | None = None,
) -> list[float]:
    """Moments that a spin-polarised calculation starts from.

    Moments that the structure brings as site property ``magmom`` win over all else. Otherwise
    the spin-only moment of each site's ion, or the value given for its element or label.

    Parameters
    ----------
    structure
        Ordered structure, N sites, with site property ``label`` where labels are used.
    order
        ``"fm"``: all up. ``"afm"``: signs that alternate between nearest magnetic neighbours
        (`neel_signs`), the first site of each connected part up.
    overrides
        Moment in µB per element symbol or per site label; the label wins. Under ``"afm"`` the
        magnitude of an element's value is used, a label's value is taken as it is.

    Returns
    -------
    list of float
        N moments in µB.

    Raises
    ------
    ValueError
        For an unknown order or key, oxidation states which cannot be told, and ``"afm"`` where
        nearest neighbours cannot all be opposite.
    """
    if order not in ("fm", "afm"):
        raise ValueError(f"Unknown magnetic order {order!r}: use 'fm' or 'afm'.")
    symbols = [site.specie.symbol for site in structure]
    labels = list(structure.site_properties.get("label") or [""] * len(structure))
    given = _checked_overrides(overrides or {}, symbols, labels)
    from_file = file_moments(structure)
    if from_file is not None:
        return from_file
    per_element = _per_element(structure, given)
    moments = [
        given.get(label, per_element[symbol]) for symbol, label in zip(symbols, labels, strict=True)
    ]
    if order == "fm":
        return moments
    magnetic = [i for i, moment in enumerate(moments) if abs(moment) > MAGNETIC]
    for i, sign in zip(magnetic, neel_signs(structure, magnetic), strict=True):
        if labels[i] not in given:
            moments[i] = sign * abs(moments[i])
    return moments


def _checked_overrides(
    overrides: Mapping[str, float], symbols: Sequence[str], labels: Sequence[str]
) -> dict[str, float]:
    """Return overrides as floats, every key known and every value finite."""
    known = {*symbols, *labels} - {""}
    for key, value in overrides.items():
        if key not in known:
            raise ValueError(
                f"A moment is given for {key!r}, which is no species and no site label of this "
                f"structure; nearest known: {nearest(key, known)}."
            )
        if not math.isfinite(value):
            raise ValueError(f"The moment {value} for {key} is not a finite number of µB.")
    return {key: float(value) for key, value in overrides.items()}


def _per_element(structure: Structure, given: Mapping[str, float]) -> dict[str, float]:
    """Moment per element; states are only looked for where a moment depends on one."""
    elements = structure.composition.element_composition.elements
    moments = {str(el): given.get(str(el), 0.0) for el in elements}
    open_shell = [
        str(el)
        for el in elements
        if str(el) not in given and (el.is_transition_metal or el.is_lanthanoid or el.is_actinoid)
    ]
    if open_shell:
        states = oxidation_states(structure)
        moments |= {symbol: spin_only_moment(symbol, states[symbol]) for symbol in open_shell}
    return moments


def file_moments(structure: Structure) -> list[float] | None:
    """Collinear moments that a structure brings.

    Parameters
    ----------
    structure
        With site property ``magmom`` (numbers, vectors or pymatgen's Magmom; None counts as 0),
        or with species that have a spin.

    Returns
    -------
    list of float or None
        µB per site, None where there are no moments.

    Raises
    ------
    ValueError
        For moments that are not collinear, or no numbers.
    """
    values: list[Any] = list(structure.site_properties.get("magmom") or [])
    if not values:
        values = [getattr(site.specie, "spin", None) for site in structure]
    if all(value is None for value in values):
        return None
    try:
        vectors = np.array([_vector(value) for value in values])
    except (TypeError, ValueError) as error:
        raise ValueError(f"The moments in the file cannot be read: {error}.") from error
    largest = vectors[np.argmax(np.linalg.norm(vectors, axis=1))]
    length = float(np.linalg.norm(largest))
    if not np.isfinite(vectors).all():
        raise ValueError("The moments in the file are not all finite numbers.")
    if length < 1e-9:
        return [0.0] * len(values)
    # The axis points up where the largest moment's largest component does.
    axis = largest / length * np.sign(largest[np.argmax(np.abs(largest))])
    along = vectors @ axis
    if np.max(np.abs(vectors - np.outer(along, axis))) > 0.1:
        raise ValueError(
            "The moments in the file are not collinear, which is not supported: give one signed "
            "number per site."
        )
    return [float(round(value, 10)) for value in along]


def _vector(value: Any) -> np.ndarray:
    """Moment as a Cartesian vector (3,), a number along z."""
    value = 0.0 if value is None else value
    if hasattr(value, "global_moment"):  # pymatgen's Magmom
        value = value.global_moment
    array = np.array(value, float)
    return array if array.shape == (3,) else np.array([0.0, 0.0, float(array)])
