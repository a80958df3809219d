"""Runs found on disk, or kept by an earlier ingest: what pairing chooses from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vacancy_flows.engines.vasp.reading import FinishedRun, RunError, find_vasprun, read_run
from vacancy_flows.errors import InputError
from vacancy_flows.ingest.campaigns import CAMPAIGNS, Descriptions, merge, read_campaigns
from vacancy_flows.ingest.sidecar import Sidecar, read_sidecar
from vacancy_flows.schemas import Record


@dataclass
class Entry:
    """One run and what is known of it.

    Attributes
    ----------
    run
        As read.
    name
        For messages: its file as the user named it.
    sidecar
        Where `build --inputs` wrote the folder and the run is what it asked for.
    record
        As an earlier ingest stored it.
    here
        Whether this call named it; else it is one of an earlier ingest.
    """

    run: FinishedRun
    name: str
    sidecar: Sidecar | None = None
    record: Record | None = None
    here: bool = True

    @property
    def uid(self) -> str:
        """Of the campaign's calculation where a sidecar names one, else of the file."""
        return str(self.sidecar.calculation["uid"]) if self.sidecar else self.run.uid

    @property
    def reference_uids(self) -> dict[str, str]:
        """References that a sidecar names, or an earlier ingest found, by kind."""
        named = self.sidecar.calculation.get("reference_uids") if self.sidecar else None
        found = self.record.calculation.reference_uids if self.record else {}
        return {**(named or {}), **found}

    def take_charges(self, run: FinishedRun) -> None:
        """Take the Bader charges of another run of the same cell."""
        self.run = replace(self.run, charges=run.charges, charge_method=run.charge_method)

    @property
    def described(self) -> str:
        """Name and energy, to choose by."""
        return f"{self.name} ({self.run.structure.composition.formula}, {self.run.energy:.6f} eV)"


@dataclass
class Found:
    """What lies in some directories.

    Attributes
    ----------
    entries
        Runs that can be used, by uid.
    problems
        What was skipped or ignored, and why; each changes the exit status.
    notes
        What a user may want to know and need not mend.
    campaigns
        That `build --inputs` described beside its folders.
    statics
        Runs for Bader charges alone, by the uid of the cell that they are of.
    """

    entries: dict[str, Entry]
    problems: list[str]
    notes: list[str]
    campaigns: Descriptions = field(default_factory=dict)
    statics: dict[str, FinishedRun] = field(default_factory=dict)


def read_places(places: Sequence[Path], option: str = "DIR") -> Found:
    """Read every run under some directories; what is none is told and left out.

    Parameters
    ----------
    places
        Directories, or files vasprun.xml.
    option
        Of the command line, for the message.

    Raises
    ------
    InputError
        Where a place does not exist, or there is no run under it.
    """
    found = Found({}, [], [])
    for place in places:
        if not place.exists():
            raise InputError("does not exist", file=place, key=option)
        files, missing = _files(place, found)
        if not files and not missing:
            raise InputError(
                "holds no vasprun.xml, nor does a folder in it", file=place, key=option
            )
        found.problems += [f"{folder}: has an OUTCAR but no vasprun.xml" for folder in missing]
        for path in files:
            _read(path, found)
    return found


def _files(place: Path, found: Found) -> tuple[list[Path], list[Path]]:
    """Return the files of runs, and folders with an OUTCAR alone; campaigns go into ``found``."""
    if not place.is_dir():
        return [place], []
    files, missing = [], []
    for root, folders, names in os.walk(place):
        folders.sort()
        folder = Path(root)
        if CAMPAIGNS in names:
            _describe(folder, found)
        path = find_vasprun(folder) if any(n.startswith("vasprun.xml") for n in names) else None
        if path is not None:
            files.append(path)
        elif any(name.startswith("OUTCAR") for name in names):
            missing.append(folder)
    return files, missing


def _describe(folder: Path, found: Found) -> None:
    try:
        found.campaigns = merge(found.campaigns, read_campaigns(folder))
    except ValueError as error:
        found.problems.append(f"{folder}: {error}: left out")


def _read(path: Path, found: Found) -> None:
    try:
        run = read_run(path)
    except RunError as error:
        found.problems.append(f"{path}: {error}")
        return
    entry = Entry(run, str(path))
    found.notes += [f"{path}: {note}" for note in run.notes]
    try:
        sidecar = read_sidecar(path.parent)
        wrong = sidecar.problems(run) if sidecar else []
        if sidecar and wrong:
            listed = "; ".join(wrong)
            found.problems.append(f"{path}: is not the run its folder was made for ({listed})")
            return
        entry.sidecar = sidecar
    except ValueError as error:
        found.problems.append(f"{path}: {error}: taken for a run of another origin")
    if entry.sidecar and (uid := entry.sidecar.charges_for):
        _keep_static(uid, entry, found)
        return
    known = found.entries.setdefault(entry.uid, entry)
    if known is not entry:
        found.notes.append(f"{path}: the same run as {known.name}")


def _keep_static(uid: str, entry: Entry, found: Found) -> None:
    run = entry.run
    if run.charges is not None and run.converged:
        found.statics[uid] = run
        return
    why = (
        "it is not converged" if run.charges else "no ACF.dat, nor CHGCAR with AECCAR0 and AECCAR2"
    )
    found.notes.append(f"{entry.name}: gives no Bader charges: {why}")
