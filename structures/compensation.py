"""How the charge of sites that leave is made up for: formal charges of what stays."""

from collections.abc import Mapping
from typing import Literal

from pymatgen.core import Element, Structure

from vacancy_flows.structures.oxidation import oxidation_states

Compensation = Literal["uniform", "couples"] | Mapping[str, float]


def compensated(
    structure: Structure,
    n_removed: int,
    species: str,
    before: Mapping[str, float],
    compensation: Compensation,
) -> tuple[dict[str, float], str]:
    """Formal charges once sites have left, and how they were found, in words.

    Parameters
    ----------
    structure
        Before removal.
    n_removed, species
        What leaves.
    before
        Charges that make the structure neutral.
    compensation
        As for `delithiate`.

    Returns
    -------
    tuple
        Charge per element, and a sentence.

    Raises
    ------
    ValueError
        For a charged cell, missing charges, unknown words, and charges that are not neutral.
    """
    counts = {str(el): float(n) for el, n in structure.composition.element_composition.items()}
    _check(counts, before, "states")
    remaining = counts | {species: counts.get(species, 0.0) - n_removed}
    if isinstance(compensation, Mapping):
        after = dict(before) | dict(compensation)
        _check(remaining, after, "compensation")
        return after, "given: " + _states_text(after)
    if compensation == "couples":
        cell = structure.copy()
        lithium = [i for i, site in enumerate(structure) if site.specie.symbol == species]
        cell.remove_sites(lithium[:n_removed])
        cell.properties.pop("oxidation_states", None)
        after = dict(before) | oxidation_states(cell)
        return after, "redox couple after couple: " + _states_text(after)
    if compensation != "uniform":
        raise ValueError(
            f"Unknown compensation {compensation!r}: use 'uniform', 'couples' or charges per "
            "element."
        )
    others = [symbol for symbol in counts if symbol != species]
    taking = [symbol for symbol in others if Element(symbol).is_transition_metal]
    highest = max((before[symbol] for symbol in others), default=0.0)
    taking = taking or [s for s in others if before[s] == highest > 0]
    if not taking:
        raise ValueError(f"No cation can take up the charge of the {species} that leaves.")
    step = n_removed * before[species] / sum(counts[symbol] for symbol in taking)
    after = dict(before) | {symbol: before[symbol] + step for symbol in taking}
    return after, f"{', '.join(taking)} raised uniformly by {step:.6g}"


def _check(counts: Mapping[str, float], charges: Mapping[str, float], name: str) -> None:
    missing = [symbol for symbol in counts if symbol not in charges]
    if missing:
        raise ValueError(f"{name}: charges are missing for {', '.join(missing)}.")
    total = sum(n * charges[symbol] for symbol, n in counts.items())
    if abs(total) > 1e-4:
        raise ValueError(f"{name}: the cell has charge {total:+.4g}; give charges that sum to 0.")


def _states_text(charges: Mapping[str, float]) -> str:
    return ", ".join(f"{symbol} {value:+.4g}" for symbol, value in sorted(charges.items()))
