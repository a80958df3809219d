"""Search for terminations and translations, each boundary on its own."""

import itertools
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pymatgen.core import Element, Structure

from vacancy_flows.structures.boundaries.bicrystal import Placement, Shift, relaxed_apart
from vacancy_flows.structures.boundaries.frame import extended_gcd, primitive_bulk, view
from vacancy_flows.structures.boundaries.grains import Slab, cut_grain
from vacancy_flows.structures.boundaries.match import Match
from vacancy_flows.structures.boundaries.minima import minima
from vacancy_flows.structures.boundaries.overlap import Contact, anion_class, spheres
from vacancy_flows.structures.electrostatics import ewald_matrix
from vacancy_flows.structures.oxidation import oxidation_states

_GAPS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # Å
_GAP_PRICE = 0.02  # Å² of overlap per Å² of boundary that 1 Å of gap must take away
_ALIKE = 0.05  # Å; cells whose short distances differ by less are the same
_SHORT = 2.9  # Å
_RANKED = 12


@dataclass(frozen=True)
class Meeting:
    """One way in which two grains meet at one boundary: translation, gap, overlap (Å²)."""

    translation: Shift
    gap: float
    overlap: float


def search_placements(
    bulk: Structure,
    match: Match,
    *,
    vacuum: float | None = None,
    orthogonal: bool = False,
) -> list[Placement]:
    """Rank terminations and translations by soft-sphere overlap.

    Each boundary has its own translation, found on a grid of 0.4 Å over all that differ and then
    refined to 0.01 Å; gaps of 0 to 0.5 Å, where they take away more overlap than they cost.

    Parameters
    ----------
    bulk
        The crystal of both grains.
    match
        From `find_matches`.
    vacuum
        Å instead of boundary 2.
    orthogonal
        Whether c shall be normal to the boundary: boundary 2 then has no translation of its own.

    Returns
    -------
    list of Placement
        The least overlap first. The order of overlaps is not that of energies: relax several.

    Raises
    ------
    ValueError
        For an orthogonal cell of a match whose plane cell is not rectangular.
    """
    if orthogonal and abs(match.offset) > 1e-3:
        raise ValueError(
            f"The repeat of {match} is {match.offset:.3f} Å off the perpendicular of the zone "
            "axis: no orthogonal cell; take a match without offset or a multiple of the width."
        )
    asked = match.orientation
    seen = view(primitive_bulk(bulk), asked.axis, asked.up, asked.up_plane)
    # One repeat of the axis has all that differs.
    single = replace(match, repeats=1, depth=seen.period)
    strain = max(abs(match.width / side.width - 1) for side in (match.top, match.bottom))
    soft = spheres(bulk, strain + abs(match.shear)).soft
    counts = [len(cut_grain(seen, single, s).terminations) for s in (match.top, match.bottom)]
    found: list[Placement] = []
    for top_cut, bottom_cut in itertools.product(*map(range, counts)):
        top = cut_grain(seen, single, match.top, top_cut)
        bottom = cut_grain(seen, single, match.bottom, bottom_cut)
        pairs = _meeting_pairs(single, top, bottom, soft, vacuum=vacuum, orthogonal=orthogonal)
        found += [
            Placement(
                terminations=(top_cut, bottom_cut),
                translations=(first.translation, second.translation),
                gaps=(first.gap, second.gap),
                vacuum=vacuum,
                overlap=first.overlap + second.overlap,
            )
            for first, second in pairs
        ]
    return sorted(found, key=lambda p: round(p.overlap + _gap_price(sum(p.gaps), single), 6))


def bicrystals(
    bulk: Structure,
    match: Match,
    keep: int = 4,
    *,
    rank: Literal["overlap", "electrostatics"] = "overlap",
    vacuum: float | None = None,
    orthogonal: bool = False,
) -> list[Structure]:
    """Build the best few cells of a match, searched and pushed apart.

    Parameters
    ----------
    bulk, match, vacuum, orthogonal
        As for `search_placements`.
    keep
        Cells wanted; those that are the same but for an inversion are kept once.
    rank
        ``"overlap"``, or ``"electrostatics"``: the twelve cells of least overlap by their Ewald
        energy with formal charges, equal for all transition metals. That order is nearer to
        CHGNet's for the tilt of LiCoO2 (a dozen candidates, relaxed to 0.1 eV/Å): 1.03 J/m²
        for the lowest by electrostatics, 1.22 for the lowest by overlap.

    Returns
    -------
    list of Structure
        Candidates to relax, the best first; see `bicrystal` for what they bear.

    Raises
    ------
    ValueError
        For `keep` below 1, an unknown rank, and as `search_placements` and `relaxed_apart`.
    """
    if keep < 1 or rank not in ("overlap", "electrostatics"):
        raise ValueError(
            f"keep = {keep} must be at least 1, and rank = {rank!r} 'overlap' or 'electrostatics'."
        )
    wanted = keep if rank == "overlap" else max(keep, _RANKED)
    # Short cells have all that differs, and are ranked faster.
    short = replace(match, repeats=1, depth=match.depth / match.repeats)
    found: list[tuple[Placement, Structure]] = []
    for placement in search_placements(bulk, match, vacuum=vacuum, orthogonal=orthogonal):
        cell = relaxed_apart(bulk, short, placement)
        if not any(_alike(cell, other) for _, other in found):
            found.append((placement, cell))
        if len(found) == wanted:
            break
    if rank == "electrostatics":
        energies = [ewald_energy(cell) for _, cell in found]
        found = [found[i] for i in np.argsort(np.round(energies, 4), kind="stable")]
    return [relaxed_apart(bulk, match, placement) for placement, _ in found[:keep]]


def ewald_energy(structure: Structure) -> float:
    """Ewald energy of formal charges, the same for all transition metals, eV per cell."""
    states = oxidation_states(structure)
    symbols = [site.specie.symbol for site in structure]
    metals = [s for s in symbols if Element(s).is_transition_metal]
    mean = float(np.mean([states[s] for s in metals])) if metals else 0.0
    q = np.array([mean if Element(s).is_transition_metal else states[s] for s in symbols])
    return float(q @ ewald_matrix(structure) @ q)


def _alike(one: Structure, other: Structure) -> bool:
    """Whether two cells have the same short distances, elements not looked at."""
    a, b = (np.sort(cell.get_neighbor_list(_SHORT)[3]) for cell in (one, other))
    return len(a) == len(b) and bool(np.abs(a - b).max(initial=0.0) < _ALIKE)


def _meeting_pairs(
    match: Match,
    top: Slab,
    bottom: Slab,
    soft: np.ndarray,
    *,
    vacuum: float | None,
    orthogonal: bool,
) -> list[tuple[Meeting, Meeting]]:
    """Combine the best meetings at both boundaries for one pair of terminations."""
    cell = np.array([[match.depth, 0.0], [match.offset, match.width]])
    reach = float(soft.max())
    one = Contact.between(cell, _upper_end(bottom, reach), _lower_end(top, reach), soft)
    two = Contact.between(cell, _upper_end(top, reach), _lower_end(bottom, reach), soft)
    periods = _periods(match, top, bottom)
    step = bottom.step + top.step

    def first(shifts: np.ndarray) -> np.ndarray:
        return _prices(one, shifts, match)

    def second(shifts: np.ndarray) -> np.ndarray:
        return _prices(two, shifts, match)

    def both(shifts: np.ndarray) -> np.ndarray:
        total: np.ndarray = first(shifts) + second(-shifts - step)
        return total

    if orthogonal and vacuum is None:
        shifts = minima(both, periods)
        return [(_meeting(one, s, match), _meeting(two, -s - step, match)) for s in shifts]
    firsts = [_meeting(one, s, match) for s in minima(first, periods)]
    if vacuum is not None:
        return [(meeting, Meeting((0.0, 0.0), 0.0, 0.0)) for meeting in firsts]
    seconds = [_meeting(two, s, match) for s in minima(second, periods)]
    return list(itertools.product(firsts, seconds))


def _meeting(contact: Contact, shift: np.ndarray, match: Match) -> Meeting:
    """Describe the meeting at a translation, with its best gap."""
    overlaps = [float(contact.overlap(shift[None], gap)[0]) for gap in _GAPS]
    prices = [v + _gap_price(g, match) for v, g in zip(overlaps, _GAPS, strict=True)]
    i = int(np.argmin(np.round(prices, 9)))
    at = (round(float(shift[0]), 6), round(float(shift[1]), 6))
    return Meeting(at, _GAPS[i], overlaps[i])


def _prices(contact: Contact, shifts: np.ndarray, match: Match) -> np.ndarray:
    """Overlap and price of the gap (T,), Å², at the best of three gaps."""
    gaps = (_GAPS[0], _GAPS[2], _GAPS[-1])
    prices: np.ndarray = np.min(
        [contact.overlap(shifts, gap) + _gap_price(gap, match) for gap in gaps], axis=0
    )
    return prices


def _gap_price(gap: float, match: Match) -> float:
    """Å² that a gap costs; `match` has one axis repeat."""
    return _GAP_PRICE * gap * match.depth * match.width


def _periods(match: Match, top: Slab, bottom: Slab) -> np.ndarray:
    """Find the translations (2, 2) that change nothing: the lattices of both grains together."""
    _, i, j = extended_gcd(match.bottom.repeats, match.top.repeats)
    across = i * top.repeat + j * bottom.repeat
    across = across - np.array([round(float(across[0]) / match.depth) * match.depth, 0.0])
    return np.array([[match.depth, 0.0], across])


def _upper_end(slab: Slab, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions and classes of the atoms near a slab's upper end, which is at z = 0."""
    return _near(slab, slab.positions - np.append(slab.step, slab.height), reach)


def _lower_end(slab: Slab, reach: float) -> tuple[np.ndarray, np.ndarray]:
    return _near(slab, slab.positions, reach)


def _near(slab: Slab, positions: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    near = np.abs(positions[:, 2]) < reach
    return positions[near], anion_class(slab.species)[near]
