"""jobflow Makers of relaxations and statics with VASP, whose output is a `Result`.

A relaxation is a flow: the run itself, whose output is atomate2's TaskDoc and stays in the
JobStore as a raw document; where Bader charges are wanted, a static of the relaxed cell; and
`vasp_result`, which turns both into a `Result`. Charges are counted in the job of the static,
in its own directory, because CHGCAR and AECCAR may be gone or out of reach for a later job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jobflow import Flow, Job, Maker, OnMissing
from pymatgen.core import Structure

from vacancy_flows.engines.vasp.reference_sets import ReferenceSetGenerator
from vacancy_flows.engines.vasp.results import vasp_result
from vacancy_flows.engines.vasp.runs import VaspChargeMaker, VaspRunMaker
from vacancy_flows.engines.vasp.sets import VacancyRelaxSetGenerator, VacancyStaticSetGenerator
from vacancy_flows.engines.vasp.settings import VaspSettings


@dataclass
class VaspRelaxMaker(Maker):
    """Relax a structure and return a `Result`; the energy is that of the last ionic step.

    A structure with ``properties["reference"]`` is relaxed with the set of that reference; a
    crystal's free cell is then followed by a fixed one, whose energy counts, because the last
    energy of a free cell belongs to the basis of the first.

    Parameters
    ----------
    name
        Of the run; the jobs after it append to it.
    settings
        Of the campaign.
    cell
        Whether the cell moves.
    fmax
        Largest force norm at convergence, eV/Å.
    max_steps
        Ionic steps at most.
    """

    name: str = "relax"
    settings: VaspSettings = field(default_factory=VaspSettings)
    cell: Literal["free", "fixed"] = "fixed"
    fmax: float = 0.01
    max_steps: int = 500

    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Flow:
        """Return the flow; its output is a `Result`.

        Parameters
        ----------
        structure
            With ``magmom`` on every site, and ``selective_dynamics`` where only some may move.
        prev_dir
            Of a broken run of the same calculation, or a folder that holds it: its job goes on
            from there.
        """
        kind = structure.properties.get("reference") if isinstance(structure, Structure) else None
        jobs = [self._run(self.name, self.cell, kind).make(structure, prev_dir=prev_dir)]
        static = None
        if kind is not None and self.cell == "free":
            again = self._run(f"{self.name} then fixed", "fixed", kind)
            jobs.append(again.make(jobs[0].output.structure, prev_dir=prev_dir))
        elif kind is None and self.cell == "fixed" and self.settings.bader:
            static = self._charges(jobs[0])
        before = jobs[0].output if len(jobs) > 1 else None
        charges = static.output if static else None
        result = vasp_result(structure, jobs[-1].output, charges, before)
        result.name = f"{self.name} result"
        result.config.on_missing_references = OnMissing.NONE
        jobs += [static, result] if static else [result]
        return Flow(jobs, output=result.output, name=self.name)

    def _run(self, name: str, cell: Literal["free", "fixed"], kind: Any) -> VaspRunMaker:
        how: dict[str, Any] = {"cell": cell, "fmax": self.fmax, "max_steps": self.max_steps}
        if kind is None:
            generator = VacancyRelaxSetGenerator(settings=self.settings, **how)
        else:
            generator = ReferenceSetGenerator(settings=self.settings, kind=kind, **how)
        return VaspRunMaker(name=name, input_set_generator=generator, cell=cell)

    def _charges(self, relax: Job) -> Job:
        """Return the static of a relaxed cell; it runs, and says so, where that failed.

        It does not go on from an earlier one, which was of where the ions were then.
        """
        maker = VaspChargeMaker(
            name=f"{self.name} static",
            input_set_generator=VacancyStaticSetGenerator(settings=self.settings),
        )
        output = relax.output
        static = maker.make(output.structure, wavefunctions=output.dir_name, state=output.state)
        static.config.on_missing_references = OnMissing.NONE
        return static


@dataclass
class VaspStaticMaker(Maker):
    """One energy with forces and stress, and Bader charges where the settings want them."""

    name: str = "static"
    settings: VaspSettings = field(default_factory=VaspSettings)

    def make(self, structure: Structure, prev_dir: str | Path | None = None) -> Flow:
        """Return the flow; its output is a `Result` (see `VaspRelaxMaker.make`)."""
        generator = VacancyStaticSetGenerator(settings=self.settings)
        run = VaspRunMaker(name=self.name, input_set_generator=generator)
        static = run.make(structure, prev_dir=prev_dir)
        result = vasp_result(structure, static.output, static.output)
        result.name = f"{self.name} result"
        return Flow([static, result], output=result.output, name=self.name)
