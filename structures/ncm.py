"""Layered bulk cells: LiTMO2 of R-3m, and Li3NiCoMnO6 with ordered transition metals."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pymatgen.core import Element, Lattice, Structure

A_HEX = 2.86
"""a of the R-3m cell, Å (boundaries.md: the cell of the 109° tilt)."""

C_HEX = 14.2
"""c of the R-3m cell, Å (as `A_HEX`)."""

Z_OXYGEN = 0.2585
"""z of O on 6c. Chosen here, not refined: TM-O is then 1.96 Å and Li-O 2.10 Å."""

FORMAL_STATES: Mapping[str, float] = {"Li": 1.0, "Ni": 2.0, "Co": 3.0, "Mn": 4.0, "O": -2.0}
"""Formal charges in Li3NiCoMnO6; `oxidation_states` gives the same."""

# Rows: interlayer steps of the rhombohedral lattice in hexagonal axes, obverse setting. The first
# stacks the C2 order; with it both planes of the 109° tilt repeat after 3a (see `tilt_109`).
_STEPS = np.array([[-1, -2, 1], [2, 1, 1], [-1, 1, 1]]) / 3
# Rows: the root-3 in-plane vectors in hexagonal axes.
_ROOT3 = np.array([[2, 1, 0], [-1, 1, 0]], float)
_ORDER = ("Ni", "Co", "Mn")


def layered_host(
    metal: str = "Co",
    a: float = A_HEX,
    c: float = C_HEX,
    z: float = Z_OXYGEN,
    cell: Literal["conventional", "primitive"] = "conventional",
) -> Structure:
    """Build LiTMO2 of R-3m (no. 166, the structure of α-NaFeO2) with one transition metal.

    TM on 3a (0, 0, 0), Li on 3b (0, 0, 1/2), O on 6c (0, 0, z), obverse hexagonal axes.
    With the default numbers it stands for the mean lattice of Li3NiCoMnO6.

    Parameters
    ----------
    metal
        Symbol of the element on the TM sites.
    a, c
        Hexagonal lattice parameters, Å.
    z
        Fractional coordinate of O, between 1/4 and 1/3 for oxygen in octahedra around TM.
    cell
        The hexagonal cell of 12 atoms or the rhombohedral one of 4, same orientation.

    Returns
    -------
    Structure
        With ``properties["axes"]`` (hexagonal a, b, c in terms of the cell) and
        ``properties["provenance"]``, where every number comes from.

    Raises
    ------
    ValueError
        For an unknown element, parameters that are not positive, z outside (1/6, 1/3), and an
        unknown cell.
    """
    if metal not in Element.__members__:
        raise ValueError(f"There is no element {metal!r}: give the symbol of a transition metal.")
    if not (a > 0 and c > 0 and 1 / 6 < z < 1 / 3):
        raise ValueError(
            f"a = {a} and c = {c} must be positive lengths in Å and z = {z} lie between 1/6 and "
            "1/3: O then stands between the Li and the TM layer."
        )
    if cell not in ("conventional", "primitive"):
        raise ValueError(f"Unknown cell {cell!r}: use 'conventional' or 'primitive'.")
    hexagonal = Lattice.hexagonal(a, c).matrix
    motif = np.array([[0, 0, 0.5], [0, 0, 0], [0, 0, z], [0, 0, -z]])
    species = ["Li", metal, "O", "O"]
    rows = np.eye(3) if cell == "conventional" else _STEPS
    centres = (
        np.array([[0, 0, 0], _STEPS[1], -_STEPS[1]]) if cell == "conventional" else [[0.0] * 3]
    )
    positions = [point + centre for point in motif for centre in centres]
    return Structure(
        rows @ hexagonal,
        [symbol for symbol in species for _ in centres],
        np.round(np.array(positions) @ np.linalg.inv(rows), 12) % 1.0,
        properties=_properties(rows, a, c, z),
    )


def ordered_ncm(
    stacking: Literal["C2", "P3_112"] = "C2",
    a: float = A_HEX,
    c: float = C_HEX,
    z: float = Z_OXYGEN,
) -> Structure:
    """Build Li3NiCoMnO6 with Ni, Co and Mn on the three sublattices of a √3×√3 layer.

    ``C2`` repeats the layer by one rhombohedral step: 12 atoms, primitive cell of C2 (no. 5).
    ``P3_112`` takes the three steps in turn, a screw axis: 36 atoms, trigonal (no. 151).
    Positions are those of the R-3m parent; an engine relaxes them.

    Parameters
    ----------
    stacking
        How the ordered layers follow each other.
    a, c, z
        As in `layered_host`.

    Returns
    -------
    Structure
        With ``properties["parent_axes"]``, 3×3: ``parent_axes @ lattice.matrix`` are hexagonal
        a, b, c of the R-3m parent, in which boundaries are named; and ``"provenance"``.

    Raises
    ------
    ValueError
        For an unknown stacking and as in `layered_host`.
    """
    if stacking not in ("C2", "P3_112"):
        raise ValueError(f"Unknown stacking {stacking!r}: use 'C2' or 'P3_112'.")
    parent = layered_host("Co", a, c, z, "primitive")
    hexagonal = np.array(parent.properties["axes"]) @ parent.lattice.matrix
    layers = 1 if stacking == "C2" else 3
    starts = np.vstack([np.zeros(3), np.cumsum(_STEPS, axis=0)])
    rows = np.vstack([_ROOT3, starts[layers]])
    motif = np.array([[0, 0, 0], [0, 0, 0.5], [0, 0, z], [0, 0, -z]])
    atoms: list[tuple[str, np.ndarray]] = []
    for layer in range(layers):
        for sublattice, metal in enumerate(_ORDER):
            origin = starts[layer] + np.array([sublattice, 0.0, 0.0])
            atoms += zip((metal, "Li", "O", "O"), motif + origin, strict=True)
    atoms.sort(key=lambda atom: ("Li", *_ORDER, "O").index(atom[0]))
    inverse = np.linalg.inv(rows)
    positions = np.round(np.array([position for _, position in atoms]) @ inverse, 12) % 1.0
    properties = _properties(np.eye(3), a, c, z) | {"parent_axes": inverse.tolist()}
    properties["provenance"]["order"] = (
        f"Ni, Co, Mn on the sublattices of √3×√3 R30°, stacking {stacking} (boundaries.md)"
    )
    return Structure(
        rows @ hexagonal, [symbol for symbol, _ in atoms], positions, properties=properties
    )


def _properties(rows: np.ndarray, a: float, c: float, z: float) -> dict[str, Any]:
    """Axes of the conventional cell, and the source of each number."""
    parent = "mean lattice of Li3NiCoMnO6 (boundaries.md)"
    return {
        "axes": np.linalg.inv(rows).tolist(),
        "provenance": {
            "a": f"{a} Å, {parent if a == A_HEX else 'given'}",
            "c": f"{c} Å, {parent if c == C_HEX else 'given'}",
            "z": f"{z}, {'chosen for TM-O 1.96 Å and Li-O 2.10 Å' if z == Z_OXYGEN else 'given'}",
            "positions": "R-3m: TM 3a (0,0,0), Li 3b (0,0,1/2), O 6c (0,0,z), obverse",
        },
    }
