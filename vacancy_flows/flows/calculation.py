"""One calculation as a flow: the engine's jobs, then the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobflow import Flow, JobConfig, Maker, OnMissing, job
from pymatgen.core import Structure

from vacancy_flows.engines import Engine, get_engine
from vacancy_flows.errors import EngineError
from vacancy_flows.flows.large import keep_apart
from vacancy_flows.records import keep_lowest, make_record
from vacancy_flows.schemas import Calculation, Record, Result
from vacancy_flows.structures import with_geometry
from vacancy_flows.structures.neel import common_sign
from vacancy_flows.structures.reduction import with_electrons


@dataclass
class CalculationMaker(Maker):
    """Run one `Calculation` and return its `Record`.

    With ``magnetic_starts`` in its operation the calculation is done from each of them and the
    lowest that converged is kept; with ``prerelax`` another engine relaxes it first.

    Parameters
    ----------
    name
        Of the flow; the calculation's title is appended.
    engine
        See `vacancy_flows.engines.get_engine`.
    large_apart
        Whether a TaskDoc's ionic steps go into the store ``data``: documents hold 16 MB at most.

    Examples
    --------
    >>> flow = CalculationMaker(engine=engine).make(calculation)  # doctest: +SKIP
    >>> responses = jobflow.run_locally(flow)  # doctest: +SKIP
    """

    name: str = "vacancy-flows"
    engine: Engine = field(default_factory=get_engine)
    large_apart: bool = True

    def make(self, calculation: Calculation, prev_dir: str | Path | None = None) -> Flow:
        """Return the flow of a calculation; its output is a `Record`.

        Parameters
        ----------
        calculation
            With a structure that is resolved, not a reference to another job.
        prev_dir
            Folder that holds the directories of an earlier try, for engines that leave files:
            their jobs go on where those of the same name broke off.
        """
        title = f"{calculation.uid} {calculation.title}"
        jobs, prerelaxed = self._prerelax(calculation, title)
        starts = calculation.operation.get("magnetic_starts") or [{}]
        chains = []
        for number, electrons in enumerate(starts, start=1):
            suffix = f" start {number}" if len(starts) > 1 else ""
            structure: Any = start_of(calculation.structure, electrons)
            if prerelaxed is not None:
                begin = start_from(structure, prerelaxed, keep_moments=bool(electrons))
                begin.name = f"{title} geometry{suffix}"
                jobs.append(begin)
                structure = begin.output
            chains.append(self._chain(calculation, structure, f"{title} {{}}{suffix}", prev_dir))
            jobs += chains[-1]
        outputs = [[stage.output for stage in chain] for chain in chains]
        if len(chains) == 1:
            (*before, last) = outputs[0]
            record = store_record(calculation, last, self.engine, before, prerelaxed)
        else:
            record = store_lowest(calculation, outputs, self.engine, prerelaxed)
        record.name = f"{title} record"
        flow = Flow([*jobs, record], output=record.output, name=f"{self.name} {title}")
        if len(chains) > 1:  # one start that fails must not take the others along
            config = JobConfig(on_missing_references=OnMissing.NONE)
            flow.update_config(config, attributes="on_missing_references")
        if self.large_apart and self.engine.leaves_files:
            keep_apart(flow)
        flow.update_metadata(metadata(calculation, self.engine), dynamic=True)
        record.update_metadata({"record": True}, dynamic=False)  # what a raw store is read by
        return flow

    def _chain(
        self, calculation: Calculation, structure: Any, name: str, prev_dir: str | Path | None
    ) -> list[Any]:
        """Return the relaxations from one start, one after the other (free-fixed)."""
        stages: list[Any] = []
        for cell in calculation.cell.split("-"):
            maker = self.engine.relax_maker(
                cell,  # type: ignore[arg-type]
                calculation.fmax,
                calculation.max_steps,
                name=name.format(f"relax {cell}"),
            )
            stages.append(maker.make(structure, prev_dir=prev_dir))
            structure = stages[-1].output.structure
        return stages

    def _prerelax(self, calculation: Calculation, title: str) -> tuple[list[Any], Any]:
        """Return the job of another engine's relaxation and its output, where one is wanted."""
        wanted = calculation.operation.get("prerelax")
        if wanted is None:
            return [], None
        maker = get_engine(wanted["engine"]).relax_maker(
            calculation.cell.split("-")[0],  # type: ignore[arg-type]
            wanted["fmax"],
            calculation.max_steps,
            name=f"{title} prerelax {wanted['engine']}",
        )
        relax = maker.make(calculation.structure)
        return [relax], relax.output


def start_of(structure: Structure, electrons: dict[str, float]) -> Structure:
    """Return a structure with electrons placed on some sites (label to moment, µB)."""
    return with_electrons(structure, electrons) if electrons else structure


@job
def start_from(structure: Structure, prerelaxed: Result, *, keep_moments: bool) -> Structure:
    """Return what another engine's relaxation makes the start.

    Parameters
    ----------
    structure
        Before that relaxation.
    prerelaxed
        Its result, converged or not: a start need not be.
    keep_moments
        Whether moments were set on purpose. Else the other engine's are taken where the order
        is ferromagnetic, which is all that engines which take no moments know of.
    """
    found = prerelaxed.structure
    result = with_geometry(structure, found.lattice.matrix, found.frac_coords)
    sign = common_sign(structure.site_properties.get("magmom", []))
    if not keep_moments and prerelaxed.moments is not None and sign is not None:
        result.add_site_property("magmom", [sign * m for m in prerelaxed.moments])
    return result


@job(output_schema=Record)
def store_record(
    calculation: Calculation,
    result: Result | None,
    engine: Engine,
    before: list[Result],
    prerelaxed: Result | None = None,
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
    prerelaxed
        Of another engine, named in the provenance.

    Raises
    ------
    EngineError
        Where there is no result.
    """
    return _recorded(calculation, [*before, result], engine, prerelaxed)


@job(output_schema=Record)
def store_lowest(
    calculation: Calculation,
    chains: list[list[Result | None]],
    engine: Engine,
    prerelaxed: Result | None = None,
) -> Record:
    """Turn the results from several magnetic starts into one record: that of the lowest.

    Parameters
    ----------
    calculation
        What was asked for.
    chains
        Results from each start, the last of them counts; None where a job failed.
    engine, prerelaxed
        See `store_record`.

    Returns
    -------
    Record
        See `keep_lowest`.

    Raises
    ------
    EngineError
        Where none has a result.
    """
    placed = calculation.operation["magnetic_starts"]
    records = [
        None if chain[-1] is None else _recorded(calculation, chain, engine, prerelaxed)
        for chain in chains
    ]
    if not any(records):
        raise EngineError(f"{calculation.title}: all {len(chains)} magnetic starts failed")
    return keep_lowest(records, placed)


def _recorded(
    calculation: Calculation,
    stages: list[Result | None],
    engine: Engine,
    prerelaxed: Result | None,
) -> Record:
    """Return the record of relaxations that followed each other."""
    finished = [stage for stage in stages if stage is not None]
    result = stages[-1]
    if result is None or len(finished) < len(stages):
        raise EngineError(f"{calculation.title}: its relaxation failed, there is no record")
    calls = [stage.force_calls for stage in finished if stage.force_calls is not None]
    update: dict[str, Any] = {
        "n_steps": sum(stage.n_steps for stage in finished),
        "force_calls": sum(calls) if len(calls) == len(finished) else None,
        "wall_s": sum(stage.wall_s for stage in finished),
        "cpu_s": sum(stage.cpu_s for stage in finished),
    }
    for earlier in finished[:-1]:
        if not earlier.converged:
            update |= {"converged": False, "reason": f"free cell: {earlier.reason}"}
    if prerelaxed is not None:
        how = {**prerelaxed.provenance, **prerelaxed.model_dump(include={"n_steps", "converged"})}
        update["provenance"] = {**result.provenance, "prerelax": how}
    return make_record(calculation, result.model_copy(update=update), engine)


def metadata(calculation: Calculation, engine: Engine) -> dict[str, Any]:
    """Return what users of a LaunchPad or JobStore search for."""
    names = ("uid", "kind", "campaign", "host", "strain_mode", "strain", "site")
    found = {name: getattr(calculation, name) for name in names}
    found = {"effort": engine.effort() or None, **found}
    return {**{k: v for k, v in found.items() if v is not None}, "engine": engine.name}
