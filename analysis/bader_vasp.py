"""Bader charges of a finished VASP run: by the `bader` executable, else by our own division."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from pymatgen.command_line.bader_caller import BaderAnalysis
from pymatgen.io.vasp.outputs import Chgcar

from vacancy_flows.analysis.bader import BaderResult, BaderScheme, bader_charges

__all__ = ["bader_from_vasp"]

_SUFFIXES = ("", ".gz", ".bz2", ".xz")


def bader_from_vasp(
    folder: str | Path,
    executable: str | Path | None = None,
    *,
    scheme: BaderScheme = "weights",
) -> BaderResult:
    """Count the Bader electrons of each atom of a VASP static run with LCHARG and LAECHG.

    Parameters
    ----------
    folder : str or Path
        Where CHGCAR lies, with AECCAR0 and AECCAR2 for a reference; compressed or not.
    executable : str or Path, optional
        The `bader` program of the Henkelman group; None takes it from PATH where it is, else
        divides the grid itself.
    scheme : {"weights", "on-grid"}
        How we divide the grid ourselves, see `bader_charges`.

    Returns
    -------
    BaderResult
        In POSCAR order. `method` is "bader executable", "weights" or "on-grid", followed by
        ", AECCAR reference" or ", no reference".

    Raises
    ------
    FileNotFoundError
        If the folder, CHGCAR, one of AECCAR0 and AECCAR2, or the executable named is missing.
    ValueError
        If a file cannot be read or the files belong to different cells or grids.
    RuntimeError
        If the executable fails.
    """
    where = Path(folder)
    if not where.is_dir():
        raise FileNotFoundError(f"there is no folder {where} with a VASP run")
    charge_file = _found(where, "CHGCAR")
    if charge_file is None:
        raise FileNotFoundError(
            f"no CHGCAR in {where}: Bader charges need a static run with LCHARG = .TRUE. and "
            "LAECHG = .TRUE."
        )
    program = _program(executable)
    charge = _read(charge_file)
    reference = _reference(where, charge, charge_file)
    if program is not None:
        return _by_executable(program, charge_file, reference)
    volume = charge.structure.volume
    return bader_charges(
        charge.data["total"] / volume,  # VASP writes density times volume
        charge.structure,
        None if reference is None else reference.data["total"] / volume,
        scheme=scheme,
        reference_name="AECCAR reference",
    )


def _found(folder: Path, name: str) -> Path | None:
    """Path of a file that may be compressed, None where there is none."""
    paths = [folder / (name + suffix) for suffix in _SUFFIXES]
    return next((path for path in paths if path.is_file()), None)


def _program(executable: str | Path | None) -> str | None:
    if executable is None:
        return shutil.which("bader")
    path = shutil.which(str(executable))
    if path is None:
        raise FileNotFoundError(
            f"{executable} is not an executable program; leave `executable` out to use `bader` "
            "from PATH, or our own division without it"
        )
    return str(Path(path).absolute())


def _read(path: Path) -> Any:
    """Chgcar of a file; ValueError where it is none."""
    try:
        return Chgcar.from_file(path)
    except (ValueError, KeyError, IndexError, EOFError, OSError) as problem:
        raise ValueError(f"{path} is not a readable VASP density: {problem}") from problem


def _reference(folder: Path, charge: Any, charge_file: Path) -> Any:
    """AECCAR0 + AECCAR2 as a Chgcar, None where both are missing."""
    files = {name: _found(folder, name) for name in ("AECCAR0", "AECCAR2")}
    if not any(files.values()):
        return None
    for name, path in files.items():
        if path is None:
            raise FileNotFoundError(
                f"no {name} in {folder}, but the other of AECCAR0 and AECCAR2: their sum is the "
                "reference density, so give both (or neither, for much worse charges)"
            )
    parts = [_read(path) for path in files.values() if path is not None]
    for path, part in zip(files.values(), parts, strict=True):
        same_grid = part.data["total"].shape == charge.data["total"].shape
        if not same_grid or not np.allclose(
            part.structure.lattice.matrix, charge.structure.lattice.matrix, atol=1e-4
        ):
            raise ValueError(
                f"{path} and {charge_file} have different cells or grids: they are not of one run"
            )
    return parts[0].linear_add(parts[1])


def _by_executable(program: str, charge_file: Path, reference: Any) -> BaderResult:
    with TemporaryDirectory() as scratch:
        reference_file = ""
        if reference is not None:
            reference_file = str(Path(scratch) / "CHGCAR_ref")
            reference.write_file(reference_file)
        analysis = BaderAnalysis(
            chgcar_filename=str(charge_file.absolute()),
            chgref_filename=reference_file,
            bader_path=program,
        )
    electrons = tuple(float(atom["charge"]) for atom in analysis.data)
    used = "no reference" if reference is None else "AECCAR reference"
    return BaderResult(
        electrons=electrons,
        unassigned=float(analysis.vacuum_charge),
        total=float(analysis.nelectrons),
        method=f"bader executable, {used}",
        bare_sites=tuple(i for i, e in enumerate(electrons) if e == 0),
    )
