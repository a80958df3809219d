"""Hosts that come with the package."""

from typing import Literal

import numpy as np
from pymatgen.core import Lattice, Structure

from vacancy_flows.structures.names import nearest
from vacancy_flows.structures.ncm import ordered_ncm

BUILT_IN_HOSTS: tuple[str, ...] = ("Li2MnO3", "Li3NiCoMnO6")
"""Names that :func:`built_in_host` knows."""

# a, b, c in Å and beta in degrees; see `built_in_host` for the source.
_LI2MNO3_CELL = (4.9488, 8.5485, 5.0366, 109.556)
# Element and fractional position of 2b, 2c, 4h, 4g, 4i, 8j, in this order.
_LI2MNO3_SITES: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("Li", (0.0, 0.5, 0.0)),
    ("Li", (0.0, 0.0, 0.5)),
    ("Li", (0.0, 0.661, 0.5)),
    ("Mn", (0.0, 0.167, 0.0)),
    ("O", (0.219, 0.0, 0.227)),
    ("O", (0.254, 0.321, 0.223)),
)
# Point operations of C2/m, unique axis b (International Tables A, no. 12), as diagonals.
_C2M_POINT = ((1, 1, 1), (-1, 1, -1), (-1, -1, -1), (1, -1, 1))
# Rows: the primitive vectors (a - b)/2, (a + b)/2 and c of the C-centred cell.
_C_PRIMITIVE = np.array([[0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])


def built_in_host(name: str, cell: Literal["conventional", "primitive"] | None = None) -> Structure:
    """Build a host that comes with the package.

    ``Li2MnO3`` is C2/m (no. 12, unique axis b), 24 atoms in the conventional cell and 12 in
    the primitive one. Lattice parameters a 4.9488, b 8.5485, c 5.0366 Å, beta 109.556° are
    those of the C2/m component in the two-phase refinement of the Li-rich composite of Liu
    et al., Nature 606, 305 (2022), doi 10.1038/s41586-022-04689-y. Positions are rounded
    values close to the published ones: Li 2b, 2c and 4h, Mn 4g, O 4i and 8j. They are a
    starting point: measure strain from the engine's own relaxed cell, never from this one.

    ``Li3NiCoMnO6`` is the √3×√3 ordered cell of 12 atoms, stacking C2 (see `ordered_ncm`), from
    which the ordered boundaries are cut; a and b lie in its layers.

    Parameters
    ----------
    name
        One of :data:`BUILT_IN_HOSTS`.
    cell
        Of Li2MnO3: the conventional (C-centred) cell, which is the default, or the primitive
        one, both in the same orientation. Li3NiCoMnO6 has one cell, and takes None.

    Returns
    -------
    Structure
        With ``properties["axes"]``, 3×3: ``axes @ lattice.matrix`` are the conventional axes
        a, b, c (rows, Å) in either cell.

    Raises
    ------
    ValueError
        For an unknown host or cell, and a cell of a host that has only one.

    Examples
    --------
    >>> built_in_host("Li2MnO3").composition.formula
    'Li8 Mn4 O12'
    """
    if name not in BUILT_IN_HOSTS:
        raise ValueError(
            f"There is no built-in host {name!r}; nearest known: {nearest(name, BUILT_IN_HOSTS)}. "
            "Give the path of a structure file for any other host."
        )
    if cell not in (None, "conventional", "primitive"):
        raise ValueError(f"Unknown cell {cell!r}: use 'conventional' or 'primitive'.")
    if name == "Li3NiCoMnO6":
        if cell is not None:
            raise ValueError(f"{name} has one cell, of 12 atoms: leave cell out.")
        return ordered_ncm("C2")
    a, b, c, beta = _LI2MNO3_CELL
    lattice = Lattice.from_parameters(a, b, c, 90.0, beta, 90.0)
    centrings = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0)) if cell != "primitive" else ((0.0,) * 3,)
    species, positions = _fill(centrings)
    if cell != "primitive":
        return Structure(lattice, species, positions, properties={"axes": np.eye(3).tolist()})
    to_primitive = np.linalg.inv(_C_PRIMITIVE)
    return Structure(
        _C_PRIMITIVE @ lattice.matrix,
        species,
        _wrap(positions @ to_primitive),
        properties={"axes": to_primitive.tolist()},
    )


def _fill(centrings: tuple[tuple[float, ...], ...]) -> tuple[list[str], np.ndarray]:
    """Elements and fractional positions (N, 3) of all sites, orbit by orbit."""
    species: list[str] = []
    positions: list[np.ndarray] = []
    for element, start in _LI2MNO3_SITES:
        orbit: list[np.ndarray] = []
        for centring in centrings:
            for operation in _C2M_POINT:
                new = _wrap(np.array(operation) * start + np.array(centring))
                if not any(_same(new, old) for old in orbit):
                    orbit.append(new)
        species += [element] * len(orbit)
        positions += orbit
    return species, np.array(positions)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two positions agree up to lattice vectors of the primitive C-centred cell."""
    delta = one - other
    return bool(np.all(np.abs(delta - np.round(delta)) < 1e-6))


def _wrap(positions: np.ndarray) -> np.ndarray:
    """Positions in [0, 1), values that are 1 but for rounding as 0."""
    wrapped: np.ndarray = np.round(positions, 12) % 1.0
    return wrapped
