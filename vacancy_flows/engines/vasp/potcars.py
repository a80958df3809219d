"""POTCARs: found, read, and held against the cutoff, before anything runs."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vacancy_flows.engines.vasp.settings import VaspSettings
from vacancy_flows.errors import InputError

# pmg does not make the folder that it writes into.
_REMEMBER = "mkdir -p ~/.config && pmg config --add PMG_VASP_PSP_DIR {folder}"


def check_potcars(elements: Iterable[str], settings: VaspSettings) -> dict[str, dict[str, Any]]:
    """Check the POTCARs of some elements and return what identifies them.

    Parameters
    ----------
    elements
        Symbols, those of the references included.
    settings
        Of the campaign.

    Returns
    -------
    dict
        Per element: ``symbol``, ``titel``, ``sha256`` (of the file's text), ``enmax`` (eV),
        ``electrons`` (ZVAL) and ``known`` (whether pymatgen knows the file), for the record.

    Raises
    ------
    InputError
        Where ``PMG_VASP_PSP_DIR`` is not set or no folder, a POTCAR is missing, cannot be read,
        or is none of PBE and of its element, or the cutoff is below an ENMAX. One message for
        all POTCARs.
    """
    wanted = {element: settings.potcar_of(element) for element in sorted(set(elements))}
    folder = _folder(settings)
    found: dict[str, dict[str, Any]] = {}
    problems = []
    for element, symbol in wanted.items():
        try:
            found[element] = _read(element, symbol, folder)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n  ".join(problems), key="settings.potcars")
    low = [
        f"{potcar['symbol']} ({potcar['enmax']:g} eV)"
        for potcar in found.values()
        if settings.encut < potcar["enmax"]
    ]
    if low:
        raise InputError(
            f"the cutoff of {settings.encut:g} eV is below ENMAX of {', '.join(low)}: "
            "raise encut, or name softer potentials in potcars",
            key="settings.encut",
        )
    return found


def _folder(settings: VaspSettings) -> Path:
    """Return the folder that holds the POTCARs of a release."""
    from pymatgen.core import SETTINGS
    from pymatgen.io.vasp.inputs import PotcarSingle

    root = SETTINGS.get("PMG_VASP_PSP_DIR")
    if not root:
        raise InputError(
            "PMG_VASP_PSP_DIR is not set, so no POTCAR can be found. Once, with the POTCARs that "
            "came with VASP: pmg config -p VASP_POTCARS NEW_FOLDER, then "
            f"{_REMEMBER.format(folder='NEW_FOLDER')}"
        )
    release = settings.potcar_functional
    names = SETTINGS.get("PMG_VASP_PSP_SUB_DIRS") or {}
    name = str(names.get(release, PotcarSingle.functional_dir[release]))
    folder = Path(root).expanduser() / name
    if not folder.is_dir():
        raise InputError(
            f"there is no folder {folder} with the POTCARs of {release}: correct "
            f"PMG_VASP_PSP_DIR ({_REMEMBER.format(folder='FOLDER')}), or choose another "
            "potcar_functional",
            key="settings.potcar_functional",
        )
    return folder


def _read(element: str, symbol: str, folder: Path) -> dict[str, Any]:
    """Return what identifies a POTCAR; ValueError where it cannot be used."""
    from monty.os.path import zpath
    from pymatgen.io.vasp.inputs import PotcarSingle, UnknownPotcarWarning

    names = (f"POTCAR.{symbol}", f"{symbol}/POTCAR")  # both ways in which pymatgen keeps them
    paths = [Path(zpath(str(folder / name))) for name in names]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        tried = " or ".join(str(folder / name) for name in names)
        raise ValueError(f"POTCAR {symbol} of {element} is missing: there is no {tried} (.gz)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownPotcarWarning)  # told as `known`
        try:
            potcar = PotcarSingle.from_file(path)
            potcar._symbol = symbol  # noqa: SLF001  # it reads the name of the file for it
            read = {
                "symbol": symbol,
                "titel": str(potcar.TITEL),
                "sha256": hashlib.sha256(potcar.data.encode()).hexdigest(),
                "enmax": float(potcar.ENMAX),
                "electrons": float(potcar.ZVAL),
                "known": bool(potcar.is_valid),
            }
            holds, functional = potcar.element, potcar.functional
        except Exception as error:  # noqa: BLE001  # a damaged file fails anywhere in the parser
            detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise ValueError(f"{path} cannot be read as a POTCAR ({detail})") from None
    if holds != element or functional != "PBE":
        raise ValueError(
            f"{path} is a POTCAR of {holds} for {functional}, not of {element} for PBE"
        )
    return read
