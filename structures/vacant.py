"""Whether a vacancy is still where it was made, after a relaxation."""

from typing import Any

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.names import site_labels
from vacancy_flows.structures.ordering import remove_labels

_LOOKED_AT = 0.8  # Å; O-O is 2.3 Å or more, so who moved less is nearest to its own place


def with_vacancy(structure: Structure, label: str) -> Structure:
    """Take one site out and remember where it was.

    Parameters
    ----------
    structure
        Labelled pristine cell.
    label
        Of the site.

    Returns
    -------
    Structure
        ``properties["vacancy"]`` has ``label`` and ``position`` (fractional, in the cell given).

    Raises
    ------
    ValueError
        For a label that the structure does not have.
    """
    result = remove_labels(structure, [label])
    position = structure.frac_coords[site_labels(structure).index(label)]
    result.properties["vacancy"] = {"label": label, "position": [float(x) for x in position]}
    return result


def empty_sites(before: Structure, after: Structure) -> list[str]:
    """Labels of the sites of the removed element at which no atom stands after a relaxation.

    Every atom of that element is given to the nearest place: those of all atoms before the
    relaxation, and the vacant one, on the lattice after it and without a common drift.

    Parameters
    ----------
    before
        From `with_vacancy`.
    after
        The same sites in the same order, relaxed.

    Returns
    -------
    list of str
        The vacant site alone where nothing hopped; without it where an atom moved in.

    Raises
    ------
    ValueError
        For a structure that is not from `with_vacancy`.
    """
    vacancy: dict[str, Any] | None = before.properties.get("vacancy")
    if not vacancy:
        raise ValueError("The structure has no vacancy: make it with with_vacancy.")
    element = str(vacancy["label"]).split("-", maxsplit=1)[0]
    same = [i for i, site in enumerate(before) if site.specie.symbol == element]
    labels = [*(site_labels(before)[i] for i in same), str(vacancy["label"])]
    places = np.vstack([before.frac_coords[same], vacancy["position"]])
    steps = after.frac_coords - before.frac_coords
    steps -= np.round(steps)
    steps -= np.median(steps, axis=0)
    lengths = np.linalg.norm(steps[same] @ after.lattice.matrix, axis=1)
    far = np.flatnonzero(lengths > _LOOKED_AT)
    stands_at = np.arange(len(same))
    if len(far):
        now = places[far] + steps[same][far]
        stands_at[far] = np.argmin(after.lattice.get_all_distances(now, places), axis=1)
    empty = np.setdiff1d(np.arange(len(places)), stands_at)
    return [labels[i] for i in empty]


def vacancy_move(before: Structure, after: Structure) -> str:
    """Say where a vacancy moved in a relaxation; empty where it stayed.

    Parameters
    ----------
    before, after
        As for `empty_sites`.
    """
    label = str(before.properties.get("vacancy", {}).get("label"))
    empty = empty_sites(before, after)
    if label in empty:
        return ""
    return f"the vacancy moved from {label} to {' '.join(empty)}: its energy is not that of {label}"
