"""The 1/N extrapolation on exact and on noisy series."""

import numpy as np
import pytest

from vacancy_flows.analysis import OxygenReference, formation_table
from vacancy_flows.analysis.size import extrapolate_size, extrapolate_table

CELLS = {12: "Li4Mn2O5", 24: "Li8Mn4O11", 48: "Li16Mn8O23"}


def test_an_exact_series_is_recovered():
    sizes = np.array([12, 24, 48, 96])
    fit = extrapolate_size(sizes, 2.2 + 5.0 / sizes)
    assert fit.e_infinite == pytest.approx(2.2)
    assert fit.slope == pytest.approx(5.0)
    assert fit.standard_error == pytest.approx(0.0, abs=1e-12)
    assert fit.residuals == pytest.approx(np.zeros(4), abs=1e-12)
    assert fit.reason == ""


def test_energies_that_fall_with_size_end_below_the_largest_cell():
    fit = extrapolate_size([12, 24, 48], [2.70, 2.51, 2.38])
    assert fit.slope > 0
    assert fit.e_infinite < 2.38


def test_two_sizes_have_no_error_bar_and_say_so():
    fit = extrapolate_size([24, 48], [2.5, 2.4])
    assert fit.e_infinite == pytest.approx(2.3)
    assert np.isnan(fit.standard_error)
    assert fit.reason == "2 different sizes fix the line and leave nothing to judge it by"
    # a third point of the same size is scatter, not a test of 1/N
    assert np.isnan(extrapolate_size([24, 24, 48], [2.5, 2.52, 2.4]).standard_error)


def test_the_standard_error_is_that_of_many_noisy_series():
    rng = np.random.default_rng(7)
    sizes = np.array([12, 24, 36, 48, 72, 96, 144])
    fits = [extrapolate_size(sizes, 2.2 + 5.0 / sizes + rng.normal(0, 0.01, 7)) for _ in range(800)]
    ends = np.array([fit.e_infinite for fit in fits])
    assert ends.mean() == pytest.approx(2.2, abs=1e-3)
    claimed = np.sqrt(np.mean([fit.standard_error**2 for fit in fits]))
    assert claimed == pytest.approx(ends.std(), rel=0.1)


def test_weights_follow_the_errors_and_only_their_ratios():
    sizes, energies = [12, 24, 48], [9.0, 2.5, 2.4]
    fit = extrapolate_size(sizes, energies, errors=[1e3, 0.01, 0.01])
    assert fit.e_infinite == pytest.approx(2.3, abs=1e-6)
    scaled = extrapolate_size(sizes, energies, errors=[1e4, 0.1, 0.1])
    assert scaled.standard_error == pytest.approx(fit.standard_error)


@pytest.mark.parametrize(
    ("sizes", "energies", "errors", "message"),
    [
        ([24], [2.5], None, "at least two different sizes"),
        ([24, 24], [2.5, 2.6], None, "at least two different sizes, got 1"),
        ([], [], None, "at least two"),
        ([24, 48], [2.5], None, "one length"),
        ([24, 0], [2.5, 2.4], None, "above zero"),
        ([24, 48], [2.5, np.nan], None, "finite"),
        ([24, 48], [2.5, 2.4], [0.1, 0.0], "above zero"),
    ],
)
def test_bad_series_are_refused(sizes, energies, errors, message):
    with pytest.raises(ValueError, match=message):
        extrapolate_size(sizes, energies, errors)


@pytest.fixture
def table(make):
    rows = make.references()
    for size, formula in CELLS.items():
        cell = {"host": f"Li2MnO3-{size}", "formula": formula, "n_atoms": size}
        cell |= {"wyckoff": "8j", "strain_mode": "none", "strain": 0.0, "site": "O-8j-1"}
        rows += make.pair(f"u{size}", 2.2 + 5.0 / size, **cell)
    return formation_table(make.frame(rows), OxygenReference())


def test_rows_of_a_table(table):
    fit = extrapolate_table(table)
    assert (fit.e_infinite, fit.slope) == pytest.approx((2.2, 5.0))


def test_rows_not_converged_never_enter(table):
    table.loc[0, "formation_energy_eV"] += 1.0
    table.loc[0, "converged"] = False
    fit = extrapolate_table(table)
    assert fit.e_infinite == pytest.approx(2.2)
    assert len(fit.residuals) == 2
    table.loc[1, "converged"] = False
    with pytest.raises(ValueError, match="two different sizes"):
        extrapolate_table(table)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("energy_scale", "r2scan"),
        ("engine", "vasp"),
        ("wyckoff", "4i"),
        ("strain", 0.02),
        ("mu_o_eV", -4.1),
        ("formula", "Li6Mn4O11"),
    ],
)
def test_mixed_series_are_refused(table, column, value):
    table.loc[1, column] = value
    named = "composition" if column == "formula" else column
    with pytest.raises(ValueError, match=rf"several {named} .* no series of sizes"):
        extrapolate_table(table)
