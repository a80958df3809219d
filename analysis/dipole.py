"""Elastic dipole of a vacancy: from two stresses, its formation energy at any small strain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SAME_CELL = 1e-6
"""Largest relative difference of lattice vectors between the vacancy and the pristine cell."""

ASYMMETRY = 1e-3
"""Largest asymmetry of a stress that is taken for rounding, eV/Å³ (0.16 GPa)."""


@dataclass(frozen=True, eq=False)
class CellStress:
    """A finished calculation in a fixed cell, as far as a dipole needs it.

    Attributes
    ----------
    lattice
        (3, 3), rows a, b, c, Å.
    stress
        (3, 3), eV/Å³, in ASE's sign, σ = +(1/V) dE/dε (VASP prints -σ in kB).
    converged
        Whether its ions are relaxed.
    name
        What an error message calls it: a uid, for example.
    """

    lattice: ArrayLike
    stress: ArrayLike
    converged: bool = True
    name: str = ""


@dataclass(frozen=True, eq=False)
class ElasticDipole:
    """Elastic dipole tensor of a defect.

    Attributes
    ----------
    tensor
        (3, 3), eV, symmetric, in the Cartesian axes of the cells. A positive trace means that
        the vacancy pushes the cell outwards, so that tension lowers E_f.
    """

    tensor: NDArray[np.float64]

    @classmethod
    def from_cells(cls, vacancy: CellStress, pristine: CellStress) -> "ElasticDipole":
        """Take the dipole from the same cell with and without the vacancy.

        Parameters
        ----------
        vacancy, pristine : CellStress
            Both relaxed at fixed cell, the same one.

        Returns
        -------
        ElasticDipole
            See `elastic_dipole`.

        Raises
        ------
        ValueError
            If one is not converged, the lattices differ by more than `SAME_CELL`, or a stress is
            no symmetric tensor.
        """
        for which, cell in (("vacancy", vacancy), ("pristine", pristine)):
            if not cell.converged:
                raise ValueError(
                    f"the {which} cell {cell.name} is not converged: its stress is not that of "
                    "relaxed ions; continue the relaxation first"
                )
        one, other = (
            finite_tensor(vacancy.lattice, "lattice"),
            finite_tensor(pristine.lattice, "lattice"),
        )
        if np.abs(one - other).max() > SAME_CELL * np.linalg.norm(other, axis=1).min():
            raise ValueError(
                f"the cells of vacancy {vacancy.name} (volume {abs(np.linalg.det(one)):.4f} Å³) "
                f"and pristine {pristine.name} ({abs(np.linalg.det(other)):.4f} Å³) differ: a "
                "dipole needs both in the same fixed cell"
            )
        volume = float(abs(np.linalg.det(other)))
        return cls(elastic_dipole(vacancy.stress, pristine.stress, volume))

    @property
    def trace(self) -> float:
        """Trace in eV: -dE_f/dε of a hydrostatic strain with linear ε."""
        return float(np.trace(self.tensor))

    @property
    def principal_values(self) -> NDArray[np.float64]:
        """Eigenvalues (3,) in eV, ascending."""
        return np.asarray(np.linalg.eigvalsh(self.tensor))

    @property
    def principal_directions(self) -> NDArray[np.float64]:
        """Unit vectors (3, 3) in rows, Cartesian, in the order of `principal_values`."""
        return np.asarray(np.linalg.eigh(self.tensor)[1].T)

    def along(self, axes: ArrayLike) -> "ElasticDipole":
        """Return the dipole in a frame with a along x and c* along z.

        Parameters
        ----------
        axes : array_like
            (3, 3), rows a, b, c in Å, Cartesian: `vacancy_flows.structures.conventional_axes`.

        Returns
        -------
        ElasticDipole
            The same tensor in other axes: trace and principal values stay.

        Raises
        ------
        ValueError
            For axes that span nothing.
        """
        rows = finite_tensor(axes, "axes")
        if abs(np.linalg.det(rows)) < 1e-6:
            raise ValueError("axes must be three independent vectors (rows a, b, c in Å)")
        normal = np.cross(rows[0], rows[1])
        x, z = rows[0] / np.linalg.norm(rows[0]), normal / np.linalg.norm(normal)
        rotation = np.array([x, np.cross(z, x), z])
        return ElasticDipole(np.asarray(rotation @ self.tensor @ rotation.T))


def elastic_dipole(
    stress_vacancy: ArrayLike, stress_pristine: ArrayLike, volume: float
) -> NDArray[np.float64]:
    """Elastic dipole tensor from the residual stress of a fixed cell.

    ``P = -V (σ_vacancy - σ_pristine)`` (Clouet, Varvenne and Jourdan, Comput. Mater. Sci. 147, 49
    (2018); for Li-ion cathodes Moradabadi et al., arXiv:1706.01709).

    Parameters
    ----------
    stress_vacancy, stress_pristine : array_like
        (3, 3), eV/Å³, in ASE's sign, σ = +(1/V) dE/dε, ions relaxed, of the same cell.
    volume : float
        Of that cell, Å³.

    Returns
    -------
    numpy.ndarray
        (3, 3), eV, symmetrised.

    Raises
    ------
    ValueError
        For wrong shapes, numbers that are not finite, a stress whose asymmetry exceeds
        `ASYMMETRY`, or a volume that is not above zero.

    Examples
    --------
    >>> pushing_outwards = [[-0.02, 0, 0], [0, -0.02, 0], [0, 0, -0.01]]
    >>> elastic_dipole(pushing_outwards, [[0.0] * 3] * 3, 200.0).diagonal().tolist()
    [4.0, 4.0, 2.0]
    """
    if not (np.isfinite(volume) and volume > 0):
        raise ValueError(f"a volume is finite and above zero, not {volume} Å³")
    stresses = finite_tensor(stress_vacancy, "stress"), finite_tensor(stress_pristine, "stress")
    for stress in stresses:
        asymmetry = float(np.abs(stress - stress.T).max())
        if asymmetry > ASYMMETRY:
            raise ValueError(
                f"the stress is not symmetric (by {asymmetry:.2g} eV/Å³): give the 3×3 tensor in "
                "eV/Å³, not forces, and not VASP's kB"
            )
    dipole = -volume * (stresses[0] - stresses[1])
    return np.asarray(0.5 * (dipole + dipole.T))


def small_strain(gradient: ArrayLike) -> NDArray[np.float64]:
    """Small (infinitesimal) strain ½(F + Fᵀ) - I of a deformation gradient.

    Not the Green-Lagrange strain ½(FᵀF - I): the two differ in second order, which a dipole
    does not know anyway.

    Parameters
    ----------
    gradient : array_like
        F (3, 3), acts on Cartesian columns.

    Returns
    -------
    numpy.ndarray
        (3, 3), symmetric.

    Raises
    ------
    ValueError
        For a wrong shape and numbers that are not finite.
    """
    matrix = finite_tensor(gradient, "deformation gradient")
    return np.asarray(0.5 * (matrix + matrix.T) - np.eye(3))


def finite_tensor(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return a (3, 3) array; raise ``ValueError``, with ``what`` it is, for anything else."""
    matrix = np.array(values, dtype=float)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError(
            f"a {what} is a 3×3 matrix of finite numbers, not of shape {matrix.shape}; it was "
            f"{values!r}"
        )
    return matrix
