"""VASP, with PBE or PBE+U, as an engine."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from os.path import expandvars
from pathlib import Path
from shutil import which
from typing import Any, Literal

from monty.json import MSONable

from vacancy_flows.engines.base import ReferenceCell, ReferenceKind, default_reference
from vacancy_flows.engines.vasp.incar import EFFORT, check_site_updates
from vacancy_flows.engines.vasp.makers import VaspRelaxMaker, VaspStaticMaker
from vacancy_flows.engines.vasp.potcars import check_potcars
from vacancy_flows.engines.vasp.settings import LIU_2022, VaspSettings, fingerprint
from vacancy_flows.errors import InputError

_LAUNCHERS = {"mpirun", "mpiexec", "mpiexec.hydra", "orterun", "prun", "srun", "aprun", "ibrun"}


@dataclass(frozen=True)
class VaspEngine(MSONable):
    """VASP as an engine; all but ``name`` are the fields of `VaspSettings`, as plain values."""

    name: str = "vasp"
    preset: str = "liu2022"
    u: Any = field(default_factory=lambda: dict(LIU_2022["u"]))
    encut: float = LIU_2022["encut"]
    kpoints: dict[str, Any] = field(default_factory=lambda: dict(LIU_2022["kpoints"]))
    ismear: int = LIU_2022["ismear"]
    sigma: float = LIU_2022["sigma"]
    potcars: dict[str, str] = field(default_factory=lambda: dict(LIU_2022["potcars"]))
    potcar_functional: str = "PBE_54"
    incar: dict[str, Any] = field(default_factory=dict)
    bader: bool = True

    @property
    def settings(self) -> VaspSettings:
        """The settings, checked."""
        names = [f.name for f in fields(self) if f.name != "name"]
        return VaspSettings.model_validate({name: getattr(self, name) for name in names})

    @property
    def energy_scale(self) -> str:
        """``pbe+u``, or ``pbe`` without any U."""
        return self.settings.energy_scale

    @property
    def uses_moments(self) -> bool:
        """Moments decide which state VASP finds."""
        return True

    @property
    def leaves_files(self) -> bool:
        """Every run has a directory of its own."""
        return True

    def check(self, elements: Iterable[str] = ()) -> None:
        """Raise one `InputError` for all that is missing here.

        Parameters
        ----------
        elements
            Whose POTCARs are looked for, beyond those of Li and O (the references) and of
            elements with U.
        """
        settings = self.settings
        wanted = {"Li", "O", *settings.u, *elements}
        steps: list[Callable[[], Any]] = [
            lambda: check_potcars(wanted, settings),
            check_site_updates,
            _check_command,
        ]
        problems = []
        for step in steps:
            try:
                step()
            except InputError as error:
                problems.append(error)
        if len(problems) == 1:
            raise problems[0]
        if problems:
            raise InputError("\n  ".join(["", *(str(problem) for problem in problems)]))

    def fingerprint(self) -> dict[str, Any]:
        """Return what matters to an energy (see `vacancy_flows.engines.vasp.fingerprint`)."""
        return fingerprint(self.settings)

    def effort(self) -> dict[str, Any]:
        """Return the user's tags that help electrons and ions to converge."""
        return {tag: value for tag, value in self.settings.incar.items() if tag in EFFORT}

    def relax_maker(
        self, cell: Literal["free", "fixed"], fmax: float, max_steps: int, name: str = "relax"
    ) -> VaspRelaxMaker:
        """Return the Maker of a relaxation (see `Engine.relax_maker`)."""
        return VaspRelaxMaker(
            name=name, settings=self.settings, cell=cell, fmax=fmax, max_steps=max_steps
        )

    def static_maker(self, name: str = "static") -> VaspStaticMaker:
        """Return the Maker of one energy with forces and stress."""
        return VaspStaticMaker(name=name, settings=self.settings)

    def reference(self, kind: ReferenceKind) -> ReferenceCell:
        """Return the cell of a reference; its kind stands in ``properties["reference"]``."""
        found = default_reference(kind)
        return replace(found, structure=found.structure.copy(properties={"reference": kind}))

    def seconds(self, n_atoms: int, kind: str) -> float | None:  # noqa: ARG002
        """Return None: the machine and its cores are not known."""
        return None


def _check_command() -> None:
    """Raise `InputError` where a command that starts VASP is not on PATH.

    O2 has Γ alone: custodian starts it with VASP_GAMMA_CMD where the last word of that is found,
    else with VASP_CMD, in silence. That is right for atomate2's default, ``vasp_gam``.
    """
    from atomate2 import SETTINGS

    _look_for("VASP_CMD", str(SETTINGS.VASP_CMD))
    gamma = str(SETTINGS.VASP_GAMMA_CMD)
    if gamma != type(SETTINGS).model_fields["VASP_GAMMA_CMD"].default:
        _look_for("VASP_GAMMA_CMD", gamma)


def _look_for(setting: str, command: str) -> None:
    words = shlex.split(expandvars(command))
    programs = words[:1]
    if programs and Path(programs[0]).name in _LAUNCHERS:  # a container has a PATH of its own
        programs += words[-1:]
    missing = [word for word in dict.fromkeys(programs) if which(word) is None]
    if missing or not words:
        raise InputError(
            f"{' and '.join(missing) or 'VASP'} (of the command {command!r}) is not on PATH: load "
            "the module of VASP, or set the command that starts it, with its launcher "
            f"({setting} in ~/.atomate2.yaml, or the variable ATOMATE2_{setting})"
        )
