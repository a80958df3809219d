"""Finished VASP runs, read from ``vasprun.xml(.gz)`` and enriched by what lies beside it."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pymatgen.core import Structure
from pymatgen.io.vasp.outputs import Vasprun

from vacancy_flows.engines.vasp.reading_checks import (
    largest_free_force,
    refuse,
    relaxed,
    why_stopped,
)
from vacancy_flows.engines.vasp.reading_files import (
    SUFFIXES,
    Header,
    RunError,
    read_beside,
    scan,
)
from vacancy_flows.engines.vasp.reading_settings import Species, settings_of_run
from vacancy_flows.engines.vasp.run_settings import RunSettings
from vacancy_flows.engines.vasp.stress import stress_of
from vacancy_flows.schemas import Result

__all__ = ["FinishedRun", "RunError", "find_vasprun", "read_run"]


@dataclass(frozen=True)
class FinishedRun:
    """One VASP run that came to its end; units and signs are those of `Result`.

    Attributes
    ----------
    uid
        Of the decompressed vasprun.xml.
    path
        Of that file.
    initial_structure, structure
        First and last geometry, in the order of POSCAR.
    energy
        E for sigma → 0, eV per cell.
    forces
        (N, 3), eV/Å, before any constraint.
    stress
        (3, 3), eV/Å³, +(1/V) dE/dε (VASP prints -σ in kB); None where VASP did not compute it.
    moments, initial_moments
        (N,), µB; the last ones from OUTCAR, the first ones as VASP took them from MAGMOM.
    charges
        (N,) net Bader charges, e.
    max_force
        Largest force on a free atom, eV/Å, its fixed components left out.
    electronic, ionic
        Whether the last self-consistency and the relaxation met their criteria.
    reason
        Why it stopped.
    fmax, max_steps
        Asked for: eV/Å (0 where EDIFFG is no force) and ionic steps.
    settings
        What matters to an energy; whether the cell was free is ``settings.run``.
    notes
        Files beside it that could not be used, and why.
    """

    uid: str
    path: str
    initial_structure: Structure
    structure: Structure
    energy: float
    forces: list[list[float]]
    max_force: float
    electronic: bool
    ionic: bool
    reason: str
    settings: RunSettings
    stress: list[list[float]] | None = None
    moments: list[float] | None = None
    initial_moments: list[float] | None = None
    charges: list[float] | None = None
    charge_method: str | None = None
    n_steps: int = 0
    fmax: float = 0.0
    max_steps: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def converged(self) -> bool:
        """Whether electrons and ions are converged."""
        return self.electronic and self.ionic

    def result(self) -> Result:
        """Return what an engine returns; its provenance is for the reader to say."""
        return Result(
            structure=self.structure,
            energy=self.energy,
            forces=self.forces,
            stress=self.stress,
            moments=self.moments,
            charges=self.charges,
            max_force=self.max_force,
            converged=self.converged,
            reason=self.reason,
            n_steps=self.n_steps,
            wall_s=self.wall_s,
            cpu_s=self.cpu_s,
        )


def find_vasprun(directory: Path) -> Path | None:
    """Return the vasprun.xml of a folder, compressed or not, None where there is none.

    Where custodian left only ``vasprun.xml.relax1`` and so on, the last of them.
    """
    for suffix in SUFFIXES:
        if (path := directory / f"vasprun.xml{suffix}").is_file():
            return path
    numbered = {
        int(match[1]): path
        for path in sorted(directory.glob("vasprun.xml.relax*"))
        if (match := re.search(r"\.relax(\d+)(\.gz|\.bz2|\.xz)?$", path.name))
    }
    return numbered[max(numbered)] if numbered else None


def read_run(place: str | Path) -> FinishedRun:
    """Read a finished VASP run.

    vasprun.xml alone is enough. OUTCAR gives moments and times; ACF.dat, or CHGCAR with
    AECCAR0 and AECCAR2, Bader charges. What lies there of another run is left out, with a note.

    Parameters
    ----------
    place
        Folder, or the path of a vasprun.xml.

    Raises
    ------
    RunError
        Where there is no run, it did not come to its end, is not of VASP, or its energy is no
        total energy of a relaxation or a static cell. A run that is not converged is read.
    """
    path = Path(place)
    if path.is_dir():
        found = find_vasprun(path)
        if found is None:
            raise RunError("holds no vasprun.xml")
        path = found
    elif not path.is_file():
        raise RunError("does not exist")
    header = scan(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pymatgen: what they tell is in `reason`
            run = Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
            refuse(run)
            return _finished(path, run, header)
    except RunError:
        raise
    except Exception as error:  # noqa: BLE001  # a damaged file fails anywhere in the parser
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise RunError(f"cannot be read as a run of VASP ({detail})") from None


def _finished(path: Path, run: Vasprun, header: Header) -> FinishedRun:
    last, used = run.ionic_steps[-1], run.parameters
    forces = np.array(last["forces"], float)
    structure = _plain(run.final_structure)
    if forces.shape != (len(structure), 3) or not np.isfinite(forces).all():
        raise RunError("holds no forces of all atoms")
    blocks = _blocks(header, run.atomic_symbols)
    settings = settings_of_run(run, blocks)
    valence = [block.valence for block in blocks for _ in range(block.count)]
    beside = read_beside(path, valence, float(last["e_fr_energy"]), used.get("NELECT"))
    largest = largest_free_force(structure, forces)
    electronic = bool(run.converged_electronic)
    fmax = max(0.0, -float(used.get("EDIFFG", 0.0)))
    ionic = relaxed(run, settings, largest, fmax, stopped=beside.stopped)
    return FinishedRun(
        uid=header.uid,
        path=str(path.resolve()),
        initial_structure=_plain(run.initial_structure),
        structure=structure,
        energy=float(run.final_energy),
        forces=forces.tolist(),
        stress=stress_of(last.get("stress")),
        moments=beside.moments if settings.ispin == 2 else None,
        initial_moments=_initial_moments(run, len(structure)),
        charges=beside.charges,
        charge_method=beside.charge_method,
        max_force=largest,
        electronic=electronic,
        ionic=ionic,
        reason=why_stopped(run, settings, electronic=electronic, ionic=ionic, largest=largest),
        settings=settings,
        n_steps=len(run.ionic_steps),
        fmax=fmax,
        max_steps=max(0, int(used.get("NSW", 0))),
        wall_s=header.wall_s if beside.wall_s is None else beside.wall_s,
        cpu_s=header.cpu_s if beside.cpu_s is None else beside.cpu_s,
        notes=beside.notes,
    )


def _blocks(header: Header, symbols: list[str]) -> list[Species]:
    """Return the blocks of POSCAR; the symbols are those pymatgen has mended (Xe, Zr)."""
    if sum(count for count, _, _ in header.types) != len(symbols):
        raise RunError("does not say which POTCAR belongs to which atoms")
    blocks, first = [], 0
    for count, valence, titel in header.types:
        blocks.append(Species(symbols[first], count, valence, titel))
        first += count
    return blocks


def _plain(structure: Structure) -> Structure:
    """Return a structure whose site properties are plain lists."""
    mask = structure.site_properties.get("selective_dynamics")
    properties = None if mask is None else {"selective_dynamics": np.array(mask, bool).tolist()}
    return structure.copy(site_properties=properties)


def _initial_moments(run: Vasprun, n_atoms: int) -> list[float] | None:
    moments = run.parameters.get("MAGMOM")
    if run.parameters.get("ISPIN") != 2 or not moments or len(moments) != n_atoms:
        return None
    return [float(m) for m in moments]
