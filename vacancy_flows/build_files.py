"""Structures on disk: CIF and POSCAR, folder names, and the folder of an earlier build."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from vacancy_flows.errors import InputError
from vacancy_flows.output_paths import make_directory

MANIFEST = "build.json"
"""What recognises a folder that an earlier build made, and what that build wrote."""

TABLE = "sites.csv"
"""The list of vacancies beside it."""

SUFFIXES = (".cif", ".poscar")


def strain_folder(mode: str | None, value: float | None) -> str:
    """Return the folder of a strained cell: safe for shells, two strains never alike.

    Parameters
    ----------
    mode
        As in the campaign file, or ``none``.
    value
        ε; 0.05 is 5 %.

    Examples
    --------
    >>> strain_folder("uniaxial-c*", -0.02), strain_folder("biaxial-ab", 0.020001)
    ('uniaxial-cstar_-2.00pct', 'biaxial-ab_+2.0001pct')
    """
    if not value or mode in (None, "none"):
        return "unstrained"
    percent = (Decimal(repr(float(value))) * 100).normalize()  # exact: no two values meet
    decimals = max(2, -int(percent.as_tuple().exponent))
    return f"{str(mode).replace('*', 'star')}_{percent:+.{decimals}f}pct"


def grouped(structure: Structure) -> Structure:
    """Return a structure with its species in groups, in the order they first appear."""
    symbols = [site.specie.symbol for site in structure]
    first = {symbol: symbols.index(symbol) for symbol in symbols}
    return Structure.from_sites(
        sorted(structure, key=lambda site: first[site.specie.symbol]),
        properties=structure.properties,
    )


def write_structure(structure: Structure, stem: Path, title: str) -> None:
    """Write ``stem.cif`` and ``stem.poscar``, sites in the same order in both.

    The CIF is P1 and bears the site labels; the POSCAR keeps the orientation.

    Parameters
    ----------
    structure
        Labelled.
    stem
        Path without a suffix; its folder exists.
    title
        First line of the POSCAR.
    """
    ordered = grouped(structure)
    writer = CifWriter(ordered, symprec=None, significant_figures=10)
    (block,) = writer.cif_file.data.values()
    block.data["_atom_site_label"] = list(ordered.site_properties["label"])
    stem.with_name(stem.name + ".cif").write_text(str(writer), encoding="utf-8")
    text = Poscar(ordered, comment=title).get_str(significant_figures=12)
    stem.with_name(stem.name + ".poscar").write_text(text, encoding="utf-8")


def earlier_files(directory: Path, campaign: str) -> list[str]:
    """Return the files an earlier build of a campaign left, paths relative to ``directory``.

    Raises
    ------
    InputError
        Where ``directory`` holds anything else, which a build would mix with or overwrite.
    """
    try:
        if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
            return []
        manifest = _manifest(directory / MANIFEST)
    except OSError as error:
        raise InputError(f"cannot be used ({error.strerror})", file=directory, key="-o") from None
    if manifest.get("campaign") == campaign:
        return [str(name) for name in manifest.get("files", []) if _is_inside(str(name))]
    what = f"a build of campaign {manifest['campaign']!r}" if manifest else "other files"
    problem = f"holds {what}: name an empty or a new folder"
    if not directory.is_dir():
        problem = "is a file: name a folder"
    raise InputError(problem, file=directory, key="-o")


def start_folder(directory: Path, campaign: str, files: list[str], stale: list[str]) -> None:
    """Make the folders of a build, leave its manifest, and clear what is not built any more.

    Parameters
    ----------
    directory
        Of the build; made if need be.
    campaign
        Name, by which a later build recognises its own folder.
    files
        What will be written, relative to ``directory``.
    stale
        What `earlier_files` returned.

    Raises
    ------
    InputError
        Where something is in the way; nothing is written.
    """
    folders = sorted({str(PurePosixPath(name).parent) for name in files})
    make_directory(directory, "-o", [MANIFEST, TABLE, *files], folders)
    for name in folders:
        (directory / name).mkdir(parents=True, exist_ok=True)
    content = {"campaign": campaign, "version": version("vacancy-flows"), "files": files}
    (directory / MANIFEST).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for name in sorted(set(stale) - set(files)):
        path = directory / name
        path.unlink(missing_ok=True)
        for folder in path.relative_to(directory).parents[:-1]:
            if not (directory / folder).is_dir() or any((directory / folder).iterdir()):
                break
            (directory / folder).rmdir()


def _manifest(path: Path) -> dict[str, Any]:
    """Return what a build left, {} where there is nothing to recognise it by."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    known = isinstance(content, dict) and isinstance(content.get("campaign"), str)
    return content if known and isinstance(content.get("files"), list) else {}


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.suffix in SUFFIXES
