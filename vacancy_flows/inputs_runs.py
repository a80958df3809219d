"""What has been calculated of a campaign by hand: folders with a sidecar, and ``results.db``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pymatgen.core import Structure

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines import Engine
from vacancy_flows.engines.vasp.reading import RunError, find_vasprun, read_run
from vacancy_flows.engines.vasp.run_files import settled
from vacancy_flows.ingest.sidecar import SIDECAR, Sidecar, read_sidecar
from vacancy_flows.records import make_record
from vacancy_flows.schemas import Calculation, Record, Result

_DATABASE = "results.db"


@dataclass(frozen=True)
class Found:
    """What is known of a calculation.

    Attributes
    ----------
    record
        None where it is not finished, or cannot be built upon.
    reason
        Why not, with its folder in front.
    wrong
        Whether somebody has to mend it; else it is only not finished.
    """

    record: Record | None = None
    reason: str = ""
    wrong: bool = False


class Runs:
    """Folders that `build --inputs` wrote, with or without a run, and rows that are stored.

    Parameters
    ----------
    directories
        To look through, each with its ``results.db`` where there is one.
    engine
        That a record is made for.

    Attributes
    ----------
    problems
        Sidecars that cannot be read.
    places
        Directories that hold folders with a sidecar.
    """

    def __init__(self, directories: Iterable[Path], engine: Engine) -> None:
        self._engine = engine
        self._folders: dict[str, dict[Path, Sidecar]] = {}
        self._databases: list[ResultsDatabase] = []
        self._known: dict[str, Found | None] = {}
        self.problems: list[str] = []
        self.places: list[Path] = []
        for directory in {path.resolve(): path for path in directories if path.is_dir()}.values():
            known = len(self._folders)
            self._look(directory)
            self.places += [directory] if len(self._folders) > known else []

    def _look(self, directory: Path) -> None:
        for root, folders, names in os.walk(directory):
            folders[:] = sorted(f for f in folders if not f.startswith("."))  # half written
            if SIDECAR not in names:
                continue
            try:
                sidecar = read_sidecar(Path(root))
            except ValueError as error:
                self.problems.append(f"{root}: {error}")
                continue
            if sidecar is not None:
                self._folders.setdefault(sidecar.calculation["uid"], {})[Path(root)] = sidecar
        path = directory / _DATABASE
        if path.is_file() and path.stat().st_size:
            self._databases.append(ResultsDatabase.open(path))

    @property
    def unfinished(self) -> list[Path]:
        """Folders without a vasprun.xml, of calculations that are finished nowhere else."""
        return [
            next(iter(places))
            for uid, places in self._folders.items()
            if not any(map(find_vasprun, places)) and not self._stored(uid)
        ]

    def knows(self, uid: str) -> bool:
        """Tell whether there are inputs of a calculation, or a row."""
        return uid in self._folders or self._stored(uid) is not None

    def has_charges(self, uid: str) -> bool:
        """Tell whether a row has Bader charges."""
        stored = self._stored(uid)
        return stored is not None and stored.result.charges is not None

    def of(self, calculation: Calculation) -> Found | None:
        """Return what came of a calculation, None where there are no inputs of it.

        A converged run goes before others, and a run before a row.
        """
        uid = calculation.uid
        if uid not in self._known:
            places = self._folders.get(uid, {})
            found = [self._read(*place, calculation) for place in places.items()]
            row = self._stored(uid)
            if row is not None:
                found.append(self._of_row(row, calculation))
            found.sort(key=_worth, reverse=True)
            self._known[uid] = found[0] if found else None
        return self._known[uid]

    def _stored(self, uid: str) -> Record | None:
        records = (database.get(uid) for database in self._databases)
        return next((record for record in records if record is not None), None)

    def _read(self, folder: Path, sidecar: Sidecar, calculation: Calculation) -> Found:
        """Return what a folder tells."""
        if find_vasprun(folder) is None:
            return Found(reason=f"{folder} has not run")
        try:
            run = read_run(folder)
        except RunError as error:
            return Found(reason=f"{folder} has a vasprun.xml that {error}")
        wrong = sidecar.problems(run)
        if sidecar.species != _symbols(calculation.structure):
            wrong.append(f"a {SIDECAR} of other atoms")
        if wrong:
            return Found(reason=f"{folder} holds another run ({'; '.join(wrong)})", wrong=True)
        return self._judged(run.result(), calculation, str(folder))

    def _of_row(self, record: Record, calculation: Calculation) -> Found:
        """Return what a stored row tells; of an ingested one, its result is what is needed."""
        if "ingested_from" in record.result.provenance:
            return self._judged(record.result, calculation, f"{calculation.uid} in {_DATABASE}")
        return _found(record.described_by(calculation), f"{calculation.uid} in {_DATABASE}")

    def _judged(self, result: Result, calculation: Calculation, name: str) -> Found:
        """Return the record of a result on the sites of what was asked for."""
        if result.moments is None and "magmom" in calculation.structure.site_properties:
            reason = f"{name} has no final moments: put its OUTCAR beside vasprun.xml"
            return Found(reason=reason, wrong=True)
        structure = settled(calculation, result.structure, result.moments)
        result = result.model_copy(update={"structure": structure})
        return _found(make_record(calculation, result, self._engine), name)


def _worth(found: Found) -> tuple[bool, bool]:
    record = found.record
    return (record is not None and record.result.converged, record is not None)


def _found(record: Record, name: str) -> Found:
    result = record.result
    if result.converged:
        return Found(record)
    return Found(record, f"{name} is not converged ({result.reason})", wrong=True)


def _symbols(structure: Structure) -> list[str]:
    return [site.specie.symbol for site in structure]
