"""Formation energies of a series of supercells, extrapolated to an infinite one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from vacancy_flows.analysis.concentration import pristine_composition
from vacancy_flows.analysis.series import finished, require_one

_ONE_SERIES = (
    "engine",
    "energy_scale",
    "wyckoff",
    "strain_mode",
    "strain",
    "ordering",
    "oxygen_scheme",
    "composition",
)


@dataclass(frozen=True, eq=False)
class SizeExtrapolation:
    """A fit of E_f(N) = E∞ + a/N.

    Attributes
    ----------
    e_infinite
        E∞, eV.
    slope
        a, eV times atoms; positive where E_f falls with the size of the cell.
    standard_error
        Of E∞, eV, from the scatter about the line; NaN where there is none. It says nothing of
        terms beyond 1/N.
    residuals
        (n,), eV, computed minus fitted, in the order given.
    reason
        Why there is no standard error; empty where there is one.
    """

    e_infinite: float
    slope: float
    standard_error: float
    residuals: NDArray[np.float64]
    reason: str = ""


def extrapolate_size(
    n_atoms: ArrayLike, energies: ArrayLike, errors: ArrayLike | None = None
) -> SizeExtrapolation:
    """Extrapolate E_f of a supercell series by least squares, E_f(N) = E∞ + a/N.

    A frozen cell leaves an elastic interaction of periodic images that falls as 1/V (Clouet,
    Varvenne and Jourdan, Comput. Mater. Sci. 147, 49 (2018)), here 1/N; use cells of one shape.

    Parameters
    ----------
    n_atoms : array_like
        (n,), atoms of the pristine cells.
    energies : array_like
        (n,), E_f in eV.
    errors : array_like, optional
        (n,), uncertainties in eV; points weigh 1/errors². Only their ratios matter.

    Returns
    -------
    SizeExtrapolation
        With a standard error from three different sizes on.

    Raises
    ------
    ValueError
        For fewer than two different N, lengths that differ, and numbers that are not finite or,
        for N and errors, not above zero.
    """
    sizes, values, spread = _checked(n_atoms, energies, errors)
    distinct = len(np.unique(sizes))
    design = np.column_stack([np.ones_like(sizes), 1.0 / sizes])
    weighted = design / spread[:, None]
    (e_infinite, slope), *_ = np.linalg.lstsq(weighted, values / spread, rcond=None)
    residuals = values - design @ np.array([e_infinite, slope])
    if distinct < 3:
        error = np.nan
        reason = f"{distinct} different sizes fix the line and leave nothing to judge it by"
    else:
        scatter = float(np.sum((residuals / spread) ** 2)) / (len(sizes) - 2)
        error = np.sqrt(scatter * np.linalg.inv(weighted.T @ weighted)[0, 0])
        reason = ""
    return SizeExtrapolation(float(e_infinite), float(slope), float(error), residuals, reason)


def extrapolate_table(table: pd.DataFrame) -> SizeExtrapolation:
    """Extrapolate the rows of one supercell series.

    Parameters
    ----------
    table : pandas.DataFrame
        From `vacancy_flows.analysis.formation.formation_table`: one site (Wyckoff letter) at one
        strain, of one host in several sizes, which are hosts of their own in a campaign file.
        Rows not converged or without E_f never enter.

    Returns
    -------
    SizeExtrapolation
        Residuals in the order of the rows that entered.

    Raises
    ------
    ValueError
        If engines, energy scales, sites, strains, orderings, oxygen references or compositions
        are mixed, or fewer than two sizes are left.
    """
    good = finished(table)
    whole = good["formula"].map(lambda text: pristine_composition(text).reduced_formula)
    good = good.assign(composition=whole)
    require_one(good, _ONE_SERIES, "are no series of sizes: select one")
    return extrapolate_size(good["n_atoms"].astype(float), good["formation_energy_eV"])


def _checked(
    n_atoms: ArrayLike, energies: ArrayLike, errors: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return sizes, energies and errors (ones where not given), or refuse them."""
    sizes, values = np.array(n_atoms, dtype=float), np.array(energies, dtype=float)
    spread = np.ones_like(sizes) if errors is None else np.array(errors, dtype=float)
    if not (sizes.ndim == 1 and sizes.shape == values.shape == spread.shape):
        raise ValueError(
            f"sizes, energies and errors are lists of one length, not of shapes {sizes.shape}, "
            f"{values.shape} and {spread.shape}"
        )
    if not np.isfinite([sizes, values, spread]).all() or (sizes <= 0).any() or (spread <= 0).any():
        raise ValueError("sizes and errors must be finite and above zero, energies finite")
    if len(np.unique(sizes)) < 2:
        raise ValueError(
            f"an extrapolation in 1/N needs at least two different sizes, got {len(set(sizes))}: "
            "add a supercell"
        )
    return sizes, values, spread
