"""Whether the electrons of an oxygen vacancy went where formal states expect them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.names import site_labels
from vacancy_flows.structures.neel import MAGNETIC
from vacancy_flows.structures.reduction import CHANGED, electrons_on_metals, reduced_moments


def magnetic_state(
    vacancy: Structure, after: Sequence[float], removed: str = "O"
) -> dict[str, Any]:
    """Tell whether the electrons of a vacancy went where formal states expect them.

    Parameters
    ----------
    vacancy
        The labelled cell without the anion, its ``magmom`` that of the pristine cell.
    after
        Moments that the relaxed vacancy ended with, µB.
    removed
        Symbol of the anion.

    Returns
    -------
    dict
        ``expected_reduced`` and ``expected_change`` (µB, of the sum over sites; +2 for two
        Mn4+ → Mn3+ in ferromagnetic order, None where the order or the ions leave it open),
        ``reduced`` (labels of metals whose moment changed by more than 0.5 µB towards that of
        the reduced ion), ``found_change`` (µB, the removed atom left out), and ``expected``:
        as many metals are reduced, no other metal changed, and the sum changed so within 0.5 µB
        for each electron (spheres do not hold a whole moment). None for all that cannot be told.
    """
    labels, before = site_labels(vacancy), vacancy.site_properties["magmom"]
    found = {"found_change": round(float(np.sum(after) - np.sum(before)), 3)}
    try:
        electrons = electrons_on_metals(vacancy, removed)
        ions = reduced_moments(vacancy, before, removed)
    except ValueError:
        nothing = dict.fromkeys(("expected_reduced", "expected_change", "reduced", "expected"))
        return {**nothing, **found}
    rises = {i: abs(m) - round(abs(before[i])) for i, m in ions.items()}
    reduced = [
        labels[i]
        for i, rise in rises.items()
        if (abs(after[i]) - abs(before[i])) * (1 if rise >= 0 else -1) > CHANGED
    ]
    changed = [
        labels[i]
        for i, site in enumerate(vacancy)
        if site.specie.is_transition_metal and abs(after[i] - before[i]) > CHANGED
    ]
    change = _expected_change(before, electrons, set(rises.values()))
    fits = change is None or abs(found["found_change"] - change) <= CHANGED * electrons
    return {
        "expected_reduced": electrons,
        "expected_change": change,
        "reduced": reduced,
        **found,
        "expected": len(reduced) == electrons and changed == reduced and fits,
    }


def _expected_change(before: Sequence[float], electrons: int, rises: set[float]) -> float | None:
    """Change of the sum of moments, µB, where all are parallel and all ions change alike."""
    signs = {float(np.sign(m)) for m in before if abs(m) > MAGNETIC}
    if electrons == 0 or len(signs) > 1 or len(rises) != 1:
        return None
    return next(iter(signs), 1.0) * electrons * next(iter(rises))
