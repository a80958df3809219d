"""Labels of the sites of a foreign pristine cell, which nothing may move."""

from __future__ import annotations

from collections import Counter

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures import SYMPREC, SiteClass, site_classes
from vacancy_flows.structures.symmetry import space_group


def site_labels_of(structure: Structure) -> list[str]:
    """Return labels ``O-8j-3`` of all sites: element, Wyckoff position, number in its order.

    As `vacancy_flows.structures.prepare_host` has them, but the cell is taken as it is. Where
    spglib finds no group every site is its own (``1a``).

    Parameters
    ----------
    structure
        Relaxed pristine cell.
    """
    letters = _wyckoff(structure)
    counts: Counter[tuple[str, str]] = Counter()
    labels = []
    for site, letter in zip(structure, letters, strict=True):
        key = (site.specie.symbol, letter)
        counts[key] += 1
        labels.append(f"{key[0]}-{letter}-{counts[key]}")
    return labels


def class_of(structure: Structure, label: str, moments: list[float] | None) -> SiteClass | None:
    """Return the class of equivalent sites that a site belongs to.

    Parameters
    ----------
    structure
        Labelled pristine cell.
    label
        Of the site.
    moments
        Initial moments, µB; None where there was no spin.

    Returns
    -------
    SiteClass or None
        None where spglib finds no group.
    """
    try:
        found = site_classes(structure, label.split("-", maxsplit=1)[0], moments=moments)
    except ValueError:
        return None
    return next(known for known in found if label in known.members)


def _wyckoff(structure: Structure) -> list[str]:
    """Return multiplicity and letter of each site in the conventional standard cell."""
    try:
        dataset = space_group(structure, SYMPREC)
    except ValueError:
        return ["1a"] * len(structure)
    orbits = np.array(dataset.crystallographic_orbits).tolist()
    size = Counter(orbits)
    ratio = len(dataset.std_types) / len(structure)
    return [
        f"{round(size[orbit] * ratio)}{letter}"
        for orbit, letter in zip(orbits, dataset.wyckoffs, strict=True)
    ]
