"""Angles read back from a finished or relaxed boundary cell."""

from collections.abc import Collection

import numpy as np
from pymatgen.core import Element, Structure

from vacancy_flows.structures.boundaries.sites import boundary_properties, plane_distances

_IN_LAYER = 3.4  # Å; TM-TM within a layer 2.86, between layers 5.0
_FLAT = 0.25  # mean square of the second direction; 1/2 in a whole layer, 0 in a row


def layer_normal(
    structure: Structure,
    grain: str,
    core: float = 2.5,
    metals: Collection[str] | None = None,
    in_layer: float = _IN_LAYER,
) -> np.ndarray:
    """Read the normal of a grain's metal layers from the vectors between neighbours.

    Parameters
    ----------
    structure
        With site property ``grain`` and ``properties["boundary"]``.
    grain
        ``"top"`` or ``"bottom"``.
    core
        Å; atoms nearer to a boundary are left out.
    metals
        Symbols of the layer's elements; None for all transition metals.
    in_layer
        Å; longest distance of neighbours in a layer.

    Returns
    -------
    numpy.ndarray
        (3,), unit vector; its component along the boundary normal is not negative.

    Raises
    ------
    ValueError
        For unknown grains and where the neighbours in the core span no plane.
    """
    chosen = core_atoms(structure, grain, core, metals)
    try:
        return normal_of(structure, chosen, in_layer)
    except ValueError:
        raise ValueError(
            f"The core of grain {grain!r} has no layer to read: {len(chosen)} metal atoms are "
            f"further than {core:g} Å from a boundary. Use a thicker cell or a smaller core."
        ) from None


def core_atoms(
    structure: Structure, grain: str, core: float, metals: Collection[str] | None = None
) -> list[int]:
    """Return indices of a grain's metal atoms no nearer to a boundary than ``core`` (Å)."""
    grains = structure.site_properties.get("grain") or [None] * len(structure)
    distance = plane_distances(structure)
    return [
        i
        for i, site in enumerate(structure)
        if grains[i] == grain
        and distance[i] >= core
        and (site.specie.symbol in metals if metals else is_metal(site.specie.symbol))
    ]


def normal_of(
    structure: Structure, atoms: Collection[int], in_layer: float = _IN_LAYER
) -> np.ndarray:
    """Read the normal of the plane that neighbours among some atoms span.

    Parameters
    ----------
    structure
        Any.
    atoms
        Indices.
    in_layer
        Å; longest distance of neighbours.

    Returns
    -------
    numpy.ndarray
        (3,), unit vector; its z component is not negative.

    Raises
    ------
    ValueError
        Where they span no plane.
    """
    first, second, image, length = structure.get_neighbor_list(in_layer)
    inside = np.isin(first, list(atoms)) & np.isin(second, list(atoms))
    steps = (structure.frac_coords[second] + image - structure.frac_coords[first])[inside]
    vectors = (steps @ structure.lattice.matrix) / length[inside][:, None]
    spread, axes = np.linalg.eigh(vectors.T @ vectors / max(1, len(vectors)))
    if spread[1] < _FLAT:  # all along one line
        raise ValueError(f"{len(atoms)} atoms span no layer.")
    normal = axes[:, 0]
    upwards: np.ndarray = normal if normal[2] >= 0 else -normal
    return upwards


def misorientation(structure: Structure, core: float = 2.5) -> float:
    """Angle between the layer normals of both grains about the zone axis.

    Parameters
    ----------
    structure
        A bicrystal.
    core
        As for `layer_normal`.

    Returns
    -------
    float
        Degrees, 0 to 90: normals have no sign, so 110.1° reads 69.9°.

    Raises
    ------
    ValueError
        As `layer_normal`.
    """
    boundary_properties(structure)
    one, other = (layer_normal(structure, grain, core) for grain in ("top", "bottom"))
    return float(np.degrees(np.arccos(np.clip(abs(one @ other), 0.0, 1.0))))


def layer_angle(structure: Structure, grain: str, core: float = 2.5) -> float:
    """Angle of a grain's layer normal from the boundary normal, counter-clockwise about a.

    Parameters
    ----------
    structure
        A bicrystal.
    grain
        ``"top"`` or ``"bottom"``.
    core
        As for `layer_normal`.

    Returns
    -------
    float
        Degrees in (-90, 90]; a grain turned by θ with its layer normal up reads θ.

    Raises
    ------
    ValueError
        As `layer_normal`.
    """
    return angle_of(structure, layer_normal(structure, grain, core))


def angle_of(structure: Structure, normal: np.ndarray) -> float:
    """Angle of a layer's normal from that of the boundary, as `layer_angle`, degrees."""
    lattice = structure.lattice.matrix
    x = lattice[0] / np.linalg.norm(lattice[0])
    z = np.cross(lattice[0], lattice[1])
    z /= np.linalg.norm(z)
    angle = float(np.degrees(np.arctan2(-normal @ np.cross(z, x), normal @ z)))
    return angle if angle > -90 else angle + 180


def is_metal(symbol: str) -> bool:
    """Tell whether an element is a transition metal."""
    return bool(Element(symbol).is_transition_metal)
