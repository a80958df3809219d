"""Where the vacancies of boundary cells stand: sets along b, and at which boundary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vacancy_flows.schemas import Record
from vacancy_flows.structures.boundaries import nearest_boundary, positions_along_b, site_sets

MAX_SETS = 4
"""Sets of sites along b, S1 to S4."""


def sets_along_b(
    uids: Iterable[str], vacancies: Mapping[str, Record], pristine: Mapping[str, Record]
) -> dict[str, str]:
    """Return the set S1, S2, ... along b of each vacancy at a boundary, by uid.

    The vacancies of one cell are put into at most `MAX_SETS` (see `site_sets`).

    Parameters
    ----------
    uids
        Of vacancies; those in cells without boundaries are left out.
    vacancies, pristine
        Records by uid.
    """
    by_cell: dict[str, dict[str, str]] = {}
    for uid in dict.fromkeys(uids):
        record = vacancies.get(uid)
        cell = pristine.get(str(record.calculation.pristine_uid)) if record else None
        if record is not None and cell is not None and cell.structure.properties.get("boundary"):
            by_cell.setdefault(cell.uid, {})[uid] = str(record.calculation.site)
    found: dict[str, str] = {}
    for cell_uid, sites in by_cell.items():
        structure = pristine[cell_uid].structure
        labels = list(dict.fromkeys(sites.values()))
        number = min(MAX_SETS, positions_along_b(structure, labels))
        names = site_sets(structure, labels, number)
        found |= {uid: names[site] for uid, site in sites.items()}
    return found


def boundaries_of(label: str, cell: Record) -> str:
    """Return the numbers of the boundaries at which the members of a site's class stand.

    A class bears the label of its first member, which symmetry may put at either boundary.

    Parameters
    ----------
    label
        Of the site.
    cell
        Its pristine cell, with boundaries.
    """
    structure = cell.structure
    near = dict(zip(structure.site_properties["label"], nearest_boundary(structure), strict=True))
    classes = (entry["members"] for entry in cell.choice.get("classes", ()))
    members = next((found for found in classes if label in found), (label,))
    return " ".join(str(number) for number in sorted({near[member] for member in members}))
