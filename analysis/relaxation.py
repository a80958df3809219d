"""How the neighbours of a vacancy moved when it was made."""

from collections import defaultdict

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymatgen.core import Structure

from vacancy_flows.analysis.neighbours import Bonds, bonds_of, known_index, label_index
from vacancy_flows.structures.sites import COORDINATION_CUTOFF

_COLUMNS = (
    "site",
    "species",
    "displacement_A",
    "distance_before_A",
    "distance_after_A",
    "outward_A",
    "bonds",
    "bond_change_mean_A",
    "bond_change_min_A",
    "bond_change_max_A",
)


def environment_changes(
    pristine: Structure, vacancy: Structure, label: str, cutoff: float = COORDINATION_CUTOFF
) -> pd.DataFrame:
    """Describe how the former neighbours of a vacancy moved.

    Sites are matched by label, positions by the nearest periodic image, in the frame of the cell
    as both calculations have it: a drift of the whole crystal is not taken out.

    Parameters
    ----------
    pristine : Structure
        Labelled, relaxed cell with the site.
    vacancy : Structure
        The same cell without it, relaxed; its sites in any order.
    label : str
        Label of the site removed.
    cutoff : float
        Counter-ions within this distance in the pristine cell are neighbours, Å.

    Returns
    -------
    pandas.DataFrame
        One row per bond the vacancy cut (an atom bonded through two periodic images has two),
        shortest first: site and species of the neighbour; displacement_A, how far it moved;
        distance_before_A and distance_after_A to the vacant position; outward_A, their
        difference, positive away from the vacancy; bonds, the number of its bonds that remain,
        and mean, least and greatest of their changes, positive where they grew (NaN without
        bonds).

    Raises
    ------
    ValueError
        If the cells differ, or `vacancy` is not `pristine` without the site named.
    """
    before, after = label_index(pristine), label_index(vacancy)
    vacant = known_index(before, label)
    _check_same(pristine, vacancy, label)
    moves = _displacements(pristine, vacancy, before, after)
    cut = bonds_of(pristine, [vacant], cutoff)
    neighbours = list(dict.fromkeys(int(i) for i in cut.others))
    changes = _bond_changes(bonds_of(pristine, neighbours, cutoff), neighbours, vacant, moves)
    names = list(before)
    rows = []
    for i, vector in zip(cut.others, cut.vectors, strict=True):
        near, far = float(np.linalg.norm(vector)), float(np.linalg.norm(vector + moves[i]))
        grown = changes[int(i)] or [np.nan]
        rows.append(
            [
                names[i],
                pristine[int(i)].specie.symbol,
                float(np.linalg.norm(moves[i])),
                near,
                far,
                far - near,
                len(changes[int(i)]),
                float(np.mean(grown)),
                min(grown),
                max(grown),
            ]
        )
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _check_same(pristine: Structure, vacancy: Structure, label: str) -> None:
    """Refuse cells that differ in more than the one site."""
    if not np.allclose(pristine.lattice.matrix, vacancy.lattice.matrix, rtol=0, atol=1e-4):
        raise ValueError(
            "The pristine and the vacancy cell have different lattices: displacements need two "
            "relaxations in the same fixed cell."
        )
    species = [
        {name: cell[i].specie.symbol for name, i in label_index(cell).items()}
        for cell in (pristine, vacancy)
    ]
    expected = {name: symbol for name, symbol in species[0].items() if name != label}
    if species[1] == expected:
        return
    wrong = sorted(name for name, _ in expected.items() ^ species[1].items())
    raise ValueError(
        f"The vacancy cell must be the pristine cell without {label}; they do not agree in "
        + ", ".join(dict.fromkeys(wrong[:6]))
        + "."
    )


def _displacements(
    pristine: Structure, vacancy: Structure, before: dict[str, int], after: dict[str, int]
) -> NDArray[np.float64]:
    """(N, 3) Å in pristine order; zero for the site removed. No atom moves half a cell."""
    moves = np.zeros((len(pristine), 3))
    for name, i in after.items():
        start, end = pristine[before[name]], vacancy[i]
        _, image = start.distance_and_image(end)
        step = end.frac_coords + image - start.frac_coords
        moves[before[name]] = step @ pristine.lattice.matrix
    return moves


def _bond_changes(
    bonds: Bonds, neighbours: list[int], vacant: int, moves: NDArray[np.float64]
) -> dict[int, list[float]]:
    """For each neighbour the changes of its bonds to the counter-ions that remain, Å."""
    changes: dict[int, list[float]] = defaultdict(list)
    for centre, other, vector in zip(bonds.centres, bonds.others, bonds.vectors, strict=True):
        if other != vacant:
            i = neighbours[centre]
            new = vector + moves[other] - moves[i]
            changes[i].append(float(np.linalg.norm(new) - np.linalg.norm(vector)))
    return changes
