"""From a host of the campaign file to a labelled, symmetrised structure."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

from monty.io import zopen
from pymatgen.core import Structure

from vacancy_flows.campaign import Campaign
from vacancy_flows.campaign_blocks import Host
from vacancy_flows.described_cells import described_cell
from vacancy_flows.errors import InputError, nearest
from vacancy_flows.structure_blocks import Described
from vacancy_flows.structures import (
    BUILT_IN_HOSTS,
    built_in_host,
    initial_moments,
    prepare_host,
    removal_count,
)

_MAX_MB = 20  # a CIF of 5000 atoms has 0.5
_BUILT: dict[tuple[str, str], Structure] = {}  # searches of seconds, wanted several times
_NO_CATIONS = {"O", "F", "He", "Ne", "Ar"}


def build_host(campaign: Campaign, index: int) -> Structure:
    """Return the root of a host: built, symmetrised, multiplied and labelled.

    Parameters
    ----------
    campaign
        Read by `load_campaign`.
    index
        Of the host in the campaign.

    Raises
    ------
    InputError
        Where the structure cannot be read or used as a host.
    """
    host = campaign.hosts[index]
    key = f"hosts.{index}"
    unit = _unit_cell(campaign, host, key)
    if not any(site.species.elements and "O" in _symbols(site) for site in unit):
        problem = f"{host.structure} has no oxygen: there is nothing to remove"
        raise InputError(problem, file=campaign.path, key=f"{key}.structure")
    if not _has_cation(unit):
        problem = f"{host.structure} has no cation: give an oxide, which has an element besides O"
        raise InputError(problem, file=campaign.path, key=f"{key}.structure")
    try:
        root = prepare_host(unit, host.supercell)
    except ValueError as error:
        part = "supercell" if "supercell" in str(error) else "structure"
        raise InputError(str(error), file=campaign.path, key=f"{key}.{part}") from None
    _check_delithiation(campaign, root, host, key)
    return root


def with_moments(campaign: Campaign, root: Structure) -> Structure:
    """Return the host with the campaign's initial moments on every site.

    Raises
    ------
    InputError
        Where the order is not possible or the moments name something unknown.
    """
    magnetism = campaign.magnetism
    try:
        moments = initial_moments(root, magnetism.order, magnetism.moments)
    except ValueError as error:
        raise InputError(str(error), file=campaign.path, key="magnetism") from None
    result = root.copy()
    result.add_site_property("magmom", moments)
    # Where the sites' symmetry is looked for: converged moments scatter, initial ones do not.
    result.add_site_property("initial_magmom", moments)
    return result


def _has_cation(sites: Iterable[object]) -> bool:
    return any(_symbols(site) - _NO_CATIONS for site in sites)


def _symbols(site: object) -> set[str]:
    return {element.symbol for element in site.species.elements}  # type: ignore[attr-defined]


def _unit_cell(campaign: Campaign, host: Host, key: str) -> Structure:
    if not isinstance(host.structure, str):
        return _described(campaign, host, host.structure, key)
    if host.structure in BUILT_IN_HOSTS:
        try:
            return built_in_host(host.structure, host.cell)
        except ValueError as error:
            raise InputError(str(error), file=campaign.path, key=f"{key}.cell") from None
    if host.cell is not None and _is_file(_path_of(campaign, host.structure)):
        problem = "applies to built-in hosts only; a file's cell is taken as it is: leave it out"
        raise InputError(problem, file=campaign.path, key=f"{key}.cell")
    return _file_cell(campaign, host.structure, f"{key}.structure")


def _described(campaign: Campaign, host: Host, block: Described, key: str) -> Structure:
    """Build the cell that a mapping under ``structure`` describes."""
    flat = not any(row[2] for row in host.supercell[:2]) and list(host.supercell[2]) == [0, 0, 1]
    if block.is_boundary and not flat:
        problem = "a boundary cell is repeated in its plane only: give [n, m, 1]"
        raise InputError(problem, file=campaign.path, key=f"{key}.supercell")

    def read_bulk(name: str) -> Structure:
        if name in BUILT_IN_HOSTS:
            return built_in_host(name)
        return _file_cell(campaign, name, f"{key}.structure.bulk")

    asked = (block.model_dump_json(), str(campaign.path))
    try:
        if asked not in _BUILT:
            _BUILT[asked] = described_cell(block, read_bulk)
    except InputError:  # of the bulk, by its own name
        raise
    except ValueError as error:
        raise InputError(str(error), file=campaign.path, key=f"{key}.structure") from None
    return deepcopy(_BUILT[asked])


def _file_cell(campaign: Campaign, name: str, key: str) -> Structure:
    """Read a structure file named in a campaign file."""
    path = _path_of(campaign, name)
    if not _is_file(path):
        hint = nearest(name, BUILT_IN_HOSTS)
        found = f"{path} is a folder" if _is_folder(path) else f"there is no file {path}"
        raise InputError(
            f"{name!r} is neither a built-in host ({hint}) nor a file ({found})",
            file=campaign.path,
            key=key,
        )
    return _read_structure(path, campaign.path, key)


def _path_of(campaign: Campaign, name: str) -> Path:
    """Return the path of a structure file; a relative one is relative to the campaign file."""
    path = Path(name)
    with contextlib.suppress(RuntimeError):  # "~somebody" who has no home
        path = path.expanduser()
    return path if campaign.path is None else campaign.path.parent / path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a null character
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _read_structure(path: Path, file: Path | None, key: str) -> Structure:
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", file=file, key=key)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pymatgen warns of rounding in most CIFs
            structure = None if _is_large(path) else Structure.from_file(path)
    except Exception as error:  # noqa: BLE001  # each parser has errors of its own
        detail = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path} cannot be read as a structure ({detail}): use CIF, POSCAR or another "
            "format pymatgen reads",
            file=file,
            key=key,
        ) from None
    if structure is None:
        problem = f"{path} holds more than {_MAX_MB} MB: give the structure alone, as CIF or POSCAR"
        raise InputError(problem, file=file, key=key)
    if not isinstance(structure, Structure):
        raise InputError(f"{path} holds no periodic structure", file=file, key=key)
    for name in ("axes", "boundary"):  # ours alone: a file's axes are those of its cell
        structure.properties.pop(name, None)
    structure.properties["provenance"] = {"order": f"that of {path.name}"}
    return structure


def _is_large(path: Path) -> bool:
    """Tell whether a file, unpacked, is larger than a structure can be."""
    with zopen(path, "rb") as stream:
        return len(stream.read(_MAX_MB * 10**6 + 1)) > _MAX_MB * 10**6


def _check_delithiation(campaign: Campaign, root: Structure, host: Host, key: str) -> None:
    if host.delithiate is None:
        return
    key = f"{key}.delithiate.fraction"
    n_li = sum(site.specie.symbol == "Li" for site in root)
    try:
        removed = removal_count(n_li, host.delithiate.fraction)
    except ValueError as error:
        raise InputError(str(error), file=campaign.path, key=key) from None
    if removed == n_li and not _has_cation(site for site in root if site.specie.symbol != "Li"):
        problem = "no cation would be left: remove a smaller share"
        raise InputError(problem, file=campaign.path, key=key)
