"""The jobflow Maker of relaxations and single points with GPAW."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from jobflow import job
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from vacancy_flows.engines.ase_relax import AseEngineRelaxMaker, free_mask
from vacancy_flows.engines.gpaw.calculator import GpawCalculator
from vacancy_flows.engines.gpaw.cell import STEP, OwnCell, Point, find_cell
from vacancy_flows.engines.gpaw.charges import bader
from vacancy_flows.engines.gpaw.parallel import everywhere, relax_in_parallel
from vacancy_flows.engines.gpaw.plane_waves import basis_slope
from vacancy_flows.engines.gpaw.restart import Note, begin
from vacancy_flows.engines.gpaw.settings import GpawSettings, fingerprint
from vacancy_flows.engines.gpaw.setups import check_setups
from vacancy_flows.engines.vasp.run_settings import RunSettings, gamma_mesh
from vacancy_flows.schemas import Result
from vacancy_flows.structures import symmetrise, with_geometry

_SYMPREC = 1e-3  # Å; noise of single precision is 1e-5, a real distortion more
_MOMENT_DIGITS = 1  # of initial moments, µB: noise in them hides the symmetry too
_HIGHER = 1.03  # of the cutoff: where dE/dln N is taken


@dataclass
class GpawRelaxMaker(AseEngineRelaxMaker):
    """Relax with GPAW and return a `Result`.

    A free cell is one isotropic scan of single points at the geometry it starts from, scaled to
    the minimum of E(V); then the ions relax in that cell. What is left of the stress stays in
    the result. Large hosts have their ions relaxed by CHGNet (`GpawSettings.relaxer`), and end
    with a single point.

    Parameters
    ----------
    settings
        Of the campaign.
    """

    name: str = "GPAW relax"
    settings: GpawSettings = field(default_factory=GpawSettings)

    def __post_init__(self) -> None:
        """Know no cell of one's own yet."""
        super().__post_init__()
        self._own: OwnCell | None = None

    @job
    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Result:
        """Return a job that relaxes ``structure``.

        Parameters
        ----------
        structure
            With ``magmom`` where it is magnetic, ``selective_dynamics`` where only some atoms
            may move.
        prev_dir
            Of a broken job of the same name, or a folder that holds it: it goes on from there.
        """
        if self.settings.ranks > 1:
            return relax_in_parallel(self, structure, prev_dir)
        return self.relax(structure, prev_dir)

    def provenance(self) -> dict[str, Any]:
        """Return the versions of GPAW, its setups and libxc."""
        from gpaw import get_libraries

        try:
            data = version("gpaw-data")
        except PackageNotFoundError:
            data = "unknown"
        return {"gpaw": version("gpaw"), "gpaw_data": data, **get_libraries()}

    def relax(self, structure: Structure, prev_dir: str | Path | None = None) -> Result:
        """Relax ``structure`` here and now.

        Raises
        ------
        EngineError
            Where self-consistency or the scan of the cell fails.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        note = begin(self.name, fingerprint(self.settings), structure, prev_dir)
        ready = prepared(structure, keep_cell=not self.relax_cell)
        calculator = GpawCalculator(ready, self.settings)
        own = None
        if self.relax_cell:
            own, points = self._own_cell(ready, calculator, note)
            ready = scaled(ready, own.scale)
        result = self._ions(ready, calculator, note, own)
        found = result.structure
        result.structure = with_geometry(structure, found.lattice.matrix, found.frac_coords)
        if "magmom" in structure.site_properties:
            if not calculator.is_magnetic:  # calculated without spin
                result.moments = [0.0] * len(structure)
            result.structure.add_site_property("magmom", result.moments)
        if self.settings.bader and not (self.relax_cell or calculator.is_reference):
            result.charges, result.provenance["bader"] = bader(found, calculator)
        if own is not None:
            scan = [[point.volume, point.energy] for point in points]
            result.provenance["cell"] = {**own.as_dict(), "scan": scan}
        result.provenance |= self._told(ready, calculator, note)
        result.force_calls = calculator.calls
        result.wall_s, result.cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        return result

    def _own_cell(
        self, structure: Structure, calculator: GpawCalculator, note: Note
    ) -> tuple[OwnCell, list[Point]]:
        """Return the minimum of E(V) with its single points, those of a broken job among them."""

        def single_point(step: int) -> Point:
            cell = scaled(structure, 1 + STEP * step)
            known = note.point(step, cell.volume)
            if known is not None:
                return known
            atoms = atoms_of(cell, calculator)
            pressure, energy = _pressure(atoms), float(atoms.get_potential_energy())
            point = Point(step, cell.volume, energy, pressure, calculator.excess())
            note.add(point)
            return point

        return find_cell(single_point)

    def _ions(
        self, structure: Structure, calculator: GpawCalculator, note: Note, own: OwnCell | None
    ) -> Result:
        """Relax the ions in their cell, or have CHGNet do it."""
        inner = replace(self, relax_cell=False)
        inner._own, inner._calculator = own, calculator  # noqa: SLF001
        n_atoms = structure.properties.get("host_atoms", len(structure))
        relaxer = "gpaw" if calculator.is_reference else self.settings.relaxer(n_atoms)
        if relaxer == "gpaw" or self.steps == 0:
            if self.steps:
                calculator.after = note.saw
                structure = note.geometry(structure)
            return AseEngineRelaxMaker.relax(inner, structure)
        from vacancy_flows.engines.chgnet import ChgnetRelaxMaker

        potential = ChgnetRelaxMaker(weights=relaxer, fmax=self.fmax, steps=self.steps)
        before = everywhere(potential.relax(structure))
        inner.steps = 0
        result = AseEngineRelaxMaker.relax(inner, before.structure)
        result.converged, result.n_steps = before.converged, before.n_steps
        result.reason = (
            f"ions by {relaxer}: {before.reason} ({before.max_force:.3f} eV/Å); "
            "energy by GPAW: self-consistent"
        )
        result.provenance["ions"] = {**before.provenance, "max_force": before.max_force}
        return result

    def _stress(self, atoms: Atoms) -> list[list[float]] | None:
        """Return the stress at a fixed cutoff: the analytic one and dE/dln N (`plane_waves`)."""
        calculator: GpawCalculator = atoms.calc
        own = self._own
        if own is None and (calculator.is_reference or not self.settings.stress):
            return None
        raw = np.array(atoms.get_stress(voigt=False, apply_constraint=False))
        slope = own.basis_slope if own is not None else self._slope(atoms, calculator)
        return list((raw + np.eye(3) * slope / atoms.get_volume()).tolist())

    def _slope(self, atoms: Atoms, calculator: GpawCalculator) -> float:
        """Return dE/dln N of the last cell, eV, from energy and stress at a higher cutoff."""
        low, high = self.settings.encut, self.settings.encut * _HIGHER
        other = calculator.at_cutoff(high)
        again = atoms.copy()
        again.calc = other
        if calculator.is_magnetic:
            again.set_initial_magnetic_moments(atoms.get_magnetic_moments())
        pressures = _pressure(atoms), _pressure(again)
        energies = atoms.get_potential_energy(), again.get_potential_energy()
        calculator.calls += other.calls
        excess = calculator.excess(), other.excess()
        return basis_slope(energies, pressures, excess, (low, high))

    def _told(self, structure: Structure, calculator: GpawCalculator, note: Note) -> dict[str, Any]:
        """Return what the record tells of settings, setups and restarts."""
        elements = {site.specie.symbol for site in structure}
        setups = check_setups(elements, self.settings)
        versions = self.provenance()
        settings = RunSettings(
            code="GPAW",
            version=versions["gpaw"],
            functional="PBE",
            u={e: u for e, u in self.settings.u.items() if e in elements},
            u_scheme="Dudarev",
            encut=self.settings.encut,
            potcars={element: setup.name for element, setup in setups.items()},
            titels={e: f"{setup.name} {setup.sha256[:8]}" for e, setup in setups.items()},
            sigma=self.settings.sigma,
            kmesh=gamma_mesh(calculator.counts),
            run="static" if self.steps == 0 else "ions",
            charge=0.0,
        )
        return {
            "settings": settings.model_dump(exclude_defaults=True),
            "setups": {element: setup._asdict() for element, setup in setups.items()},
            "total_moment": calculator.total_moment(),
            "restarted": note.restarts > 0,
            "second_tries": calculator.second_tries,
        }


def prepared(structure: Structure, *, keep_cell: bool) -> Structure:
    """Return a cell whose symmetry GPAW can see: without the noise of single precision.

    Parameters
    ----------
    structure
        With a mask it is left as it is.
    keep_cell
        Whether only positions may change: a vacancy has exactly the cell of its pristine one.
    """
    result = structure.copy()
    if free_mask(structure) is None:
        exact = symmetrise(structure, _SYMPREC)
        lattice = structure.lattice.matrix if keep_cell else exact.lattice.matrix
        result = with_geometry(structure, lattice, exact.frac_coords)
    if "magmom" in result.site_properties:
        moments = np.round(np.array(result.site_properties["magmom"], float), _MOMENT_DIGITS)
        result.add_site_property("magmom", (moments + 0.0).tolist())
    return result


def scaled(structure: Structure, factor: float) -> Structure:
    """Return a structure with all lattice vectors times a factor, atoms carried along."""
    return with_geometry(structure, structure.lattice.matrix * factor, structure.frac_coords)


def atoms_of(structure: Structure, calculator: GpawCalculator) -> Atoms:
    """Return ASE's atoms with a calculator."""
    atoms: Atoms = AseAtomsAdaptor.get_atoms(structure, msonable=False)
    atoms.calc = calculator
    return atoms


def _pressure(atoms: Atoms) -> float:
    """Return V dE/dV at a fixed number of plane waves, eV."""
    stress = atoms.get_stress(voigt=False, apply_constraint=False)
    return float(np.trace(stress)) / 3 * float(atoms.get_volume())
