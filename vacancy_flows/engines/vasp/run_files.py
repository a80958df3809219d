"""Files of a VASP run: our note beside them, WAVECAR, and how many ionic steps they tell of."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from monty.io import zopen
from monty.os.path import zpath
from monty.shutil import decompress_file
from pymatgen.core import Structure

from vacancy_flows.schemas import Calculation
from vacancy_flows.structures import with_geometry

NOTE = "vacancy_flows.json"
"""Beside the files of VASP: whose run they are, and what happened to it."""

_CHUNK = 2**24  # bytes
_CUT_OFF = tarfile.ReadError, EOFError, zlib.error  # what a packed file says that has no end
_CELL = 1e-3  # Å; lattices that differ by less are one
_IONIC_STEP = re.compile(r"^\s*\d+ F= ", re.MULTILINE)
# VASP's WAVECAR begins with the length of a record, the number of spins and one of these.
_WAVECAR_TAGS = {45200.0, 45210.0, 53300.0, 53310.0}


def read_note(folder: Path) -> dict[str, Any]:
    """Return the note in a directory, empty where there is none."""
    try:
        found = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def fetch_wavecar(source: Path, structure: Structure, cell: Literal["free", "fixed"]) -> bool:
    """Bring a WAVECAR into the working directory, and tell whether VASP can start from it.

    One that is empty, cut off or (where the cell is fixed) of another cell is left out.

    Parameters
    ----------
    source
        Directory it lies in, compressed or not.
    structure
        What it shall start.
    cell
        Whether that cell moves.
    """
    found, target = Path(zpath(str(source / "WAVECAR"))), Path("WAVECAR").absolute()
    if not found.is_file():
        return False
    if found != target:
        shutil.copyfile(found, target.with_name(found.name))
        decompress_file(target.with_name(found.name))
    lattice = structure.lattice.matrix if cell == "fixed" else None
    if _is_whole(target, lattice):
        return True
    target.unlink()
    return False


def is_whole_gzip(path: Path) -> bool:
    """Tell whether a packed file can be read to its end."""
    try:
        with gzip.open(path) as file:
            while file.read(_CHUNK):
                pass
    except (OSError, *_CUT_OFF):
        return False
    return path.stat().st_size > 0


def same_cell(one: Any, other: Any) -> bool:
    """Tell whether two lattices (3, 3) in Å are one."""
    return bool(np.allclose(one, other, rtol=0, atol=_CELL))


def nearest_images(final: Structure, initial: Structure) -> np.ndarray:
    """Return fractional coordinates of ``final`` next to those of ``initial``: VASP wraps them."""
    moved = final.frac_coords - initial.frac_coords
    unwrapped: np.ndarray = final.frac_coords - np.round(moved)
    return unwrapped


def settled(
    calculation: Calculation, final: Structure, moments: list[float] | None = None
) -> Structure:
    """Return a calculation's structure on a final geometry, with final moments.

    Parameters
    ----------
    calculation
        Whose sites, labels and initial moments are kept; and its lattice, where it is fixed.
    final
        Last geometry, sites in the same order.
    moments
        Of the end, µB.
    """
    asked = calculation.structure
    lattice = (asked if calculation.cell == "fixed" else final).lattice.matrix
    structure = with_geometry(asked, lattice, nearest_images(final, asked))
    if moments is not None and "magmom" in asked.site_properties:
        structure.add_site_property("magmom", moments)
    return structure


def ionic_steps(folder: Path) -> int:
    """Return the ionic steps that OSZICAR tells of."""
    return len(_IONIC_STEP.findall(_oszicar(folder)))


def backed_up_steps(folder: Path) -> int:
    """Return the ionic steps of what custodian started anew, in ``error.N.tar.gz``.

    Two handlers that find fault with one run keep it twice; the run that is in the folder as it
    ended is not counted, nor what was cut off by a kill or a full disk.
    """
    found: list[str] = []
    for path in sorted(folder.glob("error.*.tar*"), key=lambda p: int(p.name.split(".")[1])):
        for text in _backed_up(path):
            if found[-1:] != [text]:
                found.append(text)
    if found[-1:] == [_oszicar(folder)]:
        found.pop()
    return sum(len(_IONIC_STEP.findall(text)) for text in found)


def _backed_up(path: Path) -> Iterator[str]:
    """Yield the OSZICARs of a backup, as far as it can be read."""
    with contextlib.suppress(*_CUT_OFF), tarfile.open(path) as archive:
        for member in archive:
            if member.name.endswith("/OSZICAR") and (file := archive.extractfile(member)):
                yield file.read().decode("utf-8", "replace")


def _oszicar(folder: Path) -> str:
    path = Path(zpath(str(folder / "OSZICAR")))
    if not path.is_file():
        return ""
    with zopen(path, "rt", encoding="utf-8", errors="replace") as file:
        return str(file.read())


def _is_whole(path: Path, lattice: np.ndarray | None) -> bool:
    """Tell whether a WAVECAR has the length it says, and the cell that is wanted."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = np.frombuffer(file.read(24).ljust(24, b"\0"), dtype="<f8")
        if head[2] not in _WAVECAR_TAGS:
            return size > 0  # a format of its own: VASP knows
        file.seek(int(head[0]))
        second = np.frombuffer(file.read(96).ljust(96, b"\0"), dtype="<f8")
    if size < head[0] * (2 + head[1] * second[0] * (1 + second[1])):
        return False
    return lattice is None or same_cell(second[3:].reshape(3, 3), lattice)
