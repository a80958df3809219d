"""An ASE calculator around GPAW: parameters from settings, a second try, a count of calls."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from pymatgen.core import Structure

from vacancy_flows.engines.gpaw.plane_waves import plane_wave_excess
from vacancy_flows.engines.gpaw.settings import GpawSettings
from vacancy_flows.engines.kpoints import KPoints, mesh
from vacancy_flows.errors import EngineError
from vacancy_flows.schemas import MESH_LATTICE

logger = logging.getLogger(__name__)

LOG = "gpaw.txt"
"""GPAW's own log, in the directory of the job."""

REFERENCE_MESHES = {"Li": KPoints(length=40.0), "Li2O": KPoints(length=22.0)}
"""What the crystals have at least: 16×16×16 on bcc Li, for its Fermi surface with 0.05 eV (12×12×12
is 5 meV off), and 8×8×8 on Li2O, over which the jumps of its few plane waves average out (6×6×6 is
4 meV off)."""

# Ten times tighter than GPAW's defaults, which forces of 0.01 eV/Å need: eV and electrons per
# valence electron.
_CONVERGENCE = {"energy": 1e-5, "density": 1e-5}
_TOLERANCE = 1e-4  # Å; optimizers add to the noise that GPAW's own 1e-7 Å would not forgive
_MAX_ITERATIONS = 200
_CAUTIOUS = {"name": "pulay", "beta": 0.02, "nmaxold": 5, "weight": 100}
_MAGNETIC = 0.01  # µB; below, a cell is calculated without spin


def counts_of(structure: Structure, settings: GpawSettings) -> tuple[int, int, int]:
    """Return the Γ-centred mesh of a cell: that of the settings, with exceptions for references.

    O2 has Γ alone, crystals at least `REFERENCE_MESHES`.
    """
    reference = structure.properties.get("reference")
    matrix = structure.properties.get(MESH_LATTICE, structure.lattice.matrix)
    if reference == "O2":
        return 1, 1, 1
    counts = mesh(matrix, settings.kpoints)
    if reference is None:
        return counts
    first, second, third = np.maximum(counts, mesh(matrix, REFERENCE_MESHES[reference])).tolist()
    return first, second, third


def parameters(structure: Structure, settings: GpawSettings) -> dict[str, Any]:
    """Return the parameters of GPAW for a cell.

    Parameters
    ----------
    structure
        ``properties["reference"]`` names a reference: O2 has a fixed moment.
    settings
        Of the campaign.
    """
    kind = structure.properties.get("reference")
    elements = {site.specie.symbol for site in structure}
    found: dict[str, Any] = {
        "mode": {"name": "pw", "ecut": settings.encut},
        "xc": "PBE",
        "kpts": {"size": counts_of(structure, settings), "gamma": True},
        "occupations": {"name": "fermi-dirac", "width": settings.sigma},
        "setups": settings.setups_of(elements),
        "convergence": dict(_CONVERGENCE),
        "maxiter": _MAX_ITERATIONS,
    }
    found["symmetry"] = {"tolerance": _TOLERANCE, "point_group": settings.symmetry}
    if kind == "O2":
        found["occupations"]["fixmagmom"] = True
    return found


class GpawCalculator(Calculator):
    """GPAW for one job, with energy, forces, moments and the analytic stress.

    Energies are those for zero width of the occupations. The stress is GPAW's: at a fixed number
    of plane waves, so with a large isotropic part that only the basis makes. A cycle of
    self-consistency that does not converge is tried once more, from the start and with cautious
    mixing; what then fails is an error. The log goes to `LOG` in the working directory.

    Parameters
    ----------
    structure, settings
        See `parameters`; the cell may change later, the mesh does not.

    Attributes
    ----------
    calls
        Energies so far.
    after
        Called after each of them with atoms and energy (eV).
    """

    name = "gpaw"
    implemented_properties = ("energy", "free_energy", "forces", "stress", "magmoms")

    def __init__(
        self,
        structure: Structure,
        settings: GpawSettings,
    ) -> None:
        super().__init__()
        self.settings, self._structure = settings, structure
        self.given = parameters(structure, settings)
        self.is_reference = "reference" in structure.properties
        moments = structure.site_properties.get("magmom") or [0.0]
        self.is_magnetic = max(map(abs, moments)) > _MAGNETIC
        self.calls = 0
        self.second_tries = 0
        self.after: Callable[[Atoms, float], None] | None = None
        self._log: Any = None
        self._gpaw: Any = None

    @property
    def counts(self) -> tuple[int, int, int]:
        """The k-mesh."""
        size: tuple[int, int, int] = self.given["kpts"]["size"]
        return size

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Calculate energy (eV), moments (µB), and forces (eV/Å) or stress (eV/Å³) if asked."""
        super().calculate(atoms, properties, system_changes)
        gpaw = self._converged()
        self.results["energy"] = float(gpaw.get_potential_energy(self.atoms))
        self.results["free_energy"] = float(
            gpaw.get_potential_energy(self.atoms, force_consistent=True)
        )
        if self.is_magnetic:
            self.results["magmoms"] = np.array(gpaw.get_magnetic_moments(self.atoms))
        if "forces" in (properties or []):
            self.results["forces"] = np.array(gpaw.get_forces(self.atoms))
        if "stress" in (properties or []):
            self.results["stress"] = np.array(gpaw.get_stress(self.atoms))
        if system_changes:
            self.calls += 1
            if self.after is not None:
                self.after(self.atoms, self.results["energy"])

    def total_moment(self) -> float:
        """Return the moment of the whole cell, µB, of the last energy."""
        return float(self._converged().get_magnetic_moment(self.atoms))

    def excess(self) -> float:
        """Return ln N / N_c of the last cell (see `plane_waves`)."""
        return plane_wave_excess(self.atoms.cell.array, self.settings.encut, self.counts)

    def at_cutoff(self, encut: float) -> GpawCalculator:
        """Return a new calculator of the same cell and mesh with another cutoff, eV."""
        settings = self.settings.model_copy(update={"encut": encut})
        other = GpawCalculator(self._structure, settings)
        other.given["kpts"] = self.given["kpts"]
        return other

    def density(self, spacing: float) -> np.ndarray:
        """Return the all-electron density, e/Å³, on a grid of about that spacing (Å)."""
        densities = self._converged().dft.densities()
        spins = densities.all_electron_densities(grid_spacing=spacing)
        density: np.ndarray = np.asarray(spins.gather(broadcast=True).data).sum(axis=0)
        return density

    def _converged(self) -> Any:
        """Return GPAW with a self-consistent density of the atoms."""
        from gpaw import KohnShamConvergenceError
        from gpaw.new.symmetry import SymmetryBrokenError

        if self._gpaw is None:
            self._gpaw = self._new()
        try:
            self._gpaw.get_potential_energy(self.atoms)
        except (KohnShamConvergenceError, SymmetryBrokenError) as error:
            logger.debug("second try after %s", type(error).__name__)
            self._second_try(cautious=isinstance(error, KohnShamConvergenceError))
        return self._gpaw

    def _second_try(self, *, cautious: bool) -> None:
        from gpaw import KohnShamConvergenceError

        self.second_tries += 1
        self._gpaw = self._new(**({"mixer": _CAUTIOUS} if cautious else {}))
        try:
            self._gpaw.get_potential_energy(self.atoms)
        except KohnShamConvergenceError:
            self._gpaw = None
            raise EngineError(
                f"GPAW's self-consistency did not converge in {_MAX_ITERATIONS} iterations, twice: "
                f"see {Path(LOG).absolute()}"
            ) from None

    def _new(self, **changes: Any) -> Any:
        from gpaw import GPAW

        if self._log is None:
            self._log = Path(LOG).open("a", encoding="utf-8")  # noqa: SIM115  # as long as GPAW
        return GPAW(**{**self.given, **changes}, txt=self._log, legacy_gpaw=False)
