"""What a cell that is not at its minimum does to E_f: the stress left in it, and the dipole."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vacancy_flows.analysis.dipole import ElasticDipole, finite_tensor

_SHEAR = 3 / 5  # shear over bulk modulus of an isotropic solid whose Poisson ratio is 1/4


def lattice_strain(stress: ArrayLike, bulk_modulus: float) -> NDArray[np.float64]:
    """Strain of a cell beyond its minimum, from the stress that is left in it.

    Hooke's law of an isotropic solid, ``ε = tr(σ)/(9B) I + dev(σ)/(2G)`` with G = 3B/5, which is
    a Poisson ratio of 1/4, that of many oxides: a good estimate where a cell was scaled to its
    volume, and its shape left as it was.

    Parameters
    ----------
    stress : array_like
        (3, 3), eV/Å³, in ASE's sign, σ = +(1/V) dE/dε: positive where the cell is too large.
    bulk_modulus : float
        B, eV/Å³.

    Returns
    -------
    numpy.ndarray
        (3, 3); 0.01 on the diagonal is a cell 1 % too long.

    Raises
    ------
    ValueError
        For a wrong shape, numbers which are not finite and a B that is not above zero.
    """
    if not bulk_modulus > 0:
        raise ValueError(f"a bulk modulus is above zero, not {bulk_modulus} eV/Å³")
    sigma = finite_tensor(stress, "stress")
    mean = np.trace(sigma) / 3 * np.eye(3)
    return np.asarray(mean / (3 * bulk_modulus) + (sigma - mean) / (2 * _SHEAR * bulk_modulus))


def lattice_error(dipole: ElasticDipole, strain: ArrayLike) -> float:
    """Error of E_f from a cell that is not at its minimum.

    ``δE_f = -P:ε``: the error of the *cell* enters in first order, that of relaxed ions in
    second.

    Parameters
    ----------
    dipole : ElasticDipole
        Of the vacancy.
    strain : array_like
        (3, 3) of the cell beyond its minimum (`lattice_strain`), or one number for all lattice
        vectors; 0.01 is 1 % too long.

    Returns
    -------
    float
        eV; negative where a cell too large makes E_f too low.
    """
    given = np.asarray(strain, dtype=float)
    beyond = finite_tensor(given * np.eye(3) if given.ndim == 0 else given, "strain")
    return -float(np.sum(dipole.tensor * beyond))
