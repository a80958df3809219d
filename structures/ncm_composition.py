"""Layered cells of a composition: Li-rich oxides with whole numbers of atoms, ordered or not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pymatgen.core import Composition, Structure

from vacancy_flows.structures.ncm import A_HEX, C_HEX, Z_OXYGEN, layered_host
from vacancy_flows.structures.ncm_decoration import arrange, sorted_by_element
from vacancy_flows.structures.oxidation import oxidation_states

_MAX_FORMULAS = 400  # largest cell looked at for a suggestion


@dataclass(frozen=True)
class LayerCounts:
    """Whole numbers of atoms on the TM sites of a layered cell.

    Attributes
    ----------
    counts
        Atoms per element; Li are those in the TM layer.
    deviation
        Per element: atoms per O2 in the cell less those of the formula.
    """

    counts: Mapping[str, int]
    deviation: Mapping[str, float]

    @property
    def worst(self) -> float:
        """Largest deviation, atoms per O2."""
        return max(abs(value) for value in self.deviation.values())


def layer_counts(composition: str, n_formulas: int) -> LayerCounts:
    """Round a composition Li(1+x)TM(1-x)O2 to whole atoms by largest remainders.

    Parameters
    ----------
    composition
        Formula with as many cations as O, for example ``"Li1.2Ni0.13Mn0.54Co0.13O2"``; the sum
        may be off by 2 %, as rounded formulas are, and is then scaled.
    n_formulas
        Number of O2 in the cell.

    Returns
    -------
    LayerCounts

    Raises
    ------
    ValueError
        For formulas without Li or O, with less Li than O/2, and where cations and O differ.
    """
    try:
        amounts = {str(el): float(n) for el, n in Composition(composition).items()}
    except ValueError as error:
        raise ValueError(f"The composition {composition!r} is no formula: {error}.") from None
    oxygen = amounts.pop("O", 0.0)
    cations = sum(amounts.values())
    if not oxygen or not amounts.get("Li") or abs(cations / oxygen - 1) > 0.02:
        raise ValueError(
            f"{composition} is no layered oxide Li(1+x)TM(1-x)O2: it has {cations:g} cations for "
            f"{oxygen:g} O; they must be equal within 2 %, and Li be among them."
        )
    per_o2 = {symbol: 2 * n / cations for symbol, n in amounts.items()}
    excess = per_o2 | {"Li": per_o2["Li"] - 1.0}
    if excess["Li"] < -0.02 or len(excess) < 2:
        raise ValueError(
            f"{composition} has less Li than fills its layer, or no metal: build the lithiated "
            "cell and delithiate it."
        )
    shares = {symbol: max(0.0, n) * n_formulas for symbol, n in excess.items()}
    counts = {symbol: math.floor(share + 1e-9) for symbol, share in shares.items()}
    left = n_formulas - sum(counts.values())
    for symbol in sorted(shares, key=lambda s: (counts[s] - shares[s], s))[:left]:
        counts[symbol] += 1
    deviation = {s: counts[s] / n_formulas - excess[s] for s in sorted(excess)}
    return LayerCounts({s: n for s, n in counts.items() if n}, deviation)


def li_rich_cell(
    composition: str = "Li1.2Ni0.13Mn0.54Co0.13O2",
    supercell: tuple[int, int, int] = (5, 2, 1),
    *,
    order: Literal["ordered", "disordered"] = "ordered",
    seed: int = 0,
    tolerance: float = 0.02,
    a: float = A_HEX,
    c: float = C_HEX,
    z: float = Z_OXYGEN,
) -> Structure:
    """Build a layered cell of a composition from hexagonal cells of R-3m.

    Parameters
    ----------
    composition
        As for `layer_counts`.
    supercell
        Hexagonal cells (three O2 each) along a, b, c.
    order
        ``"ordered"``: the TM sites arranged by electrostatics (swap Monte Carlo from `seed` on);
        ``"disordered"``: at random.
    seed
        Of the random numbers.
    tolerance
        Largest deviation of an element, atoms per O2.
    a, c, z
        As for `layered_host`.

    Returns
    -------
    Structure
        ``properties["composition"]`` tells what was asked for, what was built, and the deviation
        of each element; ``properties["provenance"]`` where the numbers come from.

    Raises
    ------
    ValueError
        Where the cell cannot have the composition in whole atoms; the message names the number
        of formula units that can. Also for unknown orders and bad supercells.
    """
    if order not in ("ordered", "disordered"):
        raise ValueError(f"Unknown order {order!r}: use 'ordered' or 'disordered'.")
    if any(n < 1 or n != int(n) for n in supercell) or len(supercell) != 3:
        raise ValueError(f"The supercell {supercell} must be three positive whole numbers.")
    n_formulas = 3 * math.prod(supercell)
    found = layer_counts(composition, n_formulas)
    if found.worst > tolerance:
        raise ValueError(_not_whole(composition, n_formulas, found, tolerance))
    unit = layered_host("Mn", a, c, z)
    cell = unit.make_supercell(np.diag(supercell), in_place=False)
    metals = [i for i, site in enumerate(cell) if site.specie.symbol == "Mn"]
    amounts = {"Li": n_formulas + found.counts.get("Li", 0), "O": 2 * n_formulas}
    amounts |= {symbol: n for symbol, n in found.counts.items() if symbol != "Li"}
    states = oxidation_states(_of_amounts(cell, metals, found.counts))
    placed = arrange(
        cell,
        metals,
        found.counts,
        states,
        method="electrostatics" if order == "ordered" else "random",
        seeds=tuple(range(seed, seed + 4)),
    )
    result = sorted_by_element(placed.structure)
    result.properties = {
        "axes": (np.diag(1 / np.array(supercell)) @ np.eye(3)).tolist(),
        "provenance": unit.properties["provenance"]
        | {"order": f"{order}, {placed.method}, seed {seed}"},
        "composition": {
            "asked": composition,
            "atoms": amounts,
            "deviation_per_O2": {s: round(v, 6) for s, v in found.deviation.items()},
        },
    }
    return result


def _of_amounts(cell: Structure, metals: list[int], counts: Mapping[str, int]) -> Structure:
    """Any cell of the composition, for its oxidation states."""
    names = [symbol for symbol, n in counts.items() for _ in range(n)]
    result: Structure = cell.copy()
    for i, name in zip(metals, names, strict=True):
        result.replace(i, name)
    result.properties = {}
    return result


def _not_whole(composition: str, n_formulas: int, found: LayerCounts, tolerance: float) -> str:
    fitting = [
        n for n in range(1, _MAX_FORMULAS) if layer_counts(composition, n).worst <= tolerance
    ]
    near = sorted(fitting, key=lambda n: (abs(n - n_formulas), n))[:3]
    deviations = ", ".join(f"{s} {v:+.3f}" for s, v in found.deviation.items())
    return (
        f"{composition} cannot be whole in {n_formulas} formula units within {tolerance:g} atoms "
        f"per O2 (deviations: {deviations}). Formula units that can: "
        f"{', '.join(map(str, near)) or 'none below 400'}; or raise the tolerance."
    )
