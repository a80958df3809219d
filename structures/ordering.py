"""Delithiation: symmetry-distinct ways to take sites out, ranked by electrostatics."""

import math
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.electrostatics import removal_energies
from vacancy_flows.structures.names import label_indices, site_labels
from vacancy_flows.structures.orbits import subset_orbits
from vacancy_flows.structures.symmetry import SYMPREC, site_permutations, space_group


@dataclass(frozen=True)
class Removal:
    """One way to take sites out, for all that symmetry makes equal to it.

    Attributes
    ----------
    labels
        Labels of the sites removed, sorted.
    multiplicity
        Number of ways equivalent to this one in the cell.
    """

    labels: tuple[str, ...]
    multiplicity: int


def removal_count(n_available: int, fraction: float, species: str = "Li") -> int:
    """Turn a fraction into a number of sites.

    Parameters
    ----------
    n_available
        Sites in the cell.
    fraction
        Share to remove, above 0 and up to 1.
    species
        Element, for the message.

    Returns
    -------
    int
        Whole number nearest to ``fraction * n_available``, no further than 0.01 from it (so
        that 0.3333 of 6 is 2).

    Raises
    ------
    ValueError
        Where there is none; the message names the nearest fractions that are.
    """
    if n_available < 1:
        raise ValueError(f"There is no {species} in this host to remove.")
    if not math.isfinite(fraction) or not 0 < fraction <= 1:
        raise ValueError(f"The fraction {fraction} of {species} must be above 0 and at most 1.")
    count = round(fraction * n_available)
    if count > 0 and abs(fraction * n_available - count) <= 0.01:
        return count
    below = math.floor(fraction * n_available)
    near = [f"{k / n_available:.6g} ({k} of {n_available})" for k in (below, below + 1) if k > 0]
    raise ValueError(
        f"{fraction} of {n_available} {species} is {fraction * n_available:.4g}, no whole number; "
        f"the nearest fractions that are: {' and '.join(near)}. A larger supercell allows more."
    )


def count_removals(n: int, k: int) -> int:
    """Ways to take k of n sites without regard to symmetry, C(n, k).

    Raises
    ------
    ValueError
        For k below 0 or above n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"Cannot remove {k} of {n} sites.")
    return math.comb(n, k)


def distinct_removals(
    structure: Structure,
    n_removed: int,
    species: str = "Li",
    symprec: float = SYMPREC,
    limit: int = 200_000,
) -> list[Removal]:
    """Enumerate the symmetry-distinct ways to take `n_removed` sites of a species.

    Parameters
    ----------
    structure
        Labelled structure; its space group counts, with the translations of a supercell.
    n_removed
        Number of sites to take.
    species
        Element symbol.
    symprec
        Tolerance in Å.
    limit
        Largest number of ways.

    Returns
    -------
    list of Removal
        Each the first of its orbit, in lexicographic order of the sites; multiplicities sum to
        C(n, n_removed).

    Raises
    ------
    ValueError
        For too many or too few sites, more than `limit` ways, and a structure whose symmetry is
        not exact enough to be a group.
    """
    labels = site_labels(structure)
    sites = [i for i, site in enumerate(structure) if site.specie.symbol == species]
    total = count_removals(len(sites), n_removed)
    dataset = space_group(structure, symprec)
    moved = site_permutations(structure, dataset.rotations, dataset.translations)[:, sites]
    permutations = np.unique(np.searchsorted(sites, moved), axis=0)
    try:
        orbits = subset_orbits(permutations, n_removed, limit)
    except OverflowError as error:
        raise ValueError(
            f"Taking {n_removed} of {len(sites)} {species} can be done in {total} ways, about "
            f"{total // len(permutations)} of them distinct: more than {limit}. "
            "Use a smaller supercell or another fraction."
        ) from error
    if sum(size for _, size in orbits) != total:
        raise ValueError("The symmetry operations form no group: symmetrise the structure first.")
    return [
        Removal(tuple(sorted(labels[sites[i]] for i in members)), size) for members, size in orbits
    ]


def electrostatic_energies(
    structure: Structure,
    removals: Sequence[Removal],
    oxidation_states: Mapping[str, float],
    species: str = "Li",
) -> np.ndarray:
    """Ewald energies of cells with sites taken out, as in `removal_energies`.

    Parameters
    ----------
    structure
        Labelled structure before removal.
    removals
        R ways to take sites out.
    oxidation_states
        State per element symbol; the cell must be neutral.
    species
        Element that is removed; all others stay.

    Returns
    -------
    numpy.ndarray
        (R,), eV per cell.

    Raises
    ------
    ValueError
        For unknown labels, missing states, a charged cell, and where no cation can take up the
        charge.
    """
    return removal_energies(
        structure, [removal.labels for removal in removals], oxidation_states, species
    )


def lowest(
    removals: Sequence[Removal], energies: Sequence[float] | np.ndarray, n: int, tie: float = 1e-6
) -> list[Removal]:
    """Take the n removals of lowest energy, and those that tie with the last of them.

    Parameters
    ----------
    removals, energies
        Equally many; energies in eV.
    n
        Number wanted, at least 1.
    tie
        Energies no further apart than this (eV) count as equal; equals keep their order.

    Returns
    -------
    list of Removal
        From the lowest energy up.

    Raises
    ------
    ValueError
        For n below 1, lists of different length, and energies that are not finite.
    """
    values = np.asarray(energies, float)
    if n < 1 or len(removals) != len(values) or not np.isfinite(values).all():
        raise ValueError(
            f"Cannot take the {n} lowest of {len(removals)} orderings with {len(values)} energies: "
            "give one finite energy per ordering and ask for at least one."
        )
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order], prepend=values[order[:1]])
    level = np.empty(len(values), int)
    level[order] = np.cumsum(steps > tie)
    order = np.lexsort((np.arange(len(values)), level))
    last = values[order[: min(n, len(order))]].max(initial=-np.inf)
    kept = [i for rank, i in enumerate(order) if rank < n or values[i] <= last + tie]
    return [removals[i] for i in kept]


def remove_labels(structure: Structure, labels: Collection[str]) -> Structure:
    """Take sites out by their labels.

    Parameters
    ----------
    structure
        Labelled structure.
    labels
        Labels of the sites that go.

    Returns
    -------
    Structure
        A new structure with all that the other sites bear.

    Raises
    ------
    ValueError
        For labels that the structure does not have, with the nearest that it has.
    """
    index = {label: i for i, label in enumerate(site_labels(structure))}
    result: Structure = structure.copy()
    result.properties = deepcopy(structure.properties)  # pymatgen's copy shares them
    result.remove_sites(label_indices(index, labels))
    return result
