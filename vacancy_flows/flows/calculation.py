"""One calculation as a flow: the engine's jobs, then the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jobflow import Flow, Maker, job

from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.errors import EngineError
from vacancy_flows.records import make_record
from vacancy_flows.schemas import Calculation, Record, Result


@dataclass
class CalculationMaker(Maker):
    """Run one `Calculation` and return its `Record`.

    Parameters
    ----------
    name
        Of the flow; the calculation's title is appended.
    engine
        See `vacancy_flows.engines.get_engine`.

    Examples
    --------
    >>> from jobflow import run_locally
    >>> flow = CalculationMaker(engine=engine).make(calculation)  # doctest: +SKIP
    >>> responses = run_locally(flow)  # doctest: +SKIP
    """

    name: str = "vacancy-flows"
    engine: Engine = field(default_factory=get_engine)

    def make(self, calculation: Calculation) -> Flow:
        """Return the flow of a calculation; its output is a `Record`.

        Parameters
        ----------
        calculation
            With a structure that is resolved, not a reference to another job.
        """
        title = f"{calculation.uid} {calculation.title}"
        jobs = []
        structure: Any = calculation.structure
        for cell in calculation.cell.split("-"):  # free-fixed is one after the other
            maker = self.engine.relax_maker(
                cell,  # type: ignore[arg-type]
                calculation.fmax,
                calculation.max_steps,
                name=f"{title} relax {cell}",
            )
            jobs.append(maker.make(structure))
            structure = jobs[-1].output.structure
        before = [j.output for j in jobs[:-1]]
        record = store_record(calculation, jobs[-1].output, self.engine, before)
        record.name = f"{title} record"
        flow = Flow([*jobs, record], output=record.output, name=f"{self.name} {title}")
        flow.update_metadata(metadata(calculation, self.engine), dynamic=True)
        record.update_metadata({"record": True}, dynamic=False)  # what a raw store is read by
        return flow


@job(output_schema=Record)
def store_record(
    calculation: Calculation, result: Result | None, engine: Engine, before: list[Result]
) -> Record:
    """Turn the last result of a calculation into its record.

    Parameters
    ----------
    calculation
        What was asked for.
    result
        Whose energy counts; None where its job failed.
    engine
        That did it.
    before
        Relaxations that led there; all must have converged. Their steps and times are added.

    Raises
    ------
    EngineError
        Where there is no result.
    """
    if result is None:
        raise EngineError(f"{calculation.title}: its relaxation failed, there is no record")
    stages = [*before, result]
    calls = [stage.force_calls for stage in stages if stage.force_calls is not None]
    update: dict[str, Any] = {
        "n_steps": sum(stage.n_steps for stage in stages),
        "force_calls": sum(calls) if len(calls) == len(stages) else None,
        "wall_s": sum(stage.wall_s for stage in stages),
        "cpu_s": sum(stage.cpu_s for stage in stages),
    }
    for earlier in before:
        if not earlier.converged:
            update |= {"converged": False, "reason": f"free cell: {earlier.reason}"}
    return make_record(calculation, result.model_copy(update=update), engine)


def metadata(calculation: Calculation, engine: Engine) -> dict[str, Any]:
    """Return what users of a LaunchPad or JobStore search for."""
    names = ("uid", "kind", "campaign", "host", "strain_mode", "strain", "site")
    found = {name: getattr(calculation, name) for name in names}
    return {**{k: v for k, v in found.items() if v is not None}, "engine": engine.name}
