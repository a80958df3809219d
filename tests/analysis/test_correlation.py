"""Correlation coefficients and intervals against published numbers and scipy's own."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from vacancy_flows.analysis.correlation import (
    ALL_HOSTS,
    correlate,
    correlation_table,
    correlations_by_host,
)

# Anscombe, Am. Stat. 27, 17 (1973): four pictures with r = 0.816 (0.817 the fourth).
X = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
ANSCOMBE = [
    (X, [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]),
    (X, [9.14, 8.14, 8.74, 8.77, 9.26, 8.10, 6.13, 3.10, 9.13, 7.26, 4.74]),
    (X, [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73]),
    (
        [8.0] * 7 + [19.0] + [8.0] * 3,
        [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.5, 5.56, 7.91, 6.89],
    ),
]


@pytest.mark.parametrize(("x", "y"), ANSCOMBE)
def test_anscombe(x, y):
    found = correlate(x, y)
    assert found.pearson == pytest.approx(0.8165, abs=4e-4)
    assert found.n == 11
    assert found.reason == ""


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_interval_and_p_are_those_of_scipy(confidence):
    x, y = ANSCOMBE[0]
    found, known = correlate(x, y, confidence), pearsonr(x, y)
    assert found.pearson_interval == pytest.approx(tuple(known.confidence_interval(confidence)))
    assert found.pearson_p == pytest.approx(known.pvalue)


def test_spearman_by_hand():
    # Ranks 1..6 against 2, 1, 4, 3, 6, 5: Σd² = 6, ρ = 1 - 36/210.
    found = correlate([1, 2, 3, 4, 5, 6], [20, 10, 40, 30, 600, 50])
    rho = 1 - 36 / 210
    assert found.spearman == pytest.approx(rho)
    half = 1.959964 * math.sqrt((1 + rho**2 / 2) / 3)  # Bonett & Wright's variance
    expected = (math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))
    assert found.spearman_interval == pytest.approx(expected, abs=1e-6)


def test_spearman_interval_is_wider_than_fishers_at_equal_coefficient():
    ranks = [3, 1, 2, 6, 4, 5, 8, 7]
    found = correlate(range(8), ranks)
    assert found.spearman == pytest.approx(found.pearson)
    assert found.spearman_interval[0] < found.pearson_interval[0]
    assert found.spearman_interval[1] > found.pearson_interval[1]


def test_sign():
    charge = [-1.3, -1.2, -1.1, -1.0, -0.9]
    energy = [2.6, 2.4, 2.1, 1.6, 1.4]  # more negative O costs more (paper B): r < 0
    found = correlate(charge, energy)
    assert found.pearson < -0.9
    assert found.spearman == pytest.approx(-1)
    assert found.pearson_interval[1] < 0
    assert found.spearman_interval == pytest.approx((-1, -1))


numbers = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=5, max_size=30
).filter(lambda p: all(len(set(column)) > 1 for column in zip(*p, strict=True)))


@settings(deadline=None)  # shared cores
@given(numbers, st.floats(0.1, 10), st.floats(-10, 10))
def test_invariances(pairs, scale, shift):
    x, y = np.array(pairs, float).T
    found = correlate(x, y)
    moved, flipped, swapped = correlate(scale * x + shift, y), correlate(-x, y), correlate(y, x)
    assert moved.pearson == pytest.approx(found.pearson, abs=1e-9)
    assert flipped.pearson == pytest.approx(-found.pearson, abs=1e-9)
    assert flipped.spearman == pytest.approx(-found.spearman, abs=1e-9)
    assert swapped.pearson_interval == pytest.approx(found.pearson_interval, abs=1e-9)
    assert correlate(x**3, y).spearman == pytest.approx(found.spearman, abs=1e-9)  # monotonic
    low, high = found.pearson_interval
    assert -1 <= low <= found.pearson + 1e-12
    assert found.pearson - 1e-12 <= high <= 1
    reordered = correlate(x[::-1], y[::-1])
    assert reordered.pearson == pytest.approx(found.pearson, abs=1e-9)


def test_missing_pairs_are_counted():
    found = correlate([1, 2, np.nan, 4, 5, 6], [1, 2, 3, np.inf, 4, 5.5])
    assert (found.n, found.n_dropped) == (4, 2)
    assert found.pearson == pytest.approx(correlate([1, 2, 5, 6], [1, 2, 4, 5.5]).pearson)


def test_what_is_not_defined_is_nan_with_a_reason_and_without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        three = correlate([1, 2, 3], [1, 2, 4])
        assert three.pearson > 0.9
        assert np.isnan(three.pearson_interval).all()
        assert "at least 4" in three.reason
        for x, y, why in [
            ([], [], "only 0 pairs"),
            ([1, 2], [1, 2], "only 2 pairs"),
            ([6] * 5, [1, 2, 3, 4, 5], "x constant"),
            ([1, 2, 3, 4, 5], [0.1 + 1e-18] * 5, "y constant"),
            ([0] * 5, [1e9] * 5, "x and y constant"),
        ]:
            found = correlate(x, y)
            assert math.isnan(found.pearson)
            assert math.isnan(found.spearman)
            assert np.isnan(found.spearman_interval).all()
            assert why in found.reason
        straight = correlate([1, 2, 3, 4], [2, 4, 6, 8])
        assert straight.pearson_interval == pytest.approx((1, 1), abs=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match="equal length"):
        correlate([1, 2], [1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        correlate([1, 2, 3], [1, 2, 3], 95)


def vacancies(**more):
    rows = {
        "converged": [True] * 5 + [False],
        "engine": "vasp",
        "energy_scale": "pbe+u",
        "formation_energy_eV": [2.6, 2.4, 2.1, 1.6, 1.4, 99.0],
        "net_charge": [-1.3, -1.2, -1.1, None, -0.9, 5.0],
        "coordination": pd.array([6, 6, 6, 6, 6, 2], dtype="Int64"),
    }
    return pd.DataFrame(rows | more)


def test_table_takes_converged_rows_only():
    table = correlation_table(vacancies(), columns=["net_charge", "coordination"])
    charge, coordination = (row for _, row in table.iterrows())
    assert (charge["n"], charge["n_dropped"]) == (4, 1)
    expected = correlate([-1.3, -1.2, -1.1, -0.9], [2.6, 2.4, 2.1, 1.4])
    assert charge["pearson"] == pytest.approx(expected.pearson)
    assert (charge["pearson_low"], charge["pearson_high"]) == expected.pearson_interval
    assert "constant" in coordination["reason"]  # the row with 2 is not converged


@pytest.mark.parametrize(("name", "other"), [("energy_scale", "mp2020"), ("engine", "chgnet")])
def test_table_refuses_mixtures(name, other):
    own = vacancies()[name][0]
    with pytest.raises(ValueError, match=name) as problem:
        correlation_table(vacancies(**{name: [own] * 4 + [other, own]}), columns=["net_charge"])
    assert own in str(problem.value)
    assert other in str(problem.value)
    # A row that is not used does not mix anything.
    correlation_table(vacancies(**{name: [own] * 5 + [other]}), columns=["net_charge"])


def test_table_of_nothing_and_unknown_columns():
    empty = correlation_table(vacancies().iloc[:0], columns=["net_charge"])
    assert list(empty["n"]) == [0]
    assert "only 0 pairs" in empty["reason"][0]
    with pytest.raises(ValueError, match="nearest known: net_charge"):
        correlation_table(vacancies(), columns=["net_charges"])


def test_two_hosts_may_hide_what_each_shows():
    """Simpson's paradox: E_f rises with the neighbours in either host, over both it falls."""
    table = vacancies(
        converged=True,
        host=["poor"] * 3 + ["rich"] * 3,
        tm_neighbours=[4, 5, 6, 1, 2, 3],
        formation_energy_eV=[0.0, 0.1, 0.2, 2.0, 2.1, 2.2],
    )
    found = correlations_by_host(table, ["tm_neighbours"]).set_index("host")
    assert found.index.tolist() == [ALL_HOSTS, "poor", "rich"]
    assert found.pearson["poor"] == pytest.approx(1) == found.pearson["rich"]
    assert found.pearson[ALL_HOSTS] < -0.7
    assert found.n.tolist() == [6, 3, 3]
    alone = correlations_by_host(table[table.host == "poor"], ["tm_neighbours"])
    assert alone.host.tolist() == [ALL_HOSTS]
