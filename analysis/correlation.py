"""How strongly two numbers of a table go together, with confidence intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, pearsonr, spearmanr

from vacancy_flows.structures.names import nearest

Interval = tuple[float, float]

ALL_HOSTS = "all hosts"
"""In the column host: the hosts of a table together."""

_UNKNOWN: Interval = (math.nan, math.nan)


@dataclass(frozen=True)
class Correlation:
    """Linear and rank correlation of two quantities.

    Attributes
    ----------
    pearson, spearman
        Coefficients, -1 to 1; NaN where they are not defined.
    pearson_interval, spearman_interval
        Lower and upper limit at `confidence`; NaN where they are not defined.
    pearson_p, spearman_p
        Two-sided p values of no correlation.
    n
        Pairs used.
    n_dropped
        Pairs left out because one of the two is missing or not finite.
    confidence
        Confidence level of the intervals.
    reason
        Why something is NaN; empty otherwise.
    """

    pearson: float
    pearson_interval: Interval
    pearson_p: float
    spearman: float
    spearman_interval: Interval
    spearman_p: float
    n: int
    n_dropped: int = 0
    confidence: float = 0.95
    reason: str = ""


def correlate(x: ArrayLike, y: ArrayLike, confidence: float = 0.95) -> Correlation:
    """Correlate two quantities.

    The intervals are those of Fisher's z = artanh r, which is about normal with variance
    1/(n-3) for Pearson's r (Fisher, Metron 1, 3 (1921)) and (1 + r²/2)/(n-3) for Spearman's
    (Bonett, Wright, Psychometrika 65, 23 (2000)). They take the pairs as independent, which sites
    of one cell are only roughly.

    Parameters
    ----------
    x, y : array_like
        (n,) numbers; a pair with a missing or infinite member is left out and counted.
    confidence : float
        Confidence level, between 0 and 1.

    Returns
    -------
    Correlation
        Coefficients are NaN for fewer than three pairs and where x or y is constant, intervals
        for fewer than four pairs; `reason` says so.

    Raises
    ------
    ValueError
        If x and y differ in length or are not one-dimensional, or the confidence is not between
        0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"the confidence must be between 0 and 1, not {confidence}")
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(
            f"x and y must be two columns of equal length, not shapes {first.shape} and "
            f"{second.shape}"
        )
    whole = np.isfinite(first) & np.isfinite(second)
    first, second, n = first[whole], second[whole], int(whole.sum())
    dropped = len(whole) - n
    reason = _undefined(first, second)
    if reason:
        unknown = (math.nan, _UNKNOWN, math.nan)
        return Correlation(*unknown, *unknown, n, dropped, confidence, reason)
    linear, ranks = pearsonr(first, second), spearmanr(first, second)
    r, rho = float(linear.statistic), float(ranks.statistic)
    return Correlation(
        pearson=r,
        pearson_interval=_fisher_interval(r, n, 1.0, confidence),
        pearson_p=float(linear.pvalue),
        spearman=rho,
        spearman_interval=_fisher_interval(rho, n, 1 + rho**2 / 2, confidence),
        spearman_p=float(ranks.pvalue),
        n=n,
        n_dropped=dropped,
        confidence=confidence,
        reason="" if n >= 4 else f"only {n} pairs: an interval needs at least 4",
    )


def correlation_table(
    table: pd.DataFrame,
    target: str = "formation_energy_eV",
    columns: Sequence[str] = ("net_charge", "coordination", "tm_neighbours", "li_neighbours"),
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Correlate one column of the vacancies with others, over the converged rows.

    Parameters
    ----------
    table : pandas.DataFrame
        Vacancies with the columns converged, engine, energy_scale, `target` and `columns`.
    target : str
        The column that is to be explained.
    columns : sequence of str
        The columns that may explain it.
    confidence : float
        Confidence level of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per column, in their order: column, n, n_dropped (converged rows without a
        number), pearson, pearson_low, pearson_high, pearson_p, spearman, spearman_low,
        spearman_high, spearman_p, reason. An empty table gives NaN with a reason.

    Raises
    ------
    ValueError
        If a column is missing, or the converged rows mix engines or energy scales (all named).
    """
    for name in ("converged", "engine", "energy_scale", target, *columns):
        if name not in table:
            raise ValueError(
                f"the table has no column {name!r}; nearest known: "
                f"{nearest(name, map(str, table.columns))}"
            )
    used = table[table["converged"].eq(True)]  # None and NaN count as not converged
    for name, remedy in (("energy_scale", "energies"), ("engine", "calculations")):
        kinds = sorted(used[name].dropna().astype(str).unique())
        if len(kinds) > 1:
            raise ValueError(
                f"the rows mix {name} {' and '.join(kinds)}: {remedy} of different kinds do not "
                f"go into one correlation; select one {name}"
            )
    y = _numbers(used[target])
    rows = [_row(name, correlate(_numbers(used[name]), y, confidence)) for name in columns]
    return pd.DataFrame(rows, columns=list(_row("", correlate([], []))))


def correlations_by_host(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Correlate E_f with other columns over all hosts, and where there are several in each.

    Hosts that differ in more than their sites (lithium, bulk or boundary) make a correlation of
    their own, or hide one.

    Parameters
    ----------
    table, columns
        As of `correlation_table`; the table with the column host.

    Returns
    -------
    pandas.DataFrame
        As `correlation_table`, with the column host before: `ALL_HOSTS` or a name.
    """
    parts = {ALL_HOSTS: table}
    each = {str(host): part for host, part in table.groupby("host", sort=False)}
    parts |= each if len(each) > 1 else {}
    found = []
    for host, part in parts.items():
        found.append(correlation_table(part, columns=columns))
        found[-1].insert(0, "host", host)
    return pd.concat(found, ignore_index=True)


def _undefined(x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    """Why there is no coefficient; empty where there is one."""
    if len(x) < 3:
        return f"only {len(x)} pairs: a coefficient needs at least 3"
    # A spread at the level of rounding is none.
    flat = [name for name, v in (("x", x), ("y", y)) if np.ptp(v) <= 1e-12 * np.abs(v).max()]
    return f"{' and '.join(flat)} constant: no correlation is defined" if flat else ""


def _fisher_interval(r: float, n: int, variance: float, confidence: float) -> Interval:
    """Interval of a coefficient whose artanh has the standard error sqrt(variance / (n - 3))."""
    if n < 4:
        return _UNKNOWN
    if abs(r) >= 1:
        return (r, r)
    half = float(norm.ppf((1 + confidence) / 2)) * math.sqrt(variance / (n - 3))
    centre = math.atanh(r)
    return (math.tanh(centre - half), math.tanh(centre + half))


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    """Column as floats, missing values as NaN."""
    return np.asarray(pd.to_numeric(column).astype("Float64").to_numpy(float, na_value=np.nan))


def _row(name: str, found: Correlation) -> dict[str, object]:
    return {
        "column": name,
        "n": found.n,
        "n_dropped": found.n_dropped,
        "pearson": found.pearson,
        "pearson_low": found.pearson_interval[0],
        "pearson_high": found.pearson_interval[1],
        "pearson_p": found.pearson_p,
        "spearman": found.spearman,
        "spearman_low": found.spearman_interval[0],
        "spearman_high": found.spearman_interval[1],
        "spearman_p": found.spearman_p,
        "reason": found.reason,
    }
