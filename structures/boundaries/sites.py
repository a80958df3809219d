"""Where sites stand with respect to the boundaries of a cell."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.names import site_labels

_APART = 0.5  # Å along b; sites no further apart stand at one position, relaxed or not
WhichBoundary = Literal[1, 2, "both"]


def boundary_properties(structure: Structure) -> Mapping[str, Any]:
    """``properties["boundary"]`` of a cell; ValueError where it has none."""
    found: Mapping[str, Any] | None = structure.properties.get("boundary")
    if not found or not found.get("planes"):
        raise ValueError(
            "The structure has no boundary planes: build it with bicrystals, twins or a preset, "
            "and keep its properties."
        )
    return found


def plane_distances(structure: Structure, boundary: WhichBoundary = "both") -> np.ndarray:
    """Distance of each site to the nearest boundary plane.

    The planes are kept as fractional coordinates along c, so that they stay where they are when
    the cell relaxes.

    Parameters
    ----------
    structure
        With ``properties["boundary"]``.
    boundary
        Which boundary.

    Returns
    -------
    numpy.ndarray
        (N,), Å, along the normal of the plane of a and b; periodic images counted.

    Raises
    ------
    ValueError
        For a structure without boundaries and a boundary that it does not have.
    """
    known = {
        plane["boundary"]: plane["fraction"] for plane in boundary_properties(structure)["planes"]
    }
    chosen = list(known) if boundary == "both" else [boundary]
    if any(number not in known for number in chosen):
        raise ValueError(
            f"There is no boundary {boundary!r}; the structure has {sorted(known)}, and 'both'."
        )
    lattice = structure.lattice.matrix
    height = structure.volume / float(np.linalg.norm(np.cross(lattice[0], lattice[1])))
    fractions = structure.frac_coords[:, 2][:, None] - np.array([known[n] for n in chosen])
    distances: np.ndarray = np.abs(fractions - np.round(fractions)).min(axis=1) * height
    return distances


def boundary_planes(structure: Structure) -> list[tuple[np.ndarray, float]]:
    """Give the boundary planes as normals (3,) and offsets (Å), as `analysis.environments` asks.

    Raises
    ------
    ValueError
        For a structure without boundaries.
    """
    a, b, c = structure.lattice.matrix
    normal = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    planes = boundary_properties(structure)["planes"]
    return [(normal, float(plane["fraction"] * (c @ normal))) for plane in planes]


def nearest_boundary(structure: Structure) -> list[int]:
    """Tell the number of the boundary nearest to each site."""
    numbers = [plane["boundary"] for plane in boundary_properties(structure)["planes"]]
    each = np.array([plane_distances(structure, number) for number in numbers])
    return [numbers[int(i)] for i in np.argmin(np.round(each, 6), axis=0)]


def region_labels(
    structure: Structure,
    within: float,
    boundary: WhichBoundary = "both",
    element: str | None = None,
) -> list[str]:
    """Labels of the sites near a boundary: candidates for vacancies, or a mask of free atoms.

    Parameters
    ----------
    structure
        Labelled, with boundaries.
    within
        Å, from the nearest plane of those meant.
    boundary
        Which boundary.
    element
        Only sites of this element; None for all.

    Returns
    -------
    list of str
        In the structure's order.

    Raises
    ------
    ValueError
        For a distance that is not positive, as `plane_distances`, and for an empty region.
    """
    if not (np.isfinite(within) and within > 0):
        raise ValueError(f"within = {within}: give a positive distance in Å.")
    distances = plane_distances(structure, boundary)
    labels = site_labels(structure)
    meant = [
        i for i, site in enumerate(structure) if element is None or site.specie.symbol == element
    ]
    chosen = [labels[i] for i in meant if distances[i] <= within]
    if not chosen:
        nearest = min((float(distances[i]) for i in meant), default=float("nan"))
        raise ValueError(
            f"No {element or 'site'} lies within {within:g} Å of boundary {boundary}; the nearest "
            f"is {nearest:.2f} Å away."
        )
    return chosen


def free_labels(structure: Structure, within: float = 5.0) -> list[str]:
    """Labels of the atoms that may move: those within a distance (Å) of any boundary."""
    return region_labels(structure, within, "both")


def site_sets(structure: Structure, labels: Sequence[str], n_sets: int = 4) -> dict[str, str]:
    """Group boundary sites into sets S1, S2, ... along b.

    Sites are ordered by their fractional coordinate along b and cut at the widest gaps between
    them, round the period; S1 is the set of the lowest mean coordinate in [0, 1).

    Parameters
    ----------
    structure
        Labelled.
    labels
        The sites.
    n_sets
        Number of sets.

    Returns
    -------
    dict of str to str
        Label to set, in the order given.

    Raises
    ------
    ValueError
        For unknown labels, and more sets than positions along b.
    """
    along, order, gaps = _along_b(structure, labels)
    positions = positions_along_b(structure, labels)
    if not 1 <= n_sets <= positions:
        raise ValueError(
            f"{len(labels)} sites at {positions} positions along b make no {n_sets} sets: ask for "
            "fewer."
        )
    cuts = np.sort(np.argsort(-np.round(gaps, 5), kind="stable")[:n_sets])
    number = np.searchsorted(cuts, np.arange(len(order)), side="left") % n_sets
    groups = np.empty(len(order), int)
    groups[order] = number
    means = [_circular_mean(along[groups == k]) for k in range(n_sets)]
    rank = {int(k): r + 1 for r, k in enumerate(np.argsort(np.round(means, 6), kind="stable"))}
    return {label: f"S{rank[int(k)]}" for label, k in zip(labels, groups, strict=True)}


def positions_along_b(structure: Structure, labels: Sequence[str]) -> int:
    """Count the positions along b at which sites stand: as many sets are possible."""
    gaps = _along_b(structure, labels)[2] * structure.lattice.b
    return max(1, int((gaps > _APART).sum()))


def _along_b(
    structure: Structure, labels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fractional coordinates along b, their order, and the gaps after each in that order."""
    index = {label: i for i, label in enumerate(site_labels(structure))}
    unknown = [label for label in labels if label not in index]
    if unknown:
        raise ValueError(f"There is no site {', '.join(unknown)} in the structure.")
    along = np.round(structure.frac_coords[[index[label] for label in labels], 1] % 1.0, 6) % 1.0
    order = np.argsort(along, kind="stable")
    return along, order, np.diff(along[order], append=along[order[:1]] + 1.0)


def _circular_mean(fractions: np.ndarray) -> float:
    """Mean of a cluster of fractional coordinates, in [0, 1)."""
    offsets = fractions - fractions[0]
    mean = fractions[0] + float(np.mean(offsets - np.round(offsets)))
    return float(np.round(mean % 1.0, 9) % 1.0)
