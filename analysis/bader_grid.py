"""Density on a grid: the walk uphill that divides it into Bader volumes."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from ase.geometry import minkowski_reduce
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.spatial import ConvexHull, Voronoi

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_RESIDUE = 1e-10  # share of the electrons still under way when the walk by weights ends


@dataclass(frozen=True)
class BaderVolumes:
    """A grid divided into the basins of its maxima.

    Attributes
    ----------
    labels
        (nx, ny, nz) int: for each grid point the number of its maximum, a row of `maxima`.
    maxima
        (M, 3) int: grid indices of the maxima, in the order of the flattened grid.
    """

    labels: Integers
    maxima: Integers


def bader_volumes(density: ArrayLike, lattice: ArrayLike) -> BaderVolumes:
    """Assign each grid point to the maximum that on-grid steepest ascent from it leads to.

    Henkelman, Arnaldsson, Jónsson, Comput. Mater. Sci. 36, 354 (2006): from a point one steps to
    the neighbour of the steepest rise Δρ/|Δr|, periodically, until no neighbour is higher. The 26
    neighbours are those of the Minkowski-reduced grid cell, so that a skewed description of a
    lattice gives the neighbours that are near in space. Equal densities rise with the point's
    index, so that a plateau has one maximum.

    Parameters
    ----------
    density : array_like
        (nx, ny, nz) values at the fractional coordinates (i/nx, j/ny, k/nz), any unit.
    lattice : array_like
        (3, 3) cell vectors as rows, Å.

    Returns
    -------
    BaderVolumes

    Raises
    ------
    ValueError
        If the density is not a finite 3D array, or the cell has no volume.
    """
    values, cell = checked_grid(density, lattice)
    steps, lengths = _near_steps(values.shape, cell)
    pad = _padded(values, steps)
    index = _padded(np.arange(values.size).reshape(values.shape), steps)
    own = np.arange(values.size).reshape(values.shape)
    best = np.zeros(values.shape)
    parent = own.copy()
    for step, length in zip(steps, lengths, strict=True):
        slope = (_shifted(pad, steps, step) - values) / length
        target = _shifted(index, steps, step)
        # A level step is taken only where nothing rises, to a higher index: no cycles.
        better = (slope > best) | ((slope == 0) & (best == 0) & (target > parent))
        best = np.where(better, slope, best)
        parent = np.where(better, target, parent)
    roots = _follow(parent.ravel())
    tops, labels = np.unique(roots, return_inverse=True)
    maxima = np.stack(np.unravel_index(tops, values.shape), axis=1)
    return BaderVolumes(labels.reshape(values.shape).astype(np.int64), maxima.astype(np.int64))


def weighted_basins(
    charge: ArrayLike, reference: ArrayLike, lattice: ArrayLike
) -> tuple[Integers, Floats]:
    """Integrate a charge over the basins of a reference density, with shared grid points.

    Yu, Trinkle, J. Chem. Phys. 134, 064111 (2011), eqs. 4 to 8: what stands at a grid point flows
    to its higher Voronoi neighbours in proportion to (facet area / distance) · Δρ, and is added
    up at the maxima. Points near a dividing surface so belong to several basins, and the answer
    does not prefer the directions of the grid as on-grid ascent does. Here the flow itself is
    followed (the transpose of the paper's recursion for the weights), which costs the same for
    any number of basins. Points of a plateau have no way up and count as maxima of their own.

    Parameters
    ----------
    charge : array_like
        (nx, ny, nz) what is integrated, per grid point.
    reference : array_like
        (nx, ny, nz) density whose basins are meant.
    lattice : array_like
        (3, 3) cell vectors as rows, Å.

    Returns
    -------
    maxima : numpy.ndarray
        (M, 3) int, grid indices of the maxima.
    amounts : numpy.ndarray
        (M,) sums of `charge` over their basins; they add up to the sum of `charge`.

    Raises
    ------
    ValueError
        If an array is not a finite 3D array, the shapes differ, or the cell has no volume.
    """
    values, cell = checked_grid(reference, lattice)
    amount, _ = checked_grid(charge, lattice)
    if amount.shape != values.shape:
        raise ValueError(
            f"the charge is on a grid of {amount.shape}, the reference density on one of "
            f"{values.shape}: both must be the same"
        )
    flow = _flow(values, cell)
    top = np.diff(flow.indptr) == 0
    uphill = flow.T
    moving = amount.ravel()
    arrived = np.where(top, moving, 0.0)
    moving = moving - arrived
    enough = _RESIDUE * float(np.abs(amount).sum())
    while float(np.abs(moving).sum()) > enough:
        moving = uphill @ moving
        arrived += np.where(top, moving, 0.0)
        moving[top] = 0.0
    tops = np.flatnonzero(top)
    maxima = np.stack(np.unravel_index(tops, values.shape), axis=1).astype(np.int64)
    return maxima, arrived[tops]


def checked_grid(density: ArrayLike, lattice: ArrayLike) -> tuple[Floats, Floats]:
    """Return a density and a cell as float arrays, or say what is wrong with them.

    Parameters
    ----------
    density : array_like
        (nx, ny, nz) real, finite.
    lattice : array_like
        (3, 3) cell vectors as rows, Å.

    Returns
    -------
    density, lattice : numpy.ndarray

    Raises
    ------
    ValueError
        If the density is not a finite 3D array, or the cell has no volume.
    """
    values = np.asarray(density, dtype=float)
    cell = np.asarray(lattice, dtype=float)
    if values.ndim != 3 or values.size == 0:
        raise ValueError(f"a density is a 3D array, not one of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("the density holds values that are not finite numbers")
    if cell.shape != (3, 3) or not np.isfinite(cell).all() or abs(np.linalg.det(cell)) < 1e-6:
        raise ValueError("the lattice must be three vectors that span a volume, as rows in Å")
    return values, cell


def _near_steps(shape: tuple[int, ...], cell: Floats) -> tuple[Integers, Floats]:
    """Index steps (26, 3) to the neighbours of a point in the reduced grid cell; lengths in Å."""
    voxel = cell / np.array(shape)[:, None]
    _, reduction = minkowski_reduce(voxel)
    corners = np.array([c for c in product((-1, 0, 1), repeat=3) if any(c)])
    steps = np.rint(corners @ reduction).astype(np.int64)
    return steps, np.linalg.norm(steps @ voxel, axis=1)


def _voronoi_steps(shape: tuple[int, ...], cell: Floats) -> tuple[Integers, Floats]:
    """Index steps (n, 3) through the facets of a grid point's Voronoi cell; area / distance."""
    voxel = cell / np.array(shape)[:, None]
    scale = np.linalg.norm(voxel, axis=1).min()
    _, reduction = minkowski_reduce(voxel)
    block = np.array(list(product(range(-2, 3), repeat=3)))
    points = block @ reduction @ voxel / scale
    diagram = Voronoi(points)
    origin = int(np.flatnonzero(~block.any(axis=1))[0])
    hull = ConvexHull(diagram.vertices[diagram.regions[diagram.point_region[origin]]])
    a, b, c = (hull.points[hull.simplices[:, k]] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    # A facet lies half-way to its neighbour: normal · x + offset = 0 gives -2 offset · normal.
    across = -2 * hull.equations[:, 3:] * hull.equations[:, :3]
    steps = np.rint(across * scale @ np.linalg.inv(voxel)).astype(np.int64)
    unique, inverse = np.unique(steps, axis=0, return_inverse=True)
    facets = np.bincount(inverse.ravel(), weights=areas)
    rates = facets / np.linalg.norm(unique @ voxel / scale, axis=1)
    kept = facets > 1e-8
    return unique[kept], rates[kept]


def _flow(values: Floats, cell: Floats) -> csr_array:
    """(N, N) sparse: the share of each grid point that goes to each higher neighbour."""
    steps, rates = _voronoi_steps(values.shape, cell)
    pad = _padded(values, steps)
    index = _padded(np.arange(values.size, dtype=np.int32).reshape(values.shape), steps)
    flux = np.empty((values.size, len(steps)))
    target = np.empty(flux.shape, dtype=np.int32)
    for k, (step, rate) in enumerate(zip(steps, rates, strict=True)):
        flux[:, k] = np.maximum(_shifted(pad, steps, step) - values, 0.0).ravel() * rate
        target[:, k] = _shifted(index, steps, step).ravel()
    total = flux.sum(axis=1)
    flux /= np.where(total > 0, total, 1.0)[:, None]
    up = flux > 0
    ends = np.concatenate([[0], np.cumsum(up.sum(axis=1))]).astype(np.int32)
    return csr_array((flux[up], target[up], ends), shape=(values.size, values.size))


def _padded(values: NDArray[Any], steps: Integers) -> NDArray[Any]:
    """Continue a grid periodically as far as the longest step."""
    return np.pad(values, [(int(w), int(w)) for w in np.abs(steps).max(axis=0)], mode="wrap")


def _shifted(padded: NDArray[Any], steps: Integers, step: Integers) -> NDArray[Any]:
    """Return for each grid point the padded value one step away, as a view."""
    widths = np.abs(steps).max(axis=0)
    return padded[
        tuple(
            slice(int(w + s), int(n - w + s))
            for w, s, n in zip(widths, step, padded.shape, strict=True)
        )
    ]


def _follow(parent: Integers) -> Integers:
    """Follow pointers to their ends, doubling the stride each time."""
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return parent
        parent = further
