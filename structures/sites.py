"""Symmetry-distinct sites of a cell, by ordinary or magnetic symmetry."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import spglib
from pymatgen.core import Structure

from vacancy_flows.structures.names import nearest, site_labels
from vacancy_flows.structures.symmetry import SYMPREC, checked, space_group, spglib_cell

COORDINATION_CUTOFF = 2.6
"""Cations within this distance (Å) count towards the coordination."""

MAG_SYMPREC = 0.1
"""Moments that differ by less (µB) are equal."""

# Elements that take electrons from the metals of a cathode. H, C, B, Si, P and all metals count
# as cations, so that PO4 and CO3 groups coordinate.
_ANIONS = frozenset({"N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I"})


@dataclass(frozen=True)
class SiteClass:
    """Sites that symmetry makes equivalent in the cell computed.

    Attributes
    ----------
    label
        Label of the first member in the structure's order.
    members
        Labels of all members, in the structure's order.
    wyckoff
        Wyckoff multiplicity and letter of the host before anything was done to it, the middle
        part of the label.
    multiplicity
        Number of members in this cell.
    coordination
        Cations within :data:`COORDINATION_CUTOFF` of the first member.
    """

    label: str
    members: tuple[str, ...]
    wyckoff: str
    multiplicity: int
    coordination: int


def site_classes(
    structure: Structure,
    element: str = "O",
    moments: Sequence[float] | None = None,
    symprec: float = SYMPREC,
    mag_symprec: float = MAG_SYMPREC,
) -> list[SiteClass]:
    """Group the sites of an element by the symmetry of the cell as it is.

    With moments, equivalence is that of the magnetic space group of collinear spins without
    spin-orbit coupling: rotations leave a moment's sign alone, time reversal flips all.

    Parameters
    ----------
    structure
        Labelled structure (`prepare_host`), strained, delithiated and relaxed as it may be.
    element
        Symbol of the element.
    moments
        One moment in µB per site; None for engines that ignore them.
    symprec
        Tolerance of positions, Å.
    mag_symprec
        Tolerance of moments, µB.

    Returns
    -------
    list of SiteClass
        In the structure's order; empty where the element is absent.

    Raises
    ------
    ValueError
        For structures without labels, moments that do not fit, and where spglib finds no group.
    """
    labels = site_labels(structure)
    equivalent = _equivalent_atoms(structure, moments, symprec, mag_symprec)
    members: dict[int, list[int]] = {}
    for i, site in enumerate(structure):
        if site.specie.symbol == element:
            members.setdefault(int(equivalent[i]), []).append(i)
    firsts = [sites[0] for sites in members.values()]
    return [
        SiteClass(
            label=labels[sites[0]],
            members=tuple(labels[i] for i in sites),
            wyckoff=labels[sites[0]].split("-")[1],
            multiplicity=len(sites),
            coordination=coordination,
        )
        for sites, coordination in zip(
            members.values(), _coordinations(structure, firsts), strict=True
        )
    ]


def _equivalent_atoms(
    structure: Structure, moments: Sequence[float] | None, symprec: float, mag_symprec: float
) -> np.ndarray:
    """For each site a number (N,) that it shares with its equivalents."""
    if moments is None:
        return np.array(space_group(structure, symprec).equivalent_atoms)
    spins = np.array(moments, float)
    if spins.shape != (len(structure),) or not np.isfinite(spins).all():
        raise ValueError(
            f"Moments must be {len(structure)} finite numbers, one per site; the shape given is "
            f"{spins.shape}."
        )
    cell = (*spglib_cell(structure), spins)
    # The dataset would name the group too (UNI number), and fails for supercells where it cannot;
    # operations are all that classes need.
    options = {"is_axial": False, "symprec": symprec, "mag_symprec": mag_symprec}
    found = checked(spglib.get_magnetic_symmetry, cell, **options)
    return np.array(found["equivalent_atoms"])


def _coordinations(structure: Structure, sites: Sequence[int]) -> list[int]:
    """Cations within the cutoff of each of `sites`, periodic images counted."""
    if not sites:
        return []
    cations = np.array([site.specie.symbol not in _ANIONS for site in structure])
    centres, neighbours, _, _ = structure.get_neighbor_list(
        COORDINATION_CUTOFF, sites=[structure[i] for i in sites]
    )
    counts = np.bincount(centres[cations[neighbours]], minlength=len(sites))
    return [int(count) for count in counts]


def select_classes(classes: Sequence[SiteClass], labels: Sequence[str]) -> list[SiteClass]:
    """Take the whole class of each site named.

    Parameters
    ----------
    classes
        Classes of a structure.
    labels
        Labels of any members, in any order.

    Returns
    -------
    list of SiteClass
        Each class once, in the order of `classes`.

    Raises
    ------
    ValueError
        For labels that are in no class, with the nearest known.
    """
    known = {label for found in classes for label in found.members}
    unknown = [label for label in labels if label not in known]
    if unknown:
        raise ValueError(
            "There is no site "
            + ", ".join(f"{label} (nearest known: {nearest(label, known)})" for label in unknown)
            + "."
        )
    wanted = set(labels)
    return [found for found in classes if wanted.intersection(found.members)]
