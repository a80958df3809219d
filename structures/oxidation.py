"""Oxidation states, one (possibly fractional) per element."""

from collections.abc import Mapping

from pymatgen.core import Composition, Element, Structure

# States that are all but certain in an oxide or halide; P, S and the like only as cations
# beside oxygen are left to pymatgen's guess.
_FIXED = {
    **dict.fromkeys(("H", "Li", "Na", "K", "Rb", "Cs", "Ag"), 1.0),
    **dict.fromkeys(("Be", "Mg", "Ca", "Sr", "Ba", "Zn", "Cd"), 2.0),
    **dict.fromkeys(("B", "Al", "Ga", "In", "Sc", "Y", "La"), 3.0),
    **dict.fromkeys(("Si", "Ge", "Zr", "Hf"), 4.0),
    **dict.fromkeys(("Nb", "Ta"), 5.0),
    "O": -2.0,
    "F": -1.0,
}
_LOWEST = {"Ti": 3.0, "V": 3.0, "Cr": 3.0, "Mn": 2.0, "Fe": 2.0, "Co": 2.0, "Ni": 2.0}
# Couples from the one that oxidises first. The order is that of the couples' energies in
# layered oxides (Manthiram, Nat. Commun. 11, 1550 (2020), and the charge states found in
# LiNi0.5Mn0.5O2 and LiNi1/3Co1/3Mn1/3O2: Ni2+, Co3+, Mn4+).
_COUPLES = (
    *(("Ti", 4), ("V", 4), ("Mn", 3), ("V", 5), ("Fe", 3), ("Co", 3)),
    *(("Mn", 4), ("Ni", 3), ("Ni", 4), ("Fe", 4), ("Cr", 4), ("Co", 4)),
)
_GUESS_LIMIT = 60  # atoms; pymatgen's guess takes minutes for large formulas


def oxidation_states(structure: Structure) -> dict[str, float]:
    """Oxidation state of each element, averaged over its sites.

    In this order: the states on the sites, or those of the file that `prepare_host` kept, where
    they leave the cell neutral; fixed states (Li +1, O -2, ...) with the 3d metals oxidised one
    couple after the other in the order that layered oxides show, until the cell is neutral
    (Ni2+ Co3+ Mn4+ in Li3NiCoMnO6), holes left after the last couple going to O (Mn4+ in
    Li1.5MnO3, as calculations show); neutrality, for a single other element; pymatgen's guess
    from the frequencies of states in the ICSD, for formulas of up to 60 atoms.

    Parameters
    ----------
    structure
        Ordered structure, decorated or not.

    Returns
    -------
    dict of str to float
        Element symbol to state; not whole where an element is mixed-valent. Their sum over the
        cell is zero.

    Raises
    ------
    ValueError
        Where no rule gives a neutral cell.
    """
    states = file_states(structure)
    if states is not None:
        return states
    composition = structure.composition.element_composition
    amounts = {str(element): float(n) for element, n in composition.items()}
    for rule in (_by_couples, _by_neutrality, _by_guess):
        states = rule(amounts)
        if states is not None and abs(_charge(states, amounts)) < 1e-6:
            return states
    raise ValueError(
        f"The oxidation states of {composition.reduced_formula} cannot be told. "
        "Give a structure with oxidation states, or moments per species."
    )


def file_states(structure: Structure) -> dict[str, float] | None:
    """Average states per element that a structure brings, where they leave it neutral.

    Parameters
    ----------
    structure
        With species that have oxidation states, or ``properties["oxidation_states"]``.

    Returns
    -------
    dict of str to float, or None
    """
    counts = {str(el): float(n) for el, n in structure.composition.element_composition.items()}
    sums = dict.fromkeys(counts, 0.0)
    for species, amount in structure.composition.items():
        state = getattr(species, "oxi_state", None)
        if state is None:
            kept: Mapping[str, float] = structure.properties.get("oxidation_states") or {}
            states = {symbol: float(kept[symbol]) for symbol in counts if symbol in kept}
            break
        sums[species.symbol] += float(state) * amount
    else:
        states = {symbol: total / counts[symbol] for symbol, total in sums.items()}
    is_known = len(states) == len(counts) and any(states.values())
    return states if is_known and abs(_charge(states, counts)) < 1e-6 else None


def _charge(states: Mapping[str, float], amounts: Mapping[str, float]) -> float:
    return sum(states[symbol] * amount for symbol, amount in amounts.items())


def _by_couples(amounts: Mapping[str, float]) -> dict[str, float] | None:
    """Start from fixed states and oxidise 3d metals couple by couple until the cell is neutral."""
    known = _FIXED | _LOWEST
    if any(symbol not in known for symbol in amounts) or "O" not in amounts:
        return None
    states = {symbol: known[symbol] for symbol in amounts}
    missing = -_charge(states, amounts)
    for symbol, upper in _COUPLES:
        if symbol in amounts and missing > 0:
            step = min(upper - states[symbol], missing / amounts[symbol])
            states[symbol] += step
            missing -= step * amounts[symbol]
    if missing > 0:  # holes on oxygen, up to peroxide
        states["O"] = min(-1.0, states["O"] + missing / amounts["O"])
    return states


def _by_neutrality(amounts: Mapping[str, float]) -> dict[str, float] | None:
    """Leave to neutrality the only element whose state is not fixed."""
    unknown = [symbol for symbol in amounts if symbol not in _FIXED]
    if len(unknown) != 1 or len(amounts) == 1:
        return None
    states = {symbol: _FIXED.get(symbol, 0.0) for symbol in amounts}
    average = -_charge(states, amounts) / amounts[unknown[0]]
    known = Element(unknown[0]).oxidation_states
    if not known or not min(known) <= average <= max(known):
        return None
    return states | {unknown[0]: average}


def _by_guess(amounts: Mapping[str, float]) -> dict[str, float] | None:
    """First guess of pymatgen for the reduced formula."""
    reduced = Composition(amounts).reduced_composition
    if reduced.num_atoms > _GUESS_LIMIT:
        return None
    guesses = reduced.oxi_state_guesses()
    return {str(k): float(v) for k, v in guesses[0].items()} if guesses else None
