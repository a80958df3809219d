"""Runs of O2, Li and Li2O among others, and which of them fit a vacancy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pymatgen.core import Structure

from vacancy_flows.consistency import (
    Mismatch,
    RunSettings,
    mismatches,
    same_scale,
    settings_of,
)
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines.base import REFERENCE_KINDS
from vacancy_flows.engines.vasp.reading import FinishedRun

_BOND = 1.5  # Å; O2 has 1.21, PBE 1.23
_ROOM = 4.0  # Å between molecules of neighbouring cells
_LI_VOLUME = 40.0  # Å³ per atom; bcc Li has 20, an atom in a box more than 100


class Reference(NamedTuple):
    """A reference that a vacancy may take.

    Attributes
    ----------
    uid, kind, name
        Of its row; kind is O2, Li or Li2O.
    settings
        Of the run.
    here
        Whether this call named it.
    """

    uid: str
    kind: str
    name: str
    settings: RunSettings
    here: bool


@dataclass
class Choice:
    """The references of one vacancy.

    Attributes
    ----------
    uids
        By kind.
    flags
        Settings that differ, by kind, where the user lets them pass.
    problems
        References that were refused, and why.
    """

    uids: dict[str, str] = field(default_factory=dict)
    flags: dict[str, tuple[Mismatch, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def is_molecule(structure: Structure) -> bool:
    """Tell whether a cell is one O2 molecule in a box."""
    if len(structure) != 2 or set(structure.composition.get_el_amt_dict()) != {"O"}:
        return False
    free = min(structure.lattice.abc) - _BOND  # a lower bound for any direction of the bond
    return bool(structure.get_distance(0, 1) < _BOND and free > _ROOM)


def reference_kind(run: FinishedRun) -> tuple[str, int] | None:
    """Return which reference a run is and how many units it holds, None for other runs.

    O2 is one molecule in a box, Li a metal; Li2O is any cell of that composition.

    Raises
    ------
    ValueError
        For O2 without spin, whose energy is not that of the triplet.
    """
    structure = run.structure
    elements = structure.composition.get_el_amt_dict()
    if is_molecule(structure):
        if run.settings.ispin != 2:
            raise ValueError("O2 without spin (ISPIN = 1) is no reference: it is a triplet")
        return "O2", 1
    if set(elements) == {"Li"} and structure.volume / len(structure) < _LI_VOLUME:
        return "Li", len(structure)
    if set(elements) == {"Li", "O"} and elements["Li"] == 2 * elements["O"]:
        return "Li2O", round(elements["O"])
    return None


def stored_references(database: ResultsDatabase, known: set[str]) -> list[Reference]:
    """Return references that a campaign with the engine vasp calculated.

    Parameters
    ----------
    database
        To look into.
    known
        uids that are left out.
    """
    if not database.exists:
        return []
    table = database.table()
    rows = table[(table["kind"] == "reference") & ~table["uid"].isin(known)]
    found = []
    for uid in rows.loc[rows["engine"] == "vasp", "uid"]:
        record = database.get(uid)
        settings = settings_of(record) if record else None
        if record is not None and settings is not None:
            kind = str(record.calculation.reference_kind)
            found.append(Reference(uid, kind, f"{kind} {uid}", settings, here=False))
    return found


def choose_references(
    settings: RunSettings,
    references: Sequence[Reference],
    kept: dict[str, str],
    *,
    here: bool = True,
    allow: bool = False,
) -> Choice:
    """Choose the references of a vacancy: for each kind the only one that fits.

    Parameters
    ----------
    settings
        Of the vacancy.
    references
        To choose from; one that this call named goes before those of earlier calls.
    kept
        Chosen earlier, by kind.
    here
        Whether this call named the vacancy; of others only new references are told.
    allow
        Whether settings that differ are flagged instead of refused.
    """
    choice = Choice(uids=dict(kept))
    wrong = {r.uid: tuple(mismatches(settings, r.settings, "reference")) for r in references}
    for kind in REFERENCE_KINDS:
        if kind in kept:
            choice.flags |= {kind: flags} if (flags := wrong.get(kept[kind])) else {}
            continue
        of_kind = [r for r in references if r.kind == kind]
        fit = [r for r in of_kind if not wrong[r.uid]]
        fit = [r for r in fit if r.here] or fit
        if len(fit) == 1:
            choice.uids[kind] = fit[0].uid
        elif fit:
            listed = ", ".join(r.name for r in fit)
            if here or any(r.here for r in fit):
                choice.problems.append(
                    f"several {kind} references fit: {listed}: ingest again with one of them alone"
                )
        elif allow and len(of_kind) == 1 and same_scale(settings, of_kind[0].settings, "reference"):
            choice.uids[kind] = of_kind[0].uid
            choice.flags[kind] = wrong[of_kind[0].uid]
        else:
            choice.problems += [
                _refusal(settings, r, wrong[r.uid], allow=allow) for r in of_kind if here or r.here
            ]
    return choice


def _refusal(
    settings: RunSettings, reference: Reference, wrong: Sequence[Mismatch], *, allow: bool
) -> str:
    told = f"{reference.kind} reference {reference.name} refused: {', '.join(map(str, wrong))}"
    if not allow:
        return told
    if not same_scale(settings, reference.settings, "reference"):
        return f"{told} (energies of two functionals cannot be mixed, flagged or not)"
    return f"{told} (several {reference.kind} references: ingest one of them alone)"
