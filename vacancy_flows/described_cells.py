"""From what a campaign file describes under ``structure`` to a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pymatgen.core import Structure

from vacancy_flows.identity import root_uid
from vacancy_flows.structure_blocks import Bicrystal, Boundary, Described, Layered, TwinBlock
from vacancy_flows.structures import prepare_host
from vacancy_flows.structures.boundaries import (
    Limits,
    Orientation,
    bicrystals,
    find_matches,
    preset_boundary,
    twins,
)
from vacancy_flows.structures.ncm_composition import li_rich_cell


def described_cell(block: Described, read_bulk: Callable[[str], Structure]) -> Structure:
    """Build what a block of the campaign file describes.

    Parameters
    ----------
    block
        From `vacancy_flows.structure_blocks.described`.
    read_bulk
        Returns the bulk of a name or path.

    Returns
    -------
    Structure
        Not labelled yet; a boundary with ``properties["boundary"]["preset"]``, which says how
        it was asked for and is its identity.

    Raises
    ------
    ValueError
        Where there is no such cell: no match, a thickness below one plane, a composition that
        cannot be whole.
    """
    if isinstance(block, Boundary):
        found = preset_boundary(block.boundary, block.thickness, block.candidate + 1)
        cell = _candidate(found, block.candidate)
        cell.properties["boundary"]["preset"] |= _numbered(block.candidate)
        return cell
    if isinstance(block, Layered):
        a, b, c = block.cells
        return li_rich_cell(
            block.composition,
            (a, b, c),
            order=block.order,
            seed=block.seed,
            tolerance=block.tolerance,
        )
    bulk = read_bulk(block.bulk)
    cell = _twin(block, bulk) if isinstance(block, TwinBlock) else _bicrystal(block, bulk)
    cell.properties["boundary"]["preset"] = _asked(block, bulk)
    cell.properties["provenance"] = dict(bulk.properties.get("provenance", {}))
    return cell


def _twin(block: TwinBlock, bulk: Structure) -> Structure:
    axis = None if block.axis is None else _triple(block.axis)
    number = block.candidate
    found = twins(bulk, _triple(block.twin), thickness=block.thickness, axis=axis, keep=number + 1)
    return _candidate(found, number)


def _bicrystal(block: Bicrystal, bulk: Structure) -> Structure:
    tilt = block.bicrystal
    orientation = Orientation(
        _triple(tilt.axis),
        None if tilt.up is None else _triple(tilt.up),
        tilt.top_angle,
        tilt.bottom_angle,
        None if tilt.up_plane is None else _triple(tilt.up_plane),
    )
    limits = Limits(block.width, block.strain, block.shear, block.tolerance)
    matches = find_matches(bulk, orientation, limits, thickness=block.thickness, depth=block.depth)
    if block.match >= len(matches):
        raise ValueError(
            f"There is no match {block.match}: the {len(matches)} within the limits are numbered "
            f"from 0, see `vacancy-flows build`."
        )
    found = bicrystals(bulk, matches[block.match], block.candidate + 1, vacuum=block.vacuum)
    cell = _candidate(found, block.candidate)
    cell.properties["boundary"]["matches"] = [str(match) for match in matches]
    cell.properties["boundary"]["match"] = block.match
    return cell


def _asked(block: Bicrystal | TwinBlock, bulk: Structure) -> dict[str, Any]:
    """Return what identifies a boundary: everything asked for, and which crystal it is of."""
    kind = "twin" if isinstance(block, TwinBlock) else "bicrystal"
    asked = block.model_dump(mode="json", exclude={"candidate"}) | _numbered(block.candidate)
    return {"name": kind, **asked, "bulk": root_uid(prepare_host(bulk))}


def _candidate(found: list[Structure], number: int) -> Structure:
    if number >= len(found):
        raise ValueError(
            f"structure.candidate: there is no candidate {number}; the {len(found)} found are "
            "numbered from 0"
        )
    return found[number]


def _numbered(candidate: int) -> dict[str, int]:
    """Return the number of a candidate for an identity; nothing of the first."""
    return {"candidate": candidate} if candidate else {}


def _triple(values: list[int]) -> tuple[int, int, int]:
    first, second, third = values
    return first, second, third
