"""Boundaries of Li3NiCoMnO6 that are ready to use."""

from collections import Counter
from typing import Any

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures.boundaries.match import Limits, Match, ingrained_orientation
from vacancy_flows.structures.boundaries.matches import find_matches
from vacancy_flows.structures.boundaries.search import bicrystals
from vacancy_flows.structures.boundaries.sites import plane_distances
from vacancy_flows.structures.boundaries.twin import twins
from vacancy_flows.structures.names import nearest
from vacancy_flows.structures.ncm import layered_host, ordered_ncm
from vacancy_flows.structures.ncm_decoration import arrange, sorted_by_element
from vacancy_flows.structures.sites import COORDINATION_CUTOFF

PRESETS: tuple[str, ...] = ("tilt_109", "tilt_109_ordered", "twin_104")
"""Names that `preset_boundary` knows."""

_NEAR = 3.0  # Å from a boundary, for the report of segregation


def preset_boundary(name: str, thickness: float | None = None, keep: int = 1) -> list[Structure]:
    """Build a boundary of Li3NiCoMnO6 by its name.

    ``tilt_109``: (012) ∥ (0-17), misorientation 110.1°, two axis repeats deep, 192 atoms; grains
    of R-3m whose Ni, Co and Mn are arranged by electrostatics once the cell is built, which
    segregates Ni to its sites of few O (reported). ``tilt_109_ordered``: the same match cut from
    the √3×√3 ordered C2 cell, 288 atoms. ``twin_104``: mirror twin of the ordered cell on (01-4), a
    plane equal to (104), 96 atoms, 12 O in the two mirrors.

    Parameters
    ----------
    name
        One of :data:`PRESETS`.
    thickness
        Of each grain, Å; None for 9.4 (tilts: 4 and 6 planes) and 8.1 (twin: 4 planes).
    keep
        Candidates wanted, each with other terminations or translations; for the twin, mirrors at
        other heights.

    Returns
    -------
    list of Structure
        Tilts ranked by electrostatics, twins by overlap. ``properties["boundary"]["preset"]`` has
        name and thickness, ``["decoration"]`` how the metals were placed, with their
        coordination near and far.

    Raises
    ------
    ValueError
        For unknown names and a thickness below one plane.
    """
    if name not in PRESETS:
        raise ValueError(f"There is no boundary {name!r}; nearest known: {nearest(name, PRESETS)}.")
    thick = thickness if thickness is not None else (8.1 if name == "twin_104" else 9.4)
    if name == "twin_104":
        bulk = ordered_ncm("C2")
        # Of the planes equal to (104), that which repeats by a and 5.77 Å in the ordered cell.
        cells = twins(bulk, (0, 1, -4), thickness=thick, axis=(1, 0, 0), keep=keep)
    else:
        bulk = ordered_ncm("C2") if name == "tilt_109_ordered" else layered_host("Co")
        depth = 1 if name == "tilt_109_ordered" else 2
        cells = _tilts(bulk, thick, depth, keep)
    finished = [cell if name != "tilt_109" else _decorated(cell) for cell in cells]
    for cell in finished:
        boundary = cell.properties["boundary"]
        boundary["preset"] = {"name": name, "thickness": float(thick)}
        if name != "tilt_109":
            boundary["decoration"] = {"method": "cut from the ordered C2 cell"}
        boundary["decoration"]["metals"] = segregation(cell)
        cell.properties["provenance"] = dict(bulk.properties["provenance"])
        if name == "tilt_109":
            cell.properties["provenance"]["order"] = boundary["decoration"]["method"]
    return finished


def _tilts(bulk: Structure, thickness: float, depth: int, keep: int) -> list[Structure]:
    """Build the 109° tilt in ingrained's words: project -a, upward c, top -71, bottom +38."""
    orientation = ingrained_orientation((-1, 0, 0), (0, 0, 1), -71.0, 38.0)
    matches = find_matches(
        bulk, orientation, Limits(width=16.0, strain=0.01), thickness=thickness, depth=depth
    )
    if depth == 2:
        _check_metals(matches[0], thickness)
    cells = bicrystals(bulk, matches[0], keep, rank="electrostatics")
    for cell in cells:
        cell.properties["boundary"]["matches"] = [str(match) for match in matches]
        cell.properties["boundary"]["match"] = 0
    return cells


def _check_metals(match: Match, thickness: float) -> None:
    """Refuse grains whose metal sites Ni, Co and Mn cannot share equally."""

    def metals(height: float) -> int:
        sides = (match.top, match.bottom)
        planes = [max(1, round(height / side.spacing)) for side in sides]
        repeats = [side.repeats for side in sides]
        return match.repeats * int(np.dot(planes, repeats))

    if metals(thickness) % 3 == 0:
        return
    lowest = max(match.top.spacing, match.bottom.spacing)
    able = [h for h in np.arange(lowest, thickness + 10, 0.1) if metals(float(h)) % 3 == 0]
    near = sorted({round(float(h), 1) for h in able}, key=lambda h: (abs(h - thickness), h))[:1]
    near += sorted(
        (round(float(h), 1) for h in able if (h - thickness) * (near[0] - thickness) < 0),
        key=lambda h: abs(h - thickness),
    )[:1]
    raise ValueError(
        f"thickness = {thickness:g} Å gives {metals(thickness)} metal sites, which Ni, Co and Mn "
        f"cannot share equally; the nearest that can: {' and '.join(f'{h:g}' for h in near)} Å."
    )


def _decorated(cell: Structure) -> Structure:
    """Ni, Co and Mn in equal numbers on the metal sites, by electrostatics."""
    metals = [i for i, site in enumerate(cell) if site.specie.symbol == "Co"]
    placed = arrange(cell, metals, dict.fromkeys(("Ni", "Co", "Mn"), len(metals) // 3))
    result = sorted_by_element(placed.structure)
    result.properties["boundary"]["decoration"] = {
        "method": "electrostatics of Ni2+, Co3+, Mn4+ in the unrelaxed boundary cell",
        "energy": round(placed.energy, 6),
        "runs_agreeing": list(placed.agreeing),
        "proved": False,
        "note": "puts Ni2+ on metal sites of too few O, which tilt_109_ordered does not",
    }
    return result


def segregation(structure: Structure) -> dict[str, Any]:
    """How each metal is coordinated, near (3 Å) a boundary and far from it.

    Parameters
    ----------
    structure
        With boundaries.

    Returns
    -------
    dict
        Per element ``"near"`` and ``"far"``: number of O within 2.6 Å to number of sites.
    """
    distance = plane_distances(structure)
    first, second, _, _ = structure.get_neighbor_list(COORDINATION_CUTOFF)
    oxygen = np.array([site.specie.symbol == "O" for site in structure])
    coordination = np.bincount(first[oxygen[second]], minlength=len(structure))
    report: dict[str, Any] = {}
    for symbol in ("Ni", "Co", "Mn"):
        sites = [i for i, site in enumerate(structure) if site.specie.symbol == symbol]
        report[symbol] = {
            where: {str(n): count for n, count in sorted(Counter(numbers).items())}
            for where, numbers in (
                ("near", [int(coordination[i]) for i in sites if distance[i] <= _NEAR]),
                ("far", [int(coordination[i]) for i in sites if distance[i] > _NEAR]),
            )
        }
    return report
