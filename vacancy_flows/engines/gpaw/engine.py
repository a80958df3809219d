"""GPAW, with PBE or PBE+U, as an engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from importlib.util import find_spec
from shutil import which
from typing import Any, Literal

from monty.json import MSONable

from vacancy_flows.engines.base import ReferenceCell, ReferenceKind, default_reference
from vacancy_flows.engines.gpaw.makers import GpawRelaxMaker
from vacancy_flows.engines.gpaw.parallel import refusal
from vacancy_flows.engines.gpaw.settings import LAPTOP_DENSITY, GpawSettings, fingerprint
from vacancy_flows.engines.gpaw.setups import check_setups
from vacancy_flows.errors import InputError
from vacancy_flows.structures import with_geometry

# Energies of a calculation by kind, and CPU seconds of one at 12 atoms, 500 eV and 2×2×2, from
# examples/li2mno3_gpaw.yaml; taken to grow as N² and, with the plane waves, as the cutoff to 3/2.
_CALLS = {"vacancy": 12, "pristine": 5, "host": 9, "candidate": 12, "reference": 8}
_SECONDS, _ATOMS, _CUTOFF = 34.0, 12, 500.0
_O2_BOND = 1.23  # Å; about PBE's, from which few steps are left


@dataclass(frozen=True)
class GpawEngine(MSONable):
    """GPAW as an engine; all but ``name`` are the fields of `GpawSettings`, as plain values."""

    name: str = "gpaw"
    encut: float = 500.0
    u: Any = field(default_factory=lambda: {"Mn": 4.2})
    kpoints: dict[str, Any] = field(default_factory=lambda: {"density": LAPTOP_DENSITY})
    sigma: float = 0.05
    setups: dict[str, str] = field(default_factory=dict)
    symmetry: bool = True
    ions: str = "auto"
    bader: bool = False
    stress: bool = True
    ranks: int = 1

    @property
    def settings(self) -> GpawSettings:
        """The settings, checked."""
        names = [f.name for f in fields(self) if f.name != "name"]
        return GpawSettings.model_validate({name: getattr(self, name) for name in names})

    @property
    def energy_scale(self) -> str:
        """``pbe+u``, or ``pbe`` without any U."""
        return self.settings.energy_scale

    @property
    def uses_moments(self) -> bool:
        """Moments decide which state GPAW finds."""
        return True

    @property
    def leaves_files(self) -> bool:
        """Every job has GPAW's log in a directory of its own, and what a restart needs."""
        return True

    def check(self, elements: Iterable[str] = ()) -> None:
        """Raise `InputError` where GPAW, a setup or a shell for U is missing.

        Parameters
        ----------
        elements
            Whose setups are looked for, beyond those of Li and O (the references) and of
            elements with U.
        """
        _check_installed()
        settings = self.settings
        if settings.ranks > 1:
            _check_ranks(settings.ranks)
        check_setups({"Li", "O", *settings.u, *elements}, settings)

    def fingerprint(self) -> dict[str, Any]:
        """Return what matters to an energy (see `vacancy_flows.engines.gpaw.fingerprint`)."""
        return fingerprint(self.settings)

    def effort(self) -> dict[str, Any]:
        """Return nothing: fmax and max_steps say it all."""
        return {}

    def relax_maker(
        self, cell: Literal["free", "fixed"], fmax: float, max_steps: int, name: str = "relax"
    ) -> GpawRelaxMaker:
        """Return the Maker of a relaxation (see `Engine.relax_maker`)."""
        return GpawRelaxMaker(
            name=name,
            settings=self.settings,
            relax_cell=cell == "free",
            fmax=fmax,
            steps=max_steps,
        )

    def static_maker(self, name: str = "static") -> GpawRelaxMaker:
        """Return the Maker of one energy with forces and stress."""
        return GpawRelaxMaker(name=name, settings=self.settings, steps=0)

    def reference(self, kind: ReferenceKind) -> ReferenceCell:
        """Return the cell of a reference; its kind stands in ``properties["reference"]``.

        O2 starts as a triplet at about PBE's bond, centred on a point of the grid: symmetry then
        forbids the forces on the whole molecule that a grid makes. Li and Li2O have no spin.
        """
        found = default_reference(kind)
        structure = found.structure.copy(properties={"reference": kind})
        if kind == "O2":
            half = _O2_BOND / 2 / structure.lattice.c
            structure = with_geometry(
                structure, structure.lattice.matrix, [[0, 0, -half], [0, 0, half]]
            )
            structure.add_site_property("magmom", [1.0, 1.0])
        return replace(found, structure=structure)

    def seconds(self, n_atoms: int, kind: str) -> float | None:
        """Return a rough cost on one core."""
        waves: float = (self.encut / _CUTOFF) ** 1.5
        return _CALLS.get(kind, 10) * _SECONDS * waves * (n_atoms / _ATOMS) ** 2


def _check_installed() -> None:
    """Raise `InputError` where GPAW is missing or broken."""
    if find_spec("gpaw") is None:
        raise InputError(
            "engine 'gpaw' needs GPAW: CC=g++ pip install 'vacancy-flows[gpaw]' (which needs "
            "Debian's g++, libxc-dev and libopenblas-dev)",
            key="engine",
        )
    try:
        import_module("gpaw.cgpaw")
    except ImportError as error:
        raise InputError(
            f"GPAW is installed and cannot be imported ({error}): install what it was compiled "
            "with (libxc, OpenBLAS, MPI), or compile it again",
            key="engine",
        ) from None


def _check_ranks(ranks: int) -> None:
    """Raise `InputError` where GPAW cannot run on several ranks."""
    import gpaw.cgpaw

    missing = [
        *([] if gpaw.cgpaw.have_mpi else ["GPAW built with MPI"]),
        *([] if which("mpiexec") else ["mpiexec on PATH"]),
    ]
    if missing:
        raise InputError(
            f"{ranks} ranks need {' and '.join(missing)}: install it, or leave ranks out",
            key="settings.ranks",
        )
    problem = refusal(ranks)
    if problem:
        raise InputError(
            f"mpiexec does not start {ranks} ranks here ({problem}): ask for fewer, or leave "
            "ranks out",
            key="settings.ranks",
        )
