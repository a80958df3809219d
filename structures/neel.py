"""Signs of a Néel order: every nearest magnetic neighbour opposite."""

from collections.abc import Sequence

import numpy as np
from pymatgen.core import Structure

MAGNETIC = 0.1
"""Moments above this (µB) take part in an order."""

# Neighbours up to this share beyond a site's nearest one count as nearest. The next shell is at
# 1.41 (square) or 1.73 (honeycomb, triangular) of the first; a strain of 5 % spreads the first
# by less than 10 %.
_SHELL = 1.2


def common_sign(moments: Sequence[float]) -> float | None:
    """Return the sign that all moments above `MAGNETIC` have, None where they differ.

    None too where no moment is above it: then there is no order to follow.

    Parameters
    ----------
    moments
        µB.
    """
    signs = {float(np.sign(moment)) for moment in moments if abs(moment) > MAGNETIC}
    return signs.pop() if len(signs) == 1 else None


def neel_signs(structure: Structure, magnetic: Sequence[int]) -> list[int]:
    """Two-colour the periodic graph of nearest magnetic neighbours.

    Parameters
    ----------
    structure
        The cell that is computed; images count, so that an order which needs a larger cell is
        refused.
    magnetic
        Indices of the magnetic sites.

    Returns
    -------
    list of int
        +1 or -1 for each of `magnetic`; the first site of each connected part is +1, so the
        order between parts (layers) is a choice, not a result.

    Raises
    ------
    ValueError
        Where nearest neighbours cannot all be opposite.
    """
    edges = _nearest_pairs(structure, magnetic)
    signs = [0] * len(magnetic)
    for start in range(len(magnetic)):
        if signs[start]:
            continue
        signs[start] = 1
        queue = [start]
        while queue:
            here = queue.pop()
            for there in edges[here]:
                if signs[there] == signs[here]:
                    raise _refusal(structure, magnetic[here], magnetic[there])
                if not signs[there]:
                    signs[there] = -signs[here]
                    queue.append(there)
    return signs


def _refusal(structure: Structure, one: int, other: int) -> ValueError:
    names = structure.site_properties.get("label") or [
        f"site {i + 1} ({site.species_string})" for i, site in enumerate(structure)
    ]
    reason = (
        f"{names[one]} is its own nearest magnetic neighbour through the periodic images"
        if one == other
        else f"{names[one]} and {names[other]} would be nearest neighbours with the same sign"
    )
    return ValueError(
        f"No antiferromagnetic order by nearest neighbours fits this cell: {reason}. "
        "Use a supercell that doubles it, give moments per label, or use 'fm'."
    )


def _nearest_pairs(structure: Structure, magnetic: Sequence[int]) -> list[set[int]]:
    """Nearest magnetic neighbours of each magnetic site, images included."""
    edges: list[set[int]] = [set() for _ in magnetic]
    if not magnetic:
        return edges
    sub = Structure.from_sites([structure[i] for i in magnetic])
    radius, longest = 4.0, 2.0 * float(np.max(sub.lattice.abc)) + 4.0
    while True:
        one, other, _, distance = sub.get_neighbor_list(radius)
        nearest = np.full(len(sub), np.inf)
        np.minimum.at(nearest, one, distance)
        if np.max(nearest) * _SHELL < radius or radius > longest:
            break
        radius *= 1.5
    for i, j, length in zip(one, other, distance, strict=True):
        if length <= nearest[i] * _SHELL:
            edges[i].add(int(j))
            edges[j].add(int(i))
    return edges
