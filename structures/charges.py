"""Charges on the sites of a lattice: energies of swaps, and swap Monte Carlo."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

TIE = 1e-6
"""Energies no further apart (eV) are equal."""


@dataclass(frozen=True)
class ChargeModel:
    """Energy of point charges on some sites in the field of all others.

    E(q) = constant + 2 field·q + q·matrix·q, in eV.

    Attributes
    ----------
    matrix
        (n, n) Ewald interactions of unit charges on the variable sites, eV.
    field
        (n,) potential of the fixed charges at those sites, eV.
    constant
        Energy of the fixed charges among themselves, eV.
    """

    matrix: np.ndarray
    field: np.ndarray
    constant: float

    @classmethod
    def of(cls, matrix: np.ndarray, charges: np.ndarray, variable: Sequence[int]) -> "ChargeModel":
        """Model in which only some charges change.

        Parameters
        ----------
        matrix
            (N, N) Ewald matrix of all sites, eV (`ewald_matrix`).
        charges
            (N,) charges of all sites; those of the variable ones are not used.
        variable
            Indices of the n sites that change.
        """
        sites = np.asarray(variable, int)
        fixed = np.array(charges, float)
        fixed[sites] = 0.0
        return cls(
            matrix[np.ix_(sites, sites)], (matrix @ fixed)[sites], float(fixed @ matrix @ fixed)
        )

    def energy(self, charges: np.ndarray) -> float:
        """Energy of the charges (n,), eV."""
        return float(self.constant + 2 * self.field @ charges + charges @ self.matrix @ charges)

    def swap_energies(self, charges: np.ndarray) -> np.ndarray:
        """Change of energy (n, n) for the swap of each pair of charges, eV."""
        potential = self.field + self.matrix @ charges
        step = charges[None, :] - charges[:, None]
        own = np.diag(self.matrix)
        changes: np.ndarray = 2 * step * (potential[:, None] - potential[None, :]) + step**2 * (
            own[:, None] + own[None, :] - 2 * self.matrix
        )
        return changes


def anneal(
    model: ChargeModel,
    charges: np.ndarray,
    *,
    seeds: Sequence[int],
    steps: int = 40_000,
    kicks: int = 500,
) -> dict[bytes, float]:
    """Swap Monte Carlo, cooled, from shuffled starts; a swap's energy costs O(1).

    What cooling finds is then kicked by a few random swaps and led down again, over and over:
    with three kinds of charges (Ni, Co, Mn on the 48 sites of the tilt) cooled runs end up to
    1 eV apart, kicked ones at the same energy.

    Parameters
    ----------
    model
        The energy.
    charges
        (n,) charges to be arranged.
    seeds
        One run each.
    steps
        Trial swaps of each run.
    kicks
        Kicks of each run.

    Returns
    -------
    dict of bytes to float
        Low-lying arrangements met, as bytes of the float64 charges, with their energies in eV,
        recomputed: among them each run's end, from which no swap leads further down.
    """
    found: dict[bytes, float] = {}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        state = rng.permutation(np.asarray(charges, float))
        run = {key: model.energy(np.frombuffer(key)) for key in _cooled(model, state, rng, steps)}
        best = min(run, key=lambda key: (round(run[key], 9), key))
        for end in _kicked(model, np.frombuffer(best), rng, kicks):
            run[end.tobytes()] = model.energy(end)
        found |= run
    return found


def _kicked(
    model: ChargeModel, start: np.ndarray, rng: np.random.Generator, kicks: int
) -> Iterator[np.ndarray]:
    """Yield ever lower arrangements, each from the last by a few random swaps and descent."""
    best, energy = start, model.energy(start)
    for _ in range(kicks):
        state = best.copy()
        for i, j in rng.integers(0, len(state), (int(rng.integers(2, 5)), 2)):
            state[[i, j]] = state[[j, i]]
        state = descended(model, state)
        reached = model.energy(state)
        if reached < energy - TIE:
            best, energy = state, reached
            yield state


def _cooled(
    model: ChargeModel, state: np.ndarray, rng: np.random.Generator, steps: int
) -> list[bytes]:
    """One run; the last thousand arrangements accepted, and where descent from the best ends."""
    n = len(state)
    if len(np.unique(state)) < 2:
        return [state.tobytes()]
    changes = model.swap_energies(state)
    hot = float(np.std(changes[np.triu_indices(n, 1)])) + 1e-6
    limits = -hot * np.geomspace(1.0, 1e-3, steps) * np.log(rng.random(steps))
    pairs = rng.integers(0, n, (steps, 2)).tolist()
    matrix, own = model.matrix, np.diag(model.matrix).tolist()
    rows = matrix.tolist()
    potential = model.field + matrix @ state
    values = state.tolist()
    energy = best_energy = 0.0
    best = list(values)
    late: list[bytes] = []
    for (i, j), limit in zip(pairs, limits.tolist(), strict=True):
        step = values[j] - values[i]
        if step == 0:
            continue
        change = 2 * step * (potential[i] - potential[j])
        change += step * step * (own[i] + own[j] - 2 * rows[i][j])
        if change > limit:
            continue
        values[i], values[j] = values[j], values[i]
        potential += step * (matrix[i] - matrix[j])
        energy += change
        if energy < best_energy - TIE:
            best_energy, best = energy, list(values)
        late.append(np.array(values).tobytes())
    kept = late[-1000:]
    kept.append(descended(model, np.array(best)).tobytes())
    return kept


def descended(model: ChargeModel, charges: np.ndarray) -> np.ndarray:
    """Follow the best swap until none lowers the energy; (n,)."""
    state = charges.copy()
    while True:
        changes = model.swap_energies(state)
        i, j = np.unravel_index(int(np.argmin(changes)), changes.shape)
        if changes[i, j] > -TIE:
            return state
        state[[i, j]] = state[[j, i]]


def neighbours(model: ChargeModel, charges: np.ndarray) -> Iterator[tuple[bytes, float]]:
    """All arrangements one swap away, with their energies in eV."""
    changes = model.swap_energies(charges)
    start = model.energy(charges)
    for i, j in itertools.combinations(range(len(charges)), 2):
        if charges[i] != charges[j]:
            state = charges.copy()
            state[[i, j]] = state[[j, i]]
            yield state.tobytes(), start + float(changes[i, j])
