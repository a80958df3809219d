"""E_f at strains nobody computed, predicted from the elastic dipole and set against direct ones."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from vacancy_flows.analysis.curves import UNSTRAINED
from vacancy_flows.analysis.dipole import ElasticDipole, small_strain
from vacancy_flows.analysis.series import finished, require_one
from vacancy_flows.structures import MODES, deformation_gradient

CURVATURE_ESTIMATE = {
    mode: 2 * error / 0.05**2
    for mode, error in {
        "uniaxial-a": 0.032,
        "uniaxial-b": 0.016,
        "uniaxial-c*": 0.012,
        "biaxial-ab": 0.059,
        "hydrostatic": 0.082,
    }.items()
}
"""|c| in eV of the curvature ½ c ε² that a dipole neglects, by strain mode.

From the distances, in eV, between predicted and directly strained E_f at +5 % (CHGNet, Li2MnO3 of
24 atoms, site 8j), where the direct points lay below the straight line in every mode."""

_ONE_SERIES = ("host", "engine", "energy_scale", "ordering", "n_atoms", "site")


def predicted_formation_energy(
    e_f0: float, dipole: ElasticDipole, strain: ArrayLike
) -> NDArray[np.float64]:
    """E_f at a small strain, to first order: ``E_f(ε) = E_f(0) - P:ε``.

    Clouet, Varvenne and Jourdan, Comput. Mater. Sci. 147, 49 (2018). For CHGNet and the 8j site
    of Li2MnO3 within 5 meV of directly strained cells at 1 %; at 5 % the neglected curvature is
    up to 0.08 eV.

    Parameters
    ----------
    e_f0 : float
        E_f of the unstrained cell, eV.
    dipole : ElasticDipole
        Of that cell's vacancy.
    strain : array_like
        (..., 3, 3), small strains in the same Cartesian axes, symmetric: `small_strain` of a
        deformation gradient.

    Returns
    -------
    numpy.ndarray
        (...), eV.

    Raises
    ------
    ValueError
        For a wrong shape.
    """
    tensors = np.asarray(strain, dtype=float)
    if tensors.shape[-2:] != (3, 3):
        raise ValueError(f"a strain has shape (..., 3, 3), not {tensors.shape}")
    return np.asarray(e_f0 - np.einsum("ij,...ij->...", dipole.tensor, tensors))


def predicted_curve(
    e_f0: float, dipole: ElasticDipole, axes: ArrayLike, mode: str, values: Sequence[float]
) -> NDArray[np.float64]:
    """E_f along a strain mode of the campaign file, to first order.

    Parameters
    ----------
    e_f0 : float
        E_f of the unstrained cell, eV.
    dipole : ElasticDipole
        Of that cell's vacancy, in its Cartesian axes.
    axes : array_like
        (3, 3), rows a, b, c in Å of the unstrained cell, in the same Cartesian axes:
        `vacancy_flows.structures.conventional_axes`.
    mode : str
        One of `vacancy_flows.structures.MODES`.
    values : sequence of float
        ε, n of them.

    Returns
    -------
    numpy.ndarray
        (n,), eV.

    Raises
    ------
    ValueError
        As `vacancy_flows.structures.deformation_gradient`.
    """
    strains = [small_strain(deformation_gradient(axes, mode, value)) for value in values]
    return predicted_formation_energy(e_f0, dipole, np.reshape(strains, (-1, 3, 3)))


def curvature_error(mode: str, values: ArrayLike) -> NDArray[np.float64]:
    """Estimate the error of a first-order prediction: ``½ c ε²``, c of `CURVATURE_ESTIMATE`.

    Measured on Li2MnO3 (24 atoms, CHGNet, site 8j) at +5 %: for other hosts, sites, engines and
    in compression it is an estimate, never a bound. It is the neglected curvature only: what the
    dipole inherits from unconverged forces or a small cell comes on top.

    Parameters
    ----------
    mode : str
        One of `vacancy_flows.structures.MODES`.
    values : array_like
        ε, any shape.

    Returns
    -------
    numpy.ndarray
        eV, not negative, to be read as ±.

    Raises
    ------
    ValueError
        For another mode.

    Examples
    --------
    >>> curvature_error("biaxial-ab", [0.0, 0.025, -0.05]).round(5).tolist()
    [0.0, 0.01475, 0.059]
    """
    if mode not in CURVATURE_ESTIMATE:
        raise ValueError(f"no curvature is known for {mode!r}: use one of {', '.join(MODES)}")
    return np.asarray(0.5 * CURVATURE_ESTIMATE[mode] * np.asarray(values, dtype=float) ** 2)


def compare_with_direct(
    table: pd.DataFrame, dipole: ElasticDipole, axes: ArrayLike
) -> pd.DataFrame:
    """Set the prediction against the cells that were strained and computed.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of one site of one host (`formation_table`), with exactly one converged unstrained
        row. Rows not converged or without E_f are left out, and "custom" deformations, whose
        strain a table does not hold.
    dipole : ElasticDipole
        Of the unstrained cell's vacancy.
    axes : array_like
        (3, 3), rows a, b, c in Å of the unstrained cell.

    Returns
    -------
    pandas.DataFrame
        strain_mode, strain, predicted_eV, direct_eV and error_eV (predicted minus direct), by
        mode and strain, unstrained row first.

    Raises
    ------
    ValueError
        If rows of several sites, cells, scales or oxygen references are mixed, or there is not
        exactly one converged unstrained row.
    """
    good = finished(table)
    require_one(good, _ONE_SERIES, "do not share one dipole: select one site of one host")
    start = good[good["strain_mode"] == UNSTRAINED]
    if len(start) != 1:
        raise ValueError(
            f"a prediction starts at one converged unstrained row, and here are {len(start)}"
        )
    e_f0 = float(start["formation_energy_eV"].iloc[0])
    strained = good[good["strain_mode"].isin(MODES)].sort_values(["strain_mode", "strain"])
    chosen = pd.concat([start, strained])
    predicted = [
        e_f0 if mode == UNSTRAINED else predicted_curve(e_f0, dipole, axes, mode, [strain])[0]
        for mode, strain in zip(chosen["strain_mode"], chosen["strain"], strict=True)
    ]
    result = chosen[["strain_mode", "strain"]].reset_index(drop=True)
    direct = chosen["formation_energy_eV"].to_numpy(dtype=float)
    return result.assign(
        predicted_eV=predicted, direct_eV=direct, error_eV=np.array(predicted) - direct
    )


def curvature_from_points(comparison: pd.DataFrame) -> pd.Series:
    """Second-order term that the dipole leaves out, per strain mode, from direct points.

    Least squares of ``direct - predicted = ½ c ε²``: the error of a prediction at ε is then
    about ½ c ε², which tells how far a first-order curve may be drawn.

    Parameters
    ----------
    comparison : pandas.DataFrame
        From `compare_with_direct`.

    Returns
    -------
    pandas.Series
        c in eV, by strain mode; negative where E_f falls faster than the straight line. Modes
        without a strained point are absent.
    """
    strained = comparison[comparison["strain"].ne(0) & comparison["strain"].notna()]
    squares = strained["strain"] ** 2
    moments = pd.DataFrame(
        {
            "strain_mode": strained["strain_mode"],
            "above": -strained["error_eV"] * squares,
            "below": squares**2,
        }
    )
    sums = moments.groupby("strain_mode").sum()
    return (2.0 * sums["above"] / sums["below"]).rename("curvature_eV")
