"""Which element stands on which site: arranged by electrostatics, or at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.charges import ChargeModel, anneal
from vacancy_flows.structures.electrostatics import ewald_matrix
from vacancy_flows.structures.ncm import FORMAL_STATES, layered_host

_KICKS = 1500  # all runs of the 48-site tilt then end at one energy
_SITE_ORDER = ("Li", "Ni", "Co", "Mn", "O")


@dataclass(frozen=True)
class Arrangement:
    """Elements on sites, and how they came there.

    Attributes
    ----------
    structure
        The cell with its elements.
    method
        ``"electrostatics"`` or ``"random"``.
    energy
        Ewald energy of the formal charges, eV per cell.
    agreeing
        Runs of the Monte Carlo that ended at the same energy, of how many; not a proof.
    """

    structure: Structure
    method: str
    energy: float
    agreeing: tuple[int, int]


def arrange(
    structure: Structure,
    sites: Sequence[int],
    elements: Mapping[str, int],
    states: Mapping[str, float] | None = None,
    *,
    method: str = "electrostatics",
    seeds: Sequence[int] = tuple(range(8)),
    steps: int = 40_000,
) -> Arrangement:
    """Put elements on some sites, by swap Monte Carlo on their formal charges or at random.

    Parameters
    ----------
    structure
        The cell; what stands on `sites` is replaced.
    sites
        Indices of the n sites.
    elements
        Number of sites of each element; they sum to n.
    states
        Formal charge per element of the finished cell, neutral; None for those of Li3NiCoMnO6.
    method
        ``"electrostatics"`` (lowest Ewald energy found) or ``"random"`` (the first seed's).
    seeds
        Runs of the Monte Carlo, or the seed of the random arrangement.
    steps
        Trial swaps per run.

    Returns
    -------
    Arrangement
        The order of sites is that of `structure`. Elements of equal charge are told apart by
        chance only, with the first seed.

    Raises
    ------
    ValueError
        For numbers that do not sum to n, a cell that is not neutral, and unknown methods.
    """
    charges = dict(FORMAL_STATES if states is None else states)
    names = list(elements)
    numbers = np.repeat(np.arange(len(names)), [elements[name] for name in names])
    if len(numbers) != len(sites) or len(sites) == 0:
        raise ValueError(
            f"{dict(elements)} are {len(numbers)} atoms for {len(sites)} sites: give as many."
        )
    if method not in ("electrostatics", "random") or not seeds:
        raise ValueError(
            f"Unknown method {method!r}: use 'electrostatics' or 'random', and at least one seed."
        )
    rng = np.random.default_rng(seeds[0])
    chosen = [names[k] for k in rng.permutation(numbers)]
    mixed = _replaced(structure, sites, chosen)
    q = _charges(mixed, charges)
    model = ChargeModel.of(ewald_matrix(mixed), q, sites)
    own = q[np.asarray(sites)]
    if method == "random":
        return Arrangement(mixed, method, model.energy(own), (1, 1))
    ends = [
        min(anneal(model, own, seeds=[s], steps=steps, kicks=_KICKS).items(), key=_by_energy)
        for s in seeds
    ]
    best, energy = min(ends, key=_by_energy)
    agreeing = sum(abs(other - energy) < 1e-6 for _, other in ends)
    chosen = _with_charges(np.frombuffer(best), chosen, charges)
    return Arrangement(_replaced(structure, sites, chosen), method, energy, (agreeing, len(seeds)))


def decorated_ncm(supercell: tuple[int, int, int] = (3, 1, 1), seed: int = 0) -> Structure:
    """Build Li3NiCoMnO6 of R-3m whose Ni, Co and Mn are arranged by electrostatics.

    Parameters
    ----------
    supercell
        Hexagonal cells (12 atoms each) along a, b, c.
    seed
        First of the eight seeds of the Monte Carlo.

    Returns
    -------
    Structure
        With ``properties["axes"]`` (hexagonal axes of one cell) and ``["provenance"]``.

    Raises
    ------
    ValueError
        For a supercell that is not three positive whole numbers.
    """
    if len(supercell) != 3 or any(n < 1 or n != int(n) for n in supercell):
        raise ValueError(f"The supercell {supercell} must be three positive whole numbers.")
    unit = layered_host("Co")
    cell = unit.make_supercell(np.diag(supercell), in_place=False)
    metals = [i for i, site in enumerate(cell) if site.specie.symbol == "Co"]
    share = dict.fromkeys(("Ni", "Co", "Mn"), len(metals) // 3)
    placed = arrange(cell, metals, share, seeds=tuple(range(seed, seed + 8)))
    result = sorted_by_element(placed.structure)
    agreeing, runs = placed.agreeing
    order = f"electrostatics of Ni2+, Co3+, Mn4+, {agreeing} of {runs} runs agree"
    result.properties = {
        "axes": np.diag(1 / np.array(supercell)).tolist(),
        "provenance": unit.properties["provenance"] | {"order": order},
    }
    return result


def _by_energy(item: tuple[bytes, float]) -> tuple[float, bytes]:
    return round(item[1], 6), item[0]


def _with_charges(
    wanted: np.ndarray, names: Sequence[str], charges: Mapping[str, float]
) -> list[str]:
    """Deal the names out so that each site gets one of its charge."""
    stock = list(names)
    dealt = []
    for charge in wanted:
        i = next(k for k, name in enumerate(stock) if abs(charges[name] - charge) < 1e-9)
        dealt.append(stock.pop(i))
    return dealt


def _replaced(structure: Structure, sites: Sequence[int], names: Sequence[str]) -> Structure:
    result: Structure = structure.copy()
    for i, name in zip(sites, names, strict=True):
        site = result[int(i)]
        result.replace(int(i), name, properties=site.properties)
    return result


def _charges(structure: Structure, charges: Mapping[str, float]) -> np.ndarray:
    symbols = [site.specie.symbol for site in structure]
    missing = sorted(set(symbols) - set(charges))
    if missing:
        raise ValueError(f"Formal charges are missing for {', '.join(missing)}.")
    q = np.array([float(charges[symbol]) for symbol in symbols])
    if abs(q.sum()) > 1e-4:
        raise ValueError(f"The cell has charge {q.sum():+.4g}: give states that sum to zero.")
    return q


def sorted_by_element(structure: Structure) -> Structure:
    """Return the structure with its sites in the order Li, Ni, Co, Mn, O, then all others."""
    symbols = [site.specie.symbol for site in structure]
    rank = {symbol: i for i, symbol in enumerate((*_SITE_ORDER, *sorted(set(symbols))))}
    order = sorted(range(len(symbols)), key=lambda i: rank.get(symbols[i], 0))
    return Structure.from_sites(
        [structure[i] for i in order], properties=structure.properties, to_unit_cell=False
    )
