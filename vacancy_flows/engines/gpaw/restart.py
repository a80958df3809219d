"""Going on where a relaxation with GPAW broke off: single points of a scan, and the geometry."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from pymatgen.core import Structure

from vacancy_flows.engines.folders import local_path
from vacancy_flows.engines.gpaw.cell import Point
from vacancy_flows.structures import with_geometry

NOTE = "gpaw_start.json"
"""What a job leaves in its directory after every energy."""

# What another engine's relaxation may differ by between two calls: fractional, Å, µB.
_NEAR, _NEAR_CELL, _NEAR_MOMENT = 0.01, 0.01, 0.1
_SAME = 1e-4  # Å, and Å³ per Å³, within which two cells are one


@dataclass
class Note:
    """What a job has finished so far.

    Attributes
    ----------
    name
        Of the job: the same name means the same calculation.
    fingerprint
        Of the engine.
    sites, start, lattice, moments
        Symbols, fractional positions (N, 3), cell (3, 3) in Å, and initial moments (N,) in µB,
        of what was asked for.
    points
        Of the scan of the cell.
    cell, positions, energy
        Lowest geometry of the relaxation of the ions: (3, 3) Å, (N, 3) fractional, eV.
    restarts
        How often it went on.
    """

    name: str
    fingerprint: dict[str, Any]
    sites: list[str]
    start: list[list[float]]
    lattice: list[list[float]]
    moments: list[float]
    points: list[dict[str, Any]] = field(default_factory=list)
    cell: list[list[float]] | None = None
    positions: list[list[float]] | None = None
    energy: float | None = None
    restarts: int = 0

    def save(self) -> None:
        """Write it into the working directory, whole or not at all; of many ranks one does."""
        from gpaw.mpi import world

        if world.rank > 0:
            return
        part = Path(f"{NOTE}.part")
        part.write_text(json.dumps(asdict(self)), encoding="utf-8")
        part.replace(NOTE)

    def fits(self, other: Note) -> bool:
        """Tell whether it is of the same calculation."""
        if (self.name, self.fingerprint, self.sites) != (
            other.name,
            other.fingerprint,
            other.sites,
        ):
            return False
        apart = np.array(self.start) - np.array(other.start)
        return bool(
            np.abs(apart - np.round(apart)).max() < _NEAR
            and np.allclose(self.lattice, other.lattice, rtol=0, atol=_NEAR_CELL)
            and np.allclose(self.moments, other.moments, rtol=0, atol=_NEAR_MOMENT)
        )

    def saw(self, atoms: Atoms, energy: float) -> None:
        """Keep a geometry of the relaxation where it is the lowest."""
        if self.energy is None or energy < self.energy:
            self.cell, self.energy = atoms.cell.array.tolist(), energy
            self.positions = atoms.get_scaled_positions(wrap=False).tolist()
            self.save()

    def point(self, step: int, volume: float) -> Point | None:
        """Return a finished single point of the scan."""
        for entry in self.points:
            if entry["step"] == step and abs(entry["volume"] / volume - 1) < _SAME:
                return Point(**entry)
        return None

    def add(self, point: Point) -> None:
        """Keep a single point of the scan."""
        self.points.append(asdict(point))
        self.save()

    def geometry(self, structure: Structure) -> Structure:
        """Return where the relaxation of the ions of this cell broke off, else ``structure``."""
        if self.cell is None or self.positions is None:
            return structure
        if np.abs(np.array(self.cell) - structure.lattice.matrix).max() > _SAME:
            return structure
        return with_geometry(structure, structure.lattice.matrix, self.positions)


def begin(
    name: str, fingerprint: dict[str, Any], structure: Structure, prev_dir: str | Path | None
) -> Note:
    """Return the note of a broken job of the same name, settings and cell, else a new one.

    Parameters
    ----------
    name, fingerprint
        Of the job and the engine.
    structure
        What is asked for.
    prev_dir
        Its directory, or a folder that holds it; the working directory counts too.
    """
    sites = [site.species_string for site in structure]
    moments = structure.site_properties.get("magmom") or [0.0] * len(structure)
    lattice = structure.lattice.matrix.tolist()
    new = Note(
        name, fingerprint, sites, structure.frac_coords.tolist(), lattice, [*map(float, moments)]
    )
    places = [Path.cwd()]
    if prev_dir is not None:
        folder = local_path(prev_dir)
        places += [folder, *(path.parent for path in folder.glob(f"*/{NOTE}"))]
    files = [place / NOTE for place in dict.fromkeys(places) if os.access(place / NOTE, os.R_OK)]
    for file in sorted(files, key=os.path.getmtime, reverse=True):
        try:
            note = Note(**json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if note.fits(new):
            note.restarts += 1
            return note
    return new
