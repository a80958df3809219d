"""GPAW's own cell: an isotropic scan of single points and the fit of E(V)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from ase.units import GPa

from vacancy_flows.errors import EngineError

STEP = 0.015  # of the lattice vectors, between single points
_HALF = 2  # single points on each side of the middle: five in all
_INNER = 1.5  # steps from the middle within which the minimum must lie
_WINDOWS = 4  # middles tried before it is given up
_WEIGHT = 0.01  # of V dE/dV (good to 0.1 eV) beside an energy (good to 1 meV)


@dataclass(frozen=True)
class Point:
    """One single point.

    Attributes
    ----------
    step
        Lattice vectors are those of the start times ``1 + STEP * step``.
    volume
        Å³.
    energy
        eV per cell.
    pressure
        V dE/dV at a fixed number of plane waves, eV: a third of the trace of the analytic
        stress, times the volume.
    excess
        `vacancy_flows.engines.gpaw.plane_waves.plane_wave_excess`.
    """

    step: int
    volume: float
    energy: float
    pressure: float
    excess: float


@dataclass(frozen=True)
class OwnCell:
    """The cell that a scan found.

    Attributes
    ----------
    scale
        Of the lattice vectors of the start.
    volume
        Å³.
    bulk_modulus
        eV/Å³, of the crystal with clamped fractional positions.
    basis_slope
        dE/dln N, eV: what the error of the basis is made of.
    deviation
        Root mean square of fit and energies, eV.
    """

    scale: float
    volume: float
    bulk_modulus: float
    basis_slope: float
    deviation: float

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for a record; the bulk modulus in GPa too."""
        return {**asdict(self), "bulk_modulus_GPa": self.bulk_modulus / GPa}


def fit(points: list[Point]) -> OwnCell | None:
    """Fit E(V) to the points of a scan; None where they have no minimum.

    One linear least-squares fit to energies and stresses, ``E_i = E(V_i) + s x_i`` and
    ``p_i = V_i E'(V_i) - s``, with the excess x of plane waves and their slope s = dE/dln N
    (see `plane_waves`), so that neither jumps of the basis nor its stress move the minimum.
    E(V) is the second-order equation of Birch (Phys. Rev. 71, 809 (1947)): a parabola of
    V^(-2/3), which has B' = 4.

    Parameters
    ----------
    points
        At least five, at different volumes.
    """
    volumes = np.array([point.volume for point in points])
    middle = float(np.median(volumes)) ** (-2 / 3)
    y = volumes ** (-2 / 3) / middle - 1  # V dE/dV = -2/3 (y + 1) dE/dy
    slopes = np.column_stack([2 * y, np.ones_like(y), np.zeros_like(y)])
    excesses = np.array([[point.excess] for point in points])
    by_energy = np.hstack([np.vander(y, 3), excesses])
    by_pressure = np.hstack([-2 / 3 * (y[:, None] + 1) * slopes, -np.ones_like(excesses)])
    energies = np.array([point.energy for point in points])
    pressures = np.array([point.pressure for point in points])
    solution = np.linalg.lstsq(
        np.vstack([by_energy, _WEIGHT * by_pressure]),
        np.concatenate([energies, _WEIGHT * pressures]),
        rcond=None,
    )[0]
    curvature, slope = 2 * solution[0], solution[1]
    lowest = -slope / curvature if curvature > 0 else -1.0
    if lowest <= -1:
        return None
    volume = ((lowest + 1) * middle) ** -1.5
    origin = points[0].volume / (1 + STEP * points[0].step) ** 3
    rest = energies - by_energy @ solution
    return OwnCell(
        scale=float((volume / origin) ** (1 / 3)),
        volume=float(volume),
        bulk_modulus=float(4 / 9 * (lowest + 1) ** 2 * curvature / volume),
        basis_slope=float(solution[3]),
        deviation=float(np.sqrt(np.mean(rest**2))),
    )


def find_cell(single_point: Callable[[int], Point]) -> tuple[OwnCell, list[Point]]:
    """Scan until the minimum of E(V) lies well inside five neighbouring points.

    Parameters
    ----------
    single_point
        Calculates the point of a step; called once for each.

    Raises
    ------
    EngineError
        Where no minimum is found.
    """
    known: dict[int, Point] = {}
    middle = 0
    for _ in range(_WINDOWS):
        window = range(middle - _HALF, middle + _HALF + 1)
        for step in sorted(window, key=lambda step: abs(step - middle)):
            if step not in known:
                known[step] = single_point(step)
        points = [known[step] for step in window]
        found = fit(points)
        if found is not None and abs((found.scale - 1) / STEP - middle) <= _INNER:
            return found, points
        lowest = min(points, key=lambda point: point.energy).step
        target = lowest if found is None else round((found.scale - 1) / STEP)
        shift = int(np.clip(target - middle, -_HALF, _HALF))
        middle += shift or int(np.sign(_downhill(points)))
    raise EngineError(
        f"E(V) has no minimum between {100 * STEP * min(known):+.1f} and "
        f"{100 * STEP * max(known):+.1f} % of the lattice vectors: "
        "give a better starting cell, or prerelax it"
    )


def _downhill(points: list[Point]) -> float:
    """Return the direction, in steps, in which the energies fall."""
    return points[0].energy - points[-1].energy
