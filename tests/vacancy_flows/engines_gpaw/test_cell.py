"""GPAW's own cell: E(V) of an invented crystal, with the jumps that plane waves make."""

import numpy as np
import pytest

from vacancy_flows.engines.gpaw.cell import STEP, Point, find_cell, fit
from vacancy_flows.engines.gpaw.plane_waves import basis_slope, plane_wave_excess
from vacancy_flows.errors import EngineError

V0, B, SLOPE = 104.0, 0.75, -60.0  # Å³, eV/Å³, eV: Li2MnO3 at 350 eV, nearly


def energy(volume):
    """Third-order Birch-Murnaghan with B' = 4.6."""
    x = (V0 / volume) ** (2 / 3)
    return -54 + 9 * V0 * B / 16 * ((x - 1) ** 3 * 4.6 + (x - 1) ** 2 * (6 - 4 * x))


def crystal(start, excesses, asked=None):
    """Return single points from a start of that volume."""

    def single_point(step):
        if asked is not None:
            asked.append(step)
        volume = start * (1 + STEP * step) ** 3
        slope = (energy(volume + 1e-4) - energy(volume - 1e-4)) / 2e-4
        excess = excesses[step % len(excesses)]
        pressure = volume * slope - SLOPE  # of a fixed number of plane waves
        return Point(step, volume, energy(volume) + SLOPE * excess, pressure, excess)

    return single_point


JUMPS = [0.0, 0.003, -0.002, 0.0015, -0.003, 0.001, 0.002]  # 0.2 eV from cell to cell


def test_the_minimum_of_a_smooth_curve():
    asked = []
    found, points = find_cell(crystal(V0 * 1.002, [0.0], asked))
    assert sorted(asked) == [-2, -1, 0, 1, 2]
    assert len(points) == 5
    assert found.volume == pytest.approx(V0, rel=1e-3)
    assert found.scale**3 * V0 * 1.002 == pytest.approx(found.volume)
    assert found.bulk_modulus == pytest.approx(B, rel=0.02)


def test_jumps_of_the_basis_move_nothing():
    found, _ = find_cell(crystal(V0, JUMPS))
    assert found.scale == pytest.approx(1, abs=3e-4)
    assert found.bulk_modulus == pytest.approx(B, rel=0.02)
    assert found.basis_slope == pytest.approx(SLOPE, rel=0.01)
    # without them the fit is wrong: the test can fail
    points = [crystal(V0, JUMPS)(step) for step in range(-2, 3)]
    bare = fit([Point(p.step, p.volume, p.energy, p.pressure, 0.0) for p in points])
    assert bare is None or abs(bare.scale - 1) > 2e-3


@pytest.mark.parametrize("linear", [0.95, 0.975, 1.03, 1.06])
def test_a_start_that_is_off_is_followed_and_nothing_is_done_twice(linear):
    asked = []
    found, points = find_cell(crystal(V0 * linear**3, JUMPS, asked))
    assert found.scale == pytest.approx(1 / linear, abs=1e-3)
    assert len(asked) == len(set(asked)) > 5 - (abs(linear - 1) < 0.025)
    assert points[0].volume < found.volume < points[-1].volume


def test_no_minimum_is_an_error():
    def repulsive(step):
        volume = V0 * (1 + STEP * step) ** 3
        return Point(step, volume, 100 / volume, -100 / volume, 0.0)

    with pytest.raises(EngineError, match="no minimum"):
        find_cell(repulsive)


def test_plane_waves_of_a_box_are_counted():
    box, encut = np.diag([6.0, 7.0, 8.0]), 300.0
    radius = np.sqrt(encut / 3.80998)  # ħ²/2m = 3.80998 eV Å²
    g = np.stack(np.meshgrid(*[np.arange(-15, 16)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    counts = []
    for shift in ([0, 0, 0], [0.5, 0, 0]):
        k = (g + shift) @ (2 * np.pi * np.linalg.inv(box).T)
        counts.append((np.linalg.norm(k, axis=1) < radius).sum())
    continuous = 6 * 7 * 8 * radius**3 / (6 * np.pi**2)
    assert plane_wave_excess(box, encut, (2, 1, 1)) == pytest.approx(
        np.log(np.mean(counts) / continuous), abs=1e-5
    )


def test_the_jump_shrinks_with_the_mesh():
    cell = [[2.358, -4.323, -0.838], [2.358, 4.323, -0.838], [0.0, 0.0, 5.1]]
    coarse, fine = (abs(plane_wave_excess(cell, 350.0, (n, n, n))) for n in (1, 8))
    assert coarse > 1e-3
    assert fine < 3e-4


def test_the_slope_of_the_basis_is_that_at_the_lower_cutoff():
    """An error that falls off as N^-5, as that of Li2MnO3 does from 500 eV on."""
    start, rate, cutoffs, excess = -13.0, 5.0, (500.0, 515.0), (5e-4, 2e-4)
    waves = [1.5 * np.log(cutoff / 500) + x for cutoff, x in zip(cutoffs, excess, strict=True)]
    slopes = [start * np.exp(-rate * n) for n in waves]
    energies = [-70 - slope / rate for slope in slopes]
    pressures = [0.2 - slope for slope in slopes]
    assert energies[1] < energies[0]  # more waves lower the energy
    found = basis_slope(energies, pressures, excess, cutoffs)
    assert found == pytest.approx(slopes[0], rel=0.005)


def test_the_slope_of_the_basis_of_li2mno3():
    """12 atoms, 104.985 Å³, GPAW 26.7.0; at 900 eV V dE/dV is 0.0 eV, the slope of 500 eV -13.1."""
    found = basis_slope(
        (-73.59171, -74.12630), (13.1102, 10.8583), (4.975e-4, 1.768e-4), (500.0, 515.0)
    )
    assert found == pytest.approx(-13.1, abs=0.2)
