"""Going on where a run broke off: CONTCAR, moments of OUTCAR, WAVECAR of the same cell."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from monty.io import zopen
from monty.os.path import zpath
from monty.shutil import decompress_file
from pymatgen.core import Structure
from pymatgen.io.vasp.inputs import Incar, Poscar
from pymatgen.io.vasp.outputs import Outcar

from vacancy_flows.engines.folders import local_path
from vacancy_flows.engines.vasp.corrections import summary
from vacancy_flows.engines.vasp.run_files import (
    NOTE,
    backed_up_steps,
    fetch_wavecar,
    ionic_steps,
    is_whole_gzip,
    nearest_images,
    read_note,
    same_cell,
)
from vacancy_flows.errors import EngineError
from vacancy_flows.structures import with_geometry


@dataclass
class Start:
    """What a run begins with.

    Attributes
    ----------
    structure
        With moments in ``magmom``.
    from_wavecar
        Whether a WAVECAR of the same cell lies in the working directory.
    note
        What is kept in `NOTE`; ``restarts`` has an entry for each time it went on.
    """

    structure: Structure
    from_wavecar: bool = False
    note: dict[str, Any] = field(default_factory=dict)

    def save(self) -> None:
        """Write the note into the working directory."""
        Path(NOTE).write_text(json.dumps(self.note, indent=1) + "\n", encoding="utf-8")


def begin(
    name: str,
    structure: Structure,
    cell: Literal["free", "fixed"],
    prev_dir: str | Path | None = None,
    wavefunctions: str | Path | None = None,
) -> Start:
    """Prepare the working directory of a run, which goes on where there is something to go on from.

    Parameters
    ----------
    name
        Of the job. What the working directory holds of a run of that name is gone on from.
    structure
        What was asked for.
    cell
        Whether its cell moves.
    prev_dir
        Of a broken run, or a folder in one of whose folders it lies; nothing is found, nothing
        is lost.
    wavefunctions
        Directory of a finished run of the same cell, whose WAVECAR is a good start.

    Raises
    ------
    EngineError
        Where the working directory holds another run, whose files would be mixed up with ours.
    """
    here = Path.cwd()
    found = read_note(here)
    if found and found.get("name") != name:
        raise EngineError(
            f"{here} holds the run {found.get('name')!r} already: each job of VASP needs a "
            "directory of its own (run_locally with create_folders=True)"
        )
    source = here if found else broken_run(name, prev_dir)
    if found:
        _unpack(here)
    start = Start(structure, note={"name": name, "restarts": []})
    if source is not None:
        start = _go_on(source, start, cell)
    if not start.from_wavecar and wavefunctions is not None:
        start.from_wavecar = fetch_wavecar(local_path(wavefunctions), structure, cell)
    start.save()
    return start


def broken_run(name: str, where: str | Path | None) -> Path | None:
    """Return the directory of an earlier run.

    Parameters
    ----------
    name
        Of the job.
    where
        The directory itself, or one that holds it; as ``host:path`` too.

    Returns
    -------
    Path or None
        The newest one; None where there is none that may be read: another user's, say.
    """
    if where is None:
        return None
    folder = local_path(where)
    if not os.access(folder, os.R_OK | os.X_OK):
        return None
    note = read_note(folder)
    if note.get("name") == name or (not note and Path(zpath(str(folder / "POSCAR"))).is_file()):
        return folder if _is_readable(folder) else None
    others = [path.parent for path in folder.glob(f"*/{NOTE}") if path.parent != Path.cwd()]
    same = [path for path in others if read_note(path).get("name") == name and _is_readable(path)]
    return max(same, key=lambda path: (path / NOTE).stat().st_mtime, default=None)


def _is_readable(folder: Path) -> bool:
    """Tell whether all files of a run may be read; links that lead nowhere are none."""
    if not os.access(folder, os.R_OK | os.X_OK):
        return False
    # Path.is_file raises where a link may not be followed.
    files = [path for path in folder.iterdir() if os.path.isfile(path)]  # noqa: PTH113
    return all(os.access(path, os.R_OK) for path in files)


def _go_on(source: Path, start: Start, cell: Literal["free", "fixed"]) -> Start:
    """Return the start that the files of a broken run give."""
    asked, note = start.structure, read_note(source)
    geometry, structure = "input", asked.copy()
    for name in ("CONTCAR", "POSCAR"):  # POSCAR is the CONTCAR of an earlier restart
        found = _geometry(source / name, asked, cell)
        if found is not None:
            geometry, structure = name, found
            break
    origin, moments = _moments(source, len(asked))
    if moments is not None and "magmom" in asked.site_properties:
        structure.add_site_property("magmom", moments)
    entry = {
        "from": str(source),
        "geometry": geometry,
        "moments": origin,
        "wavecar": geometry != "input" and fetch_wavecar(source, structure, cell),
        "steps": ionic_steps(source) + (0 if source == Path.cwd() else backed_up_steps(source)),
        "corrections": summary(_custodian(source)),
    }
    for name in ("STOPCAR", "CONTCAR", "custodian.json"):
        Path(name).unlink(missing_ok=True)  # of the run before, where it was here
    restarts = [*note.get("restarts", []), entry]
    return Start(structure, bool(entry["wavecar"]), {**start.note, "restarts": restarts})


def _geometry(path: Path, structure: Structure, cell: str) -> Structure | None:
    """Return the input on the geometry of a POSCAR; None where that is none of this cell."""
    found_path = Path(zpath(str(path)))
    if not found_path.is_file() or found_path.stat().st_size == 0:
        return None
    try:
        found = Poscar.from_file(found_path, check_for_potcar=False).structure
    except Exception:  # noqa: BLE001  # one that was cut off fails anywhere in the parser
        return None
    if [s.specie.symbol for s in found] != [s.specie.symbol for s in structure]:
        return None
    lattice = structure.lattice.matrix
    if cell == "free":
        lattice = found.lattice.matrix
    elif not same_cell(found.lattice.matrix, lattice):
        return None
    return with_geometry(structure, lattice, nearest_images(found, structure))


def _moments(source: Path, count: int) -> tuple[str, list[float] | None]:
    """Return where the last moments (µB) of a run stand, and them: OUTCAR, else its INCAR."""
    try:
        outcar = Outcar(zpath(str(source / "OUTCAR")))
        found = [float(entry["tot"]) for entry in outcar.magnetization]
    except Exception:  # noqa: BLE001  # as above
        found = []
    if len(found) == count:
        return "OUTCAR", found
    try:
        found = [float(m) for m in Incar.from_file(zpath(str(source / "INCAR")))["MAGMOM"]]
    except Exception:  # noqa: BLE001  # as above
        found = []
    return ("INCAR", found) if len(found) == count else ("input", None)


def _unpack(folder: Path) -> None:
    """Unpack what an earlier run packed: custodian would, over the new inputs.

    What was cut off while it was packed is dropped: what it was made of still lies beside it.
    """
    for path in list(folder.glob("*.gz")):
        if not is_whole_gzip(path):
            path.unlink()
        elif not path.name.endswith(".tar.gz"):
            decompress_file(path)


def _custodian(folder: Path) -> Any:
    path = Path(zpath(str(folder / "custodian.json")))
    try:
        with zopen(path, "rt", encoding="utf-8") as file:
            return json.loads(str(file.read()))
    except (OSError, ValueError):
        return []
