"""What is read of a finished run beside pymatgen's Vasprun: its hash, OUTCAR, Bader charges."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monty.io import zopen
from pymatgen.io.vasp.outputs import Outcar

from vacancy_flows.analysis.bader import net_charges

SUFFIXES = ("", ".gz", ".bz2", ".xz")
_TYPE = re.compile(rb"<rc>\s*" + rb"<c>([^<]*)</c>\s*" * 5 + rb"</rc>")
_TIME = re.compile(rb'<time name="totalsc">\s*([\d.]+)\s+([\d.]+)\s*</time>')
_STALE = 1e-3  # eV between OUTCAR and vasprun.xml of one run
_LOST = 0.01  # of the electrons, that a division of the density may lose


class RunError(ValueError):
    """A file that is no finished VASP run that can be used; the message says why."""


@dataclass
class Header:
    """What is read from the text of vasprun.xml as it streams by.

    Attributes
    ----------
    uid
        ``u`` and 16 hexadecimal digits of the SHA-256 of the decompressed file.
    types
        Atoms, ZVAL and TITEL of each block of POSCAR.
    cpu_s, wall_s
        Sums over all self-consistency loops.
    """

    uid: str = ""
    types: list[tuple[int, float, str]] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0


@dataclass
class Outputs:
    """What lies beside vasprun.xml; None where it is missing.

    Attributes
    ----------
    moments
        (N,), µB.
    charges, charge_method
        Net Bader charges (N,), e, and how they were found.
    cpu_s, wall_s
        Of the whole run.
    stopped
        Whether STOPCAR ended it.
    notes
        Files that could not be used, and why.
    """

    moments: list[float] | None = None
    charges: list[float] | None = None
    charge_method: str | None = None
    cpu_s: float | None = None
    wall_s: float | None = None
    stopped: bool = False
    notes: list[str] = field(default_factory=list)


def scan(path: Path) -> Header:
    """Read a vasprun.xml through once.

    Raises
    ------
    RunError
        Where it cannot be read, is empty, cut off, or something else.
    """
    header, digest, tail, first = Header(), hashlib.sha256(), b"", b""
    in_types = False
    try:
        with zopen(path, "rb") as file:
            for line in file:
                digest.update(line)
                first = first if len(first) > 2000 else first + line
                tail = line.strip() or tail
                if b"<array" in line:
                    in_types = b'"atomtypes"' in line
                if in_types and (match := _TYPE.search(line)):
                    count, _, _, valence, titel = match.groups()
                    header.types.append((int(count), float(valence), titel.decode().strip()))
                elif b"totalsc" in line and (match := _TIME.search(line)):
                    header.cpu_s += float(match[1])
                    header.wall_s += float(match[2])
    except EOFError:
        raise RunError("is truncated: the compressed file has no end") from None
    except Exception as error:  # noqa: BLE001  # zlib, lzma, OSError, UnicodeDecodeError, ...
        raise RunError(f"cannot be read ({' '.join(str(error).split())})") from None
    if not first.strip():
        raise RunError("is empty: the run did not start, or its disk was full")
    if b"<modeling" not in first:
        raise RunError("is no vasprun.xml of VASP")
    if not tail.endswith(b"</modeling>"):
        raise RunError("is truncated: the run was killed, or is still running")
    header.uid = "u" + digest.hexdigest()[:16]
    return header


def read_beside(
    path: Path, valence: list[float], energy: float, electrons: float | None
) -> Outputs:
    """Read OUTCAR and Bader charges beside a vasprun.xml; what does not belong to it is noted.

    Parameters
    ----------
    path
        Of vasprun.xml; with ``vasprun.xml.relax2.gz`` go ``OUTCAR.relax2.gz`` and so on.
    valence
        (N,) ZVAL of each atom.
    energy
        Free energy of the last step, eV.
    electrons
        NELECT.
    """
    found = Outputs()
    end = _ending(path)
    if end is None:
        return found
    if outcar := _existing(path.parent, f"OUTCAR{end}"):
        _read_outcar(outcar, found, len(valence), energy)
    if end:
        return found  # ACF.dat and CHGCAR are of the last run in a folder
    for name, read in (("ACF.dat", _from_acf), ("CHGCAR", _from_chgcar)):
        if found.charges is None and (file := _existing(path.parent, name)):
            _read_charges(file, read, found, valence, electrons)
    return found


def _ending(path: Path) -> str | None:
    """Return what follows ``vasprun.xml`` but for a compression; None for other names."""
    if not path.name.startswith("vasprun.xml"):
        return None
    end = path.name.removeprefix("vasprun.xml")
    return next((end.removesuffix(s) for s in SUFFIXES[1:] if end.endswith(s)), end)


def _existing(folder: Path, name: str) -> Path | None:
    return next((p for s in SUFFIXES if (p := folder / (name + s)).is_file()), None)


def _read_outcar(path: Path, found: Outputs, n_atoms: int, energy: float) -> None:
    try:
        outcar = Outcar(path)
        last = outcar.final_fr_energy
    except Exception as error:  # noqa: BLE001  # a damaged file fails anywhere in the parser
        found.notes.append(f"{path.name} cannot be read ({type(error).__name__}): left out")
        return
    if last is None or abs(last - energy) > _STALE:
        found.notes.append(f"{path.name} is of another run (its energy is {last} eV): left out")
        return
    found.cpu_s = outcar.run_stats.get("Total CPU time used (sec)")
    found.wall_s = outcar.run_stats.get("Elapsed time (sec)")
    found.stopped = outcar.is_stopped
    moments = [row.get("tot") for row in outcar.magnetization]
    if len(moments) == n_atoms and all(isinstance(m, float) for m in moments):
        found.moments = [float(m) for m in moments]


def _read_charges(
    file: Path, read: Any, found: Outputs, valence: list[float], electrons: float | None
) -> None:
    """Take Bader charges from a file if they are of this run."""
    try:
        counted, method = read(file)
        if counted is None:
            return
        charges = net_charges(counted, valence)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        found.notes.append(f"{file.name}: no Bader charges ({' '.join(str(error).split())[:200]})")
        return
    total = sum(counted)
    if electrons is not None and abs(total - electrons) > max(0.5, _LOST * electrons):
        found.notes.append(
            f"{file.name} holds {total:.2f} electrons, the run {electrons:g}: left out"
        )
        return
    found.charges, found.charge_method = [float(q) for q in charges], method


def _from_acf(path: Path) -> tuple[list[float], str]:
    """Return the electrons of each atom from the table of the program `bader`."""
    return list(_acf_rows(path)), "ACF.dat"


def _acf_rows(path: Path) -> Iterator[float]:
    with zopen(path, "rt", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if len(words) >= 6 and words[0].isdigit():
                yield float(words[4])


def _from_chgcar(path: Path) -> tuple[list[float] | None, str]:
    """Divide CHGCAR in the volumes of AECCAR0 + AECCAR2; None without those."""
    from vacancy_flows.analysis.bader_vasp import bader_from_vasp

    if not all(_existing(path.parent, name) for name in ("AECCAR0", "AECCAR2")):
        return None, ""
    result = bader_from_vasp(path.parent)
    return list(result.electrons), result.method
