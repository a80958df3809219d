"""Delithiation by electrostatics: proved global minima where they can be, else swap Monte Carlo."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.charges import TIE, ChargeModel, anneal, neighbours
from vacancy_flows.structures.compensation import Compensation, compensated
from vacancy_flows.structures.electrostatics import ewald_matrix
from vacancy_flows.structures.names import site_labels
from vacancy_flows.structures.ordering import Removal, count_removals
from vacancy_flows.structures.oxidation import oxidation_states
from vacancy_flows.structures.subsets import lowest_subsets
from vacancy_flows.structures.symmetry import SYMPREC, site_permutations, space_group

PROOF_LIMIT = 100_000_000
"""Largest number of arrangements that are all looked at."""

_PREFIXES = 1_000_000  # first parts of a proof, one step of a loop each
_TABLE = 20_000_000  # numbers held for the last parts


@dataclass(frozen=True)
class Delithiation:
    """Lowest orderings of a delithiated cell, by electrostatics.

    Attributes
    ----------
    removals
        The orderings, from the lowest energy up; multiplicities count what symmetry makes equal.
    energies
        (m,), eV per cell.
    proved
        Whether every arrangement was looked at, so that the first is the global minimum.
    arrangements
        Their number.
    charges
        Formal charge of each element in the delithiated cell; the removed sites have none.
    compensation
        How the charge that left is made up for, in words.
    """

    removals: tuple[Removal, ...]
    energies: np.ndarray
    proved: bool
    arrangements: int
    charges: Mapping[str, float]
    compensation: str

    def as_dict(self) -> dict[str, Any]:
        """Provenance in JSON types."""
        return {
            "method": "exhaustive with bounds" if self.proved else "swap Monte Carlo",
            "proved": self.proved,
            "arrangements": self.arrangements,
            "charges": dict(self.charges),
            "compensation": self.compensation,
            "energies": [round(float(energy), 6) for energy in self.energies],
        }


def delithiate(
    structure: Structure,
    n_removed: int,
    *,
    species: str = "Li",
    states: Mapping[str, float] | None = None,
    compensation: Compensation = "uniform",
    keep: int = 1,
    seeds: Sequence[int] = tuple(range(8)),
    steps: int = 40_000,
    proof_limit: int = PROOF_LIMIT,
) -> Delithiation:
    """Find the `keep` lowest ways to take sites out, point charges at fixed positions.

    Swap Monte Carlo finds low orderings; where there are at most `proof_limit` arrangements, all
    are then looked at, and the result is proved.

    Parameters
    ----------
    structure
        Labelled structure before removal.
    n_removed
        Sites to take.
    species
        Element that is removed.
    states
        Formal charge per element before removal; None for `oxidation_states`.
    compensation
        ``"uniform"``: all transition metals (without them, the cations of the highest state) are
        raised by the same amount; ``"couples"``: states of the delithiated composition, redox
        couple after couple (Ni first); or the charges themselves, per element.
    keep
        Orderings wanted, none the image of another by symmetry; ties (1e-6 eV) come along.
    seeds, steps
        Runs of the Monte Carlo and trial swaps of each.
    proof_limit
        Largest number of arrangements that are all looked at.

    Returns
    -------
    Delithiation

    Raises
    ------
    ValueError
        For impossible numbers, a charged cell, and charges that do not make it neutral.
    """
    labels = site_labels(structure)
    symbols = [site.specie.symbol for site in structure]
    sites = [i for i, symbol in enumerate(symbols) if symbol == species]
    total = count_removals(len(sites), n_removed)
    if n_removed < 1 or keep < 1 or not seeds:
        raise ValueError(
            f"n_removed = {n_removed}, keep = {keep}, {len(seeds)} seeds: each must be at least 1."
        )
    before = dict(states or oxidation_states(structure))
    after, words = compensated(structure, n_removed, species, before, compensation)
    charges = np.array([after[symbol] for symbol in symbols])
    model = ChargeModel.of(ewald_matrix(structure), charges, sites)
    lithium = np.where(np.arange(len(sites)) < n_removed, 0.0, after[species])
    found = anneal(model, lithium, seeds=seeds, steps=steps)
    best = min(found, key=lambda key: (found[key], key))
    found |= dict(neighbours(model, np.frombuffer(best)))
    permutations = _permutations(structure, sites)
    proved = provable(len(sites), n_removed, proof_limit)
    if proved:
        wanted = keep * len(permutations) + 8
        found = _proved(model, n_removed, after[species], wanted, sorted(found.values()))
    removals, energies = _distinct(found, permutations, [labels[i] for i in sites], keep)
    return Delithiation(tuple(removals), energies, proved, total, after, words)


def provable(n_sites: int, n_removed: int, limit: int = PROOF_LIMIT) -> bool:
    """Whether all ways to take `n_removed` of `n_sites` can be looked at."""
    size = min(n_removed, n_sites - n_removed)
    first = math.comb(n_sites, size - size // 2)
    table = n_sites * math.comb(n_sites, size // 2)
    few = math.comb(n_sites, size) <= limit and first <= _PREFIXES
    return few and table <= _TABLE


def _proved(
    model: ChargeModel, n_removed: int, charge: float, wanted: int, known: list[float]
) -> dict[bytes, float]:
    """Lowest arrangements of all, at least as many as wanted where there are."""
    n = len(model.field)
    remove = n_removed <= n - n_removed
    size = n_removed if remove else n - n_removed
    rest, step = (charge, -charge) if remove else (0.0, charge)
    base = np.full(n, rest)
    potential = model.field + model.matrix @ base
    single = 2 * step * potential + step**2 * np.diag(model.matrix)
    offset = model.energy(base)
    bound = known[wanted - 1] - offset + 1e-3 if len(known) >= wanted else math.inf
    chosen, _ = lowest_subsets(single, 2 * step**2 * model.matrix, size, wanted, bound)
    found = {}
    for members in chosen:
        state = base.copy()
        state[members] += step
        found[state.tobytes()] = model.energy(state)
    return found


def _permutations(structure: Structure, sites: list[int]) -> np.ndarray:
    """Permutations (G, n) of some sites by the symmetry of the cell; the identity at least."""
    identity = np.arange(len(sites))[None]
    try:
        dataset = space_group(structure, SYMPREC)
        moved = site_permutations(structure, dataset.rotations, dataset.translations)[:, sites]
    except ValueError:
        return identity
    return np.unique(np.searchsorted(sites, moved), axis=0)


def _distinct(
    found: Mapping[bytes, float], permutations: np.ndarray, labels: list[str], keep: int
) -> tuple[list[Removal], np.ndarray]:
    """Lowest arrangements, one of each orbit, with their energies (m,)."""
    seen: set[bytes] = set()
    removals: list[Removal] = []
    energies: list[float] = []
    for key in sorted(found, key=lambda k: (round(found[k], 6), k)):
        if len(removals) >= keep and found[key] > energies[-1] + TIE:
            break
        state = np.frombuffer(key)
        if key in seen:
            continue
        # Image i of a site bears what the site bore.
        images = np.empty((len(permutations), len(state)))
        np.put_along_axis(images, permutations, np.broadcast_to(state, images.shape), axis=1)
        orbit = {image.tobytes() for image in images}
        seen |= orbit
        removed = sorted(labels[i] for i in np.flatnonzero(state == 0))
        removals.append(Removal(tuple(removed), len(orbit)))
        energies.append(found[key])
    return removals, np.array(energies)
