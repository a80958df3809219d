"""Jobs that run VASP once, under custodian; their output is atomate2's TaskDoc."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from atomate2 import SETTINGS
from atomate2.vasp.jobs import base
from custodian.custodian import CustodianError, ReturnCodeError, ValidationError
from emmet.core.tasks import TaskDoc
from jobflow import job
from pymatgen.core import Structure

from vacancy_flows.engines.vasp.corrections import LOG, handlers, logged, why_it_gave_up
from vacancy_flows.engines.vasp.potcars import check_potcars
from vacancy_flows.engines.vasp.reading import FinishedRun, RunError, read_run
from vacancy_flows.engines.vasp.restart import Start, begin
from vacancy_flows.engines.vasp.run_files import backed_up_steps
from vacancy_flows.engines.vasp.sets import (
    VacancyRelaxSetGenerator,
    VacancySetGenerator,
    VacancyStaticSetGenerator,
)
from vacancy_flows.errors import EngineError

_TRIES = 2  # of VASP in one job, where it crashed or its vasprun.xml has no end

# atomate2's own choices that would keep large objects, or count charges a second time.
_DOCUMENT = {"store_additional_json": True, "store_volumetric_data": None, "run_bader": False}


@dataclass
class VaspRunMaker(base.BaseVaspMaker):
    """One run of VASP under custodian; the output of its job is a TaskDoc.

    Over `BaseVaspMaker`: it goes on where a run broke off (`vacancy_flows.engines.vasp.restart`),
    starts handlers anew for every run, returns a run that did not converge like any other, and
    raises only where there is no energy. ``additional_json["vacancy_flows"]`` of the TaskDoc
    says what the files do not. ``copy_vasp_kwargs``, ``stop_children_kwargs`` and
    ``write_additional_data`` are not used.

    Parameters
    ----------
    name
        Of the job; the same name means the same run.
    input_set_generator
        One of ours.
    cell
        Whether the cell moves.
    """

    name: str = "VASP"
    input_set_generator: VacancySetGenerator = field(default_factory=VacancyRelaxSetGenerator)
    cell: Literal["free", "fixed"] = "fixed"

    @job
    def make(
        self,
        structure: Structure,
        prev_dir: str | Path | None = None,
        wavefunctions: str | Path | None = None,
    ) -> TaskDoc:
        """Return a job that runs VASP.

        Parameters
        ----------
        structure
            With ``magmom`` on every site.
        prev_dir
            Of a broken run of the same calculation, or a folder that holds it.
        wavefunctions
            Of a finished run of the same cell.
        """
        return self.run(structure, prev_dir, wavefunctions)

    def run(
        self,
        structure: Structure | None,
        prev_dir: str | Path | None = None,
        wavefunctions: str | Path | None = None,
    ) -> TaskDoc:
        """Run VASP in the working directory and return its TaskDoc.

        Raises
        ------
        EngineError
            Where there is no energy: VASP crashed again and again, was stopped, or what comes
            before it failed.
        """
        if structure is None:
            raise EngineError("what comes before this run failed")
        began = time.perf_counter()
        elements = {site.specie.symbol for site in structure}
        potcars = check_potcars(elements, self.input_set_generator.settings)
        start = self._vasp(structure, prev_dir, wavefunctions)
        finished = _read(start.note.get("gave_up"))
        start.note |= {
            "potcars": {
                element: {key: potcar[key] for key in ("symbol", "titel", "sha256")}
                for element, potcar in potcars.items()
            },
            "run": _judged(finished),
            "steps_before": sum(entry["steps"] for entry in start.note["restarts"])
            + backed_up_steps(Path.cwd()),
            "wall_s": time.perf_counter() - began,
        }
        start.save()
        kwargs = {**_DOCUMENT, **self.task_document_kwargs}
        with logged(Path(LOG).absolute()):
            document = base.get_vasp_task_document(Path.cwd(), **kwargs)
        document.task_label = self.name
        outcar = document.calcs_reversed[0].output.outcar or {}
        if outcar.get("is_stopped") and not finished.converged:
            raise EngineError(
                f"VASP was stopped (STOPCAR, or the end of its walltime) in {Path.cwd()} after "
                f"{finished.n_steps} ionic steps: start it again, it goes on from CONTCAR"
            )
        self._drop_wavecar()
        base.gzip_output_folder(
            directory=Path.cwd(),
            setting=SETTINGS.VASP_ZIP_FILES,
            files_list=base._FILES_TO_ZIP,  # noqa: SLF001
        )
        return document

    def _drop_wavecar(self) -> None:
        """Delete the copy a static started from: it writes none, and they are large."""
        settings = self.input_set_generator.settings
        is_static = isinstance(self.input_set_generator, VacancyStaticSetGenerator)
        if is_static and not settings.incar.get("LWAVE", False):
            Path("WAVECAR").unlink(missing_ok=True)

    def _vasp(
        self,
        structure: Structure,
        prev_dir: str | Path | None,
        wavefunctions: str | Path | None,
    ) -> Start:
        """Run VASP under custodian, once more where it crashed, and return how it began."""
        for attempt in range(1, _TRIES + 1):
            start = begin(self.name, structure, self.cell, prev_dir, wavefunctions)
            generator = replace(self.input_set_generator, from_wavecar=start.from_wavecar)
            base.write_vasp_input_set(start.structure, generator, **self.write_input_set_kwargs)
            try:
                with logged(Path(LOG).absolute()):
                    base.run_vasp(**{"handlers": handlers(), **self.run_vasp_kwargs})
            except (ReturnCodeError, ValidationError, ValueError, OSError) as error:
                # the last two: a handler that stumbled over a file VASP had not finished
                if attempt == _TRIES:
                    raise EngineError(
                        f"VASP crashed {_TRIES} times in {Path.cwd()} "
                        f"({' '.join(str(error).split())}{_said()}): see vasp.out and std_err.txt "
                        "there"
                    ) from None
            except CustodianError as error:
                start.note["gave_up"] = why_it_gave_up(error)
                break
            else:
                break
        return start


@dataclass
class VaspChargeMaker(VaspRunMaker):
    """A static for Bader charges, which a calculation can do without: it says why it failed."""

    name: str = "VASP static"
    input_set_generator: VacancySetGenerator = field(default_factory=VacancyStaticSetGenerator)

    @job
    def make(
        self,
        structure: Structure | None,
        prev_dir: str | Path | None = None,
        wavefunctions: str | Path | None = None,
        state: str | None = None,
    ) -> TaskDoc | str:
        """Return a job whose output is a TaskDoc, or why there is none.

        Parameters
        ----------
        structure, prev_dir, wavefunctions
            See `VaspRunMaker.make`.
        state
            Of the run before; an unconverged one gets no charges.
        """
        if structure is None or str(getattr(state, "value", state)) != "successful":
            return "no static: the relaxation did not converge"
        try:
            return self.run(structure, prev_dir, wavefunctions)
        except Exception as error:  # noqa: BLE001  # whatever it was, the relaxation is sound
            return f"the static failed ({' '.join(str(error).split())})"


def _read(gave_up: str | None) -> FinishedRun:
    try:
        return read_run(Path.cwd())
    except RunError as error:
        said = f"custodian gave up ({gave_up}); " if gave_up else ""
        raise EngineError(f"{said}vasprun.xml in {Path.cwd()} {error}") from None


def _said() -> str:
    """Return what VASP, or its launcher, wrote to standard error, such as a full disk."""
    path = Path("std_err.txt")
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return f"; {' / '.join(lines[:2])[:200]}" if lines else ""


def _judged(run: FinishedRun) -> dict[str, Any]:
    """Return what reading the run told beyond the TaskDoc."""
    names = ("electronic", "ionic", "reason", "max_force", "charges", "charge_method", "notes")
    found = {name: getattr(run, name) for name in names}
    return {**found, "settings": run.settings.model_dump(mode="json")}
