"""Identity of a calculation: what was done to which parent by which engine.

A ``uid`` follows from the campaign file and the parent's uid alone, so it is known
before the calculation starts. Relaxed coordinates, the oxygen reference, temperature
and pressure never enter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from pymatgen.core import Structure

from vacancy_flows.structures import conventional_axes

RECORD_FORMAT = 1
_GRID = 1e4  # coordinates enter to 1e-4
# Cell boundaries of the rounding are moved off the multiples of 1/2 that simple fractional
# coordinates (0.21905 = 0.219 + a halving) would hit, where the last bit would decide.
_OFFSET = 0.1370951


def uid(parent: str | None, operation: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> str:
    """Return the identity of a calculation.

    Parameters
    ----------
    parent
        uid of the parent, None for a reference.
    operation
        What was done to the parent: JSON types only, floats already rounded
        (see `rounded`).
    fingerprint
        The engine's settings that matter to an energy.

    Returns
    -------
    str
        ``u`` and 16 hexadecimal digits of a SHA-256.
    """
    return digest([RECORD_FORMAT, parent, dict(operation), dict(fingerprint)])


def root_uid(structure: Structure) -> str:
    """Return the identity of a built, labelled host before any relaxation.

    Lattice vectors (Å, with their orientation) and fractional coordinates enter to 1e-4,
    with the label and species of every site, in the order of the labels; so do the directions
    of the axes that strain refers to where they are not those of the lattice. A boundary
    enters by the parameters of its builder instead of lattice and positions, which a search
    found.
    """
    boundary = structure.properties.get("boundary", {}).get("preset")
    if boundary is not None:
        axes = rounded(structure.properties["axes"], 6)
        return digest([RECORD_FORMAT, "boundary", boundary, axes, len(structure)])
    sites = sorted(
        [
            site.properties["label"],
            site.species_string,
            [int(k) % int(_GRID) for k in np.floor(site.frac_coords * _GRID + 0.5 + _OFFSET)],
        ]
        for site in structure
    )
    matrix = structure.lattice.matrix
    lattice = _grid(matrix)
    axes, vectors = (_directions(m) for m in (conventional_axes(structure), matrix))
    return digest([RECORD_FORMAT, "root", lattice, sites, *([] if axes == vectors else [axes])])


def _directions(matrix: np.ndarray) -> Any:
    return _grid(matrix / np.linalg.norm(matrix, axis=1, keepdims=True))


def _grid(matrix: np.ndarray) -> Any:
    return np.floor(matrix * _GRID + 0.5 + _OFFSET).astype(int).tolist()


def rounded(array: Any, decimals: int = 8) -> Any:
    """Return nested lists of floats rounded to ``decimals``, with no negative zero."""
    return (np.round(np.asarray(array, dtype=float), decimals) + 0.0).tolist()


def digest(content: list[Any]) -> str:
    """Return ``u`` and 16 hexadecimal digits of the SHA-256 of JSON content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "u" + hashlib.sha256(text.encode()).hexdigest()[:16]
