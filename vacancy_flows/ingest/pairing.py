"""Which run is the pristine cell of which vacancy: by cell, composition, atoms and settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from vacancy_flows.consistency import Mismatch, mismatches, same_scale
from vacancy_flows.ingest.cells import Match, match_less_one, removed_element, same_lattice
from vacancy_flows.ingest.entries import Entry
from vacancy_flows.ingest.references import is_molecule

_NO_PARTNER = ("reference", "host", "candidate")  # kinds of a sidecar


class Candidate(NamedTuple):
    """A cell of which another one is less one atom."""

    pristine: Entry
    match: Match


@dataclass(frozen=True)
class Pair:
    """A vacancy, its pristine cell, and what the user lets pass.

    Attributes
    ----------
    vacancy, pristine
        Runs.
    match
        Which site is empty.
    flags
        Settings that differ.
    """

    vacancy: Entry
    pristine: Entry
    match: Match
    flags: tuple[Mismatch, ...] = ()


@dataclass
class Pairing:
    """What was decided.

    Attributes
    ----------
    pairs
        By the vacancy's uid.
    refused
        Vacancies that were not paired, by uid, and why.
    partners
        uids of the pristine cells of all vacancies, those of earlier calls included.
    fitting
        uids of cells that some run is less one atom.
    """

    pairs: dict[str, Pair] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    partners: set[str] = field(default_factory=set)
    fitting: set[str] = field(default_factory=set)


def pair_up(pool: Mapping[str, Entry], named: Collection[str], *, allow: bool = False) -> Pairing:
    """Find the pristine cell of every vacancy.

    A cell that is itself another one less an atom is a pristine cell only where the user names
    it, an earlier ingest took it for one, or a sidecar says so.

    Parameters
    ----------
    pool
        Runs by uid.
    named
        uids of pristine cells that the user named.
    allow
        Whether settings that differ are flagged instead of refused.
    """
    kept = {uid: partner for uid, entry in pool.items() if (partner := _earlier(entry, pool))}
    by_sidecar = {
        uid for uid, e in pool.items() if e.sidecar and e.sidecar.calculation["kind"] == "pristine"
    }
    certain = {*named, *kept.values(), *by_sidecar} - {u for u in kept if u not in named}
    sizes: dict[int, list[Entry]] = {}
    for entry in pool.values():
        sizes.setdefault(len(entry.run.structure), []).append(entry)
    possible = {
        u: _candidates(e, sizes.get(len(e.run.structure) + 1, ()))
        for u, e in pool.items()
        if u not in certain
    }
    roots = certain | {u for u, found in possible.items() if not found}
    pairing = Pairing(fitting={c.pristine.uid for found in possible.values() for c in found})
    for uid, found in possible.items():
        chosen = [c for c in found if c.pristine.uid in named]
        if uid in kept and not chosen and not pool[uid].here:
            pairing.partners.add(kept[uid])  # settled by an earlier ingest
            continue
        if not found:
            continue
        if not chosen and uid in kept:
            chosen = [c for c in found if c.pristine.uid == kept[uid]]
        chosen = chosen or [c for c in found if c.pristine.uid in roots]
        decided = _choose(pool[uid], chosen or found, nested=not chosen, allow=allow)
        if isinstance(decided, Pair):
            pairing.pairs[uid] = decided
            pairing.partners.add(decided.pristine.uid)
        else:
            pairing.refused[uid] = decided
            pairing.partners.update({kept[uid]} if uid in kept else ())
    return pairing


def _earlier(entry: Entry, pool: Mapping[str, Entry]) -> str | None:
    """Return the pristine cell that an earlier ingest, or a sidecar, gave to a vacancy."""
    for uid in (
        entry.sidecar and entry.sidecar.calculation.get("pristine_uid"),
        entry.record and entry.record.calculation.pristine_uid,
    ):
        if uid in pool:
            return str(uid)
    return None


def _candidates(entry: Entry, larger: Iterable[Entry]) -> list[Candidate]:
    """Return those of some cells with one atom more that an entry is less that atom."""
    if _has_no_partner(entry):
        return []
    found = ((other, _match(other, entry)) for other in larger if not _has_no_partner(other))
    return [Candidate(other, match) for other, match in found if match is not None]


def _has_no_partner(entry: Entry) -> bool:
    known = entry.sidecar and entry.sidecar.calculation["kind"] in _NO_PARTNER
    return bool(known) or is_molecule(entry.run.structure)


def _match(pristine: Entry, vacancy: Entry) -> Match | None:
    """Compare geometries, the relaxed pristine cell with the start of the vacancy first."""
    if removed_element(pristine.run.structure, vacancy.run.structure) is None:
        return None
    for larger in (pristine.run.structure, pristine.run.initial_structure):
        for smaller in (vacancy.run.initial_structure, vacancy.run.structure):
            if same_lattice(larger.lattice, smaller.lattice):
                match = match_less_one(larger, smaller)
                if match is not None:
                    return match
    return None


def _choose(entry: Entry, found: list[Candidate], *, nested: bool, allow: bool) -> Pair | str:
    """Return the pair of a vacancy, or why there is none."""
    remedy = "name one with --pristine DIR"
    listed = "; ".join(c.pristine.described for c in found)
    if nested:
        return f"its pristine cells lack an atom of other runs themselves: {listed}: {remedy}"
    wrong = {
        c.pristine.uid: mismatches(entry.run.settings, c.pristine.run.settings, "pair")
        for c in found
    }
    fit = [c for c in found if not wrong[c.pristine.uid]]
    alike = [c for c in fit if c.pristine.run.settings.run == entry.run.settings.run]
    fit = alike if len(alike) == 1 else fit  # a relaxation to a relaxation, a static to a static
    if len(fit) == 1:
        return Pair(entry, *fit[0])
    if fit:
        several = "; ".join(c.pristine.described for c in fit)
        return f"several pristine cells are possible: {several}: {remedy}"
    return _flagged_or_refused(entry, found, wrong, allow=allow)


def _flagged_or_refused(
    entry: Entry, found: list[Candidate], wrong: Mapping[str, list[Mismatch]], *, allow: bool
) -> Pair | str:
    """Return what becomes of a vacancy that no pristine cell shares its settings with."""
    if allow and len(found) > 1:
        listed = "; ".join(c.pristine.described for c in found)
        return (
            f"several pristine cells are possible, none with its settings: {listed}: "
            "name one with --pristine DIR"
        )
    pristine = found[0].pristine
    one_scale = same_scale(entry.run.settings, pristine.run.settings, "pair")
    if allow and one_scale:
        return Pair(entry, *found[0], tuple(wrong[pristine.uid]))
    told = "; ".join(
        f"{c.pristine.name} differs in {', '.join(map(str, wrong[c.pristine.uid]))}" for c in found
    )
    if allow:
        return f"{told} (energies of two functionals cannot be paired, flagged or not)"
    return f"{told} (--allow-mismatch stores it flagged)"
