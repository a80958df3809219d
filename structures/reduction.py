"""Where the two electrons of an oxygen vacancy may go, as starting moments."""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np
from pymatgen.core import Element, Structure

from vacancy_flows.structures.moments import spin_only_moment
from vacancy_flows.structures.names import site_labels
from vacancy_flows.structures.neel import MAGNETIC
from vacancy_flows.structures.ordering import remove_labels
from vacancy_flows.structures.oxidation import oxidation_states
from vacancy_flows.structures.symmetry import site_permutations, space_group

__all__ = [
    "electron_starts",
    "electrons_on_metals",
    "reduced_moments",
    "vacancy_starts",
    "with_electrons",
]

_Falls: TypeAlias = dict[str, tuple[float, float]]  # metal: average state before and after

CHANGED = 0.5
"""Moments (µB) that differ by more are those of two oxidation states: Mn4+ 3, Mn3+ 3.7 to 4."""

_SAME = 1e-6  # of an oxidation state

_NEAREST = 12  # metals that alternatives are made of: 66 pairs


def electrons_on_metals(vacancy: Structure, removed: str = "O") -> int:
    """Electrons that transition metals take up when an anion leaves as a neutral atom.

    By formal oxidation states (`oxidation_states`): two in Li2MnO3 (Mn4+ → 2 Mn3+), none in
    Li1.5MnO3, where they fill the holes on O.

    Parameters
    ----------
    vacancy
        The cell without the atom.
    removed
        Symbol of the anion.

    Returns
    -------
    int
        0 to the anion's charge.

    Raises
    ------
    ValueError
        Where oxidation states cannot be told.
    """
    return _taken(vacancy, _falls(vacancy, removed))


def reduced_moments(vacancy: Structure, moments: Sequence[float], removed: str) -> dict[int, float]:
    """Return what moments become where a metal takes an electron.

    Parameters
    ----------
    vacancy
        The cell without the anion.
    moments
        Of that cell, µB.
    removed
        Symbol of the anion.

    Returns
    -------
    dict
        Index to signed spin-only moment (µB) of the reduced ion, for metals that formal states
        reduce; a metal without a moment takes the sign of the sum.

    Raises
    ------
    ValueError
        Where oxidation states cannot be told.
    """
    return _reduced(vacancy, moments, _falls(vacancy, removed))


def _taken(vacancy: Structure, falls: _Falls) -> int:
    """Electrons that make the states of a cell's metals fall so."""
    counts = vacancy.composition.element_composition
    taken = sum((high - low) * counts[symbol] for symbol, (high, low) in falls.items())
    return round(float(taken))


def _reduced(vacancy: Structure, moments: Sequence[float], falls: _Falls) -> dict[int, float]:
    """Index to moment of each metal that falls by a whole electron."""
    up = -1.0 if sum(moments) < -MAGNETIC else 1.0
    found = {}
    for i, (site, moment) in enumerate(zip(vacancy, moments, strict=True)):
        symbol = site.specie.symbol
        if symbol not in falls:
            continue
        before, after = falls[symbol]
        state = _state(symbol, before, abs(moment))
        if state - 1 >= math.floor(after + _SAME):
            sign = math.copysign(1.0, moment) if abs(moment) > MAGNETIC else up
            found[i] = sign * spin_only_moment(symbol, state - 1)
    return found


def electron_starts(
    pristine: Structure, label: str, moments: Sequence[float], n: int
) -> list[dict[str, float]]:
    """Distinct ways to place the electrons of a vacancy on metals near it.

    Each metal takes one electron, and its moment becomes that of the reduced ion (Mn4+ 3 →
    Mn3+ 4 µB), with the sign it has; only metals that formal states reduce take one. Ways that
    a symmetry of the cell with its moments makes equal are one.

    Parameters
    ----------
    pristine
        Labelled cell before the anion is removed.
    label
        Of the anion.
    moments
        N moments of that cell, µB, converged or initial.
    n
        Ways at most.

    Returns
    -------
    list of dict
        Label to starting moment (µB), by the sum of distances to the vacancy, the nearest
        first; empty where no metal takes an electron.

    Raises
    ------
    ValueError
        Where oxidation states cannot be told, or there is no such site.
    """
    labels = site_labels(pristine)
    vacancy = remove_labels(pristine, [label])
    centre = labels.index(label)
    removed = pristine[centre].specie.symbol
    left = [moment for i, moment in enumerate(moments) if i != centre]
    falls = _falls(vacancy, removed)
    kept = [i for i in range(len(labels)) if i != centre]
    reduced = {kept[i]: moment for i, moment in _reduced(vacancy, left, falls).items()}
    electrons = min(_taken(vacancy, falls), len(reduced))
    found: list[dict[str, float]] = []
    seen: set[tuple[int, ...]] = set()
    # the nearest way is itself, whatever the symmetry
    symmetries = _stabiliser(pristine, centre, moments) if n > 1 else _identity(pristine)
    for sites in _nearest_first(pristine, centre, list(reduced), electrons):
        if len(found) >= n:
            break
        images = {tuple(sorted(row)) for row in symmetries[:, list(sites)].tolist()}
        if not images & seen:
            found.append({labels[i]: reduced[i] for i in sites})
        seen |= images
    return found


def vacancy_starts(
    pristine: Structure, label: str, moments: Sequence[float], n: int
) -> list[list[float]]:
    """Return starting moments of a vacancy, one list for each way of `electron_starts`.

    Returns
    -------
    list of list of float
        N - 1 moments (µB) each, in the order of the cell without the site; the pristine
        cell's own moments alone where no metal takes an electron.
    """
    cell = pristine.copy()
    cell.add_site_property("magmom", list(moments))
    vacancy = remove_labels(cell, [label])
    starts = electron_starts(pristine, label, moments, n) or [{}]
    return [with_electrons(vacancy, start).site_properties["magmom"] for start in starts]


def with_electrons(structure: Structure, electrons: dict[str, float]) -> Structure:
    """Return a copy whose ``magmom`` is changed at some labels.

    Parameters
    ----------
    structure
        Labelled, with ``magmom``.
    electrons
        Label to moment, µB.
    """
    result = structure.copy()
    moments = structure.site_properties["magmom"]
    changed = [electrons.get(k, m) for k, m in zip(site_labels(structure), moments, strict=True)]
    result.add_site_property("magmom", changed)
    return result


def _filled(vacancy: Structure, removed: str) -> Structure:
    """Composition of the pristine cell; where the atom sits does not matter."""
    filled = vacancy.copy(site_properties={})
    return filled.append(removed, [0.0, 0.0, 0.0])


def _identity(pristine: Structure) -> np.ndarray:
    return np.arange(len(pristine))[None]


def _falls(vacancy: Structure, removed: str) -> _Falls:
    """Average formal states of each transition metal before and after, where they fall."""
    before, after = oxidation_states(_filled(vacancy, removed)), oxidation_states(vacancy)
    return {
        symbol: (before[symbol], state)
        for symbol, state in after.items()
        if Element(symbol).is_transition_metal and before[symbol] - state > _SAME
    }


def _state(symbol: str, average: float, moment: float) -> int:
    """Whole state next to an average whose spin-only moment is nearest."""
    around = {math.floor(average + _SAME), math.ceil(average - _SAME)}
    return min(sorted(around), key=lambda q: abs(spin_only_moment(symbol, q) - moment))


def _nearest_first(
    pristine: Structure, centre: int, sites: list[int], size: int
) -> list[tuple[int, ...]]:
    """Return groups of sites by their summed distance (to 0.01 Å) from a site."""
    positions = pristine.frac_coords
    distances = pristine.lattice.get_all_distances(positions[centre], positions)[0]
    near = sorted(sites, key=lambda i: (round(float(distances[i]), 2), i))[:_NEAREST]
    groups = combinations(sorted(near), size) if size else ()
    return sorted(groups, key=lambda g: (round(float(sum(distances[i] for i in g)), 2), g))


def _stabiliser(pristine: Structure, centre: int, moments: Sequence[float]) -> np.ndarray:
    """Permutations (G, N) of the cell's symmetry that keep a site and all moments."""
    try:
        group = space_group(pristine)
        found = site_permutations(pristine, group.rotations, group.translations)
    except ValueError:  # no symmetry found: every way is distinct
        return _identity(pristine)
    values = np.array(moments)
    alike = np.abs(values[found] - values).max(axis=1) < CHANGED
    kept: np.ndarray = found[alike & (found[:, centre] == centre)]
    return kept
