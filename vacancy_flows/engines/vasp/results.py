"""From the TaskDocs of VASP runs to a `Result`: units, signs, order of sites."""

from __future__ import annotations

from typing import Any

import numpy as np
from emmet.core.tasks import TaskDoc
from jobflow import job
from pymatgen.core import Structure

from vacancy_flows.engines.vasp.corrections import changed_tags, summary
from vacancy_flows.engines.vasp.run_files import nearest_images, same_cell
from vacancy_flows.engines.vasp.stress import stress_of
from vacancy_flows.errors import EngineError
from vacancy_flows.schemas import Result
from vacancy_flows.structures import with_geometry


@job(output_schema=Result)
def vasp_result(
    structure: Structure,
    run: TaskDoc | None,
    charges: TaskDoc | str | None = None,
    before: TaskDoc | None = None,
) -> Result:
    """Turn finished runs into a result.

    Parameters
    ----------
    structure
        What was asked for; its site properties and the order of its sites are the result's.
    run
        Whose energy counts; None where it failed.
    charges
        The static with the Bader charges, or why there is none.
    before
        A free-cell relaxation that led there; it must have converged too.

    Returns
    -------
    Result
        Energy for sigma → 0 of the last ionic step; stress in ASE's sign (VASP prints -σ in
        kB); moments from OUTCAR (vasprun.xml holds none of the end), which are ``magmom`` of
        the final structure too.

    Raises
    ------
    EngineError
        Where there is no run, or its cell is none of that structure.
    """
    if run is None:
        raise EngineError("the run of VASP failed: there is no result")
    last, judged = run.calcs_reversed[0], _note(run)["run"]
    moments = _moments(last.output.outcar)
    start = structure if before is None else _final(structure, before, None)
    final = _final(start, run, moments)
    converged = judged["electronic"] and judged["ionic"] and "gave_up" not in _note(run)
    result = Result(
        structure=final,
        energy=float(last.output.energy),
        forces=np.array(run.output.forces, float).tolist(),
        stress=stress_of(run.output.stress),
        moments=moments,
        max_force=judged["max_force"],
        converged=converged,
        reason=_reason(run),
        n_steps=_steps(run),
        force_calls=_calls(run),
        wall_s=float(_note(run)["wall_s"]),
        cpu_s=_cpu_seconds(run),
        provenance=_provenance(run),
    )
    if before is not None:
        _add_before(result, before)
    if charges is not None:
        _add_charges(result, charges, same=charges is run)
    return result


def _note(run: TaskDoc) -> dict[str, Any]:
    note: dict[str, Any] = run.additional_json["vacancy_flows"]
    return note


def _final(structure: Structure, run: TaskDoc, moments: list[float] | None) -> Structure:
    """Return the relaxed geometry with the properties of the input, site by site."""
    found = run.calcs_reversed[0].output.structure
    if [s.specie.symbol for s in found] != [s.specie.symbol for s in structure]:
        raise EngineError(f"VASP's sites are those of {found.formula}, not of {structure.formula}")
    moved = _note(run)["run"]["settings"]["run"] == "cell"
    if not moved and not same_cell(found.lattice.matrix, structure.lattice.matrix):
        raise EngineError("the cell of the run is not the one that was to be kept")
    lattice = found.lattice.matrix if moved else structure.lattice.matrix
    final = with_geometry(structure, lattice, nearest_images(found, structure))
    if moments is not None and "magmom" in structure.site_properties:
        final.add_site_property("magmom", moments)
    return final


def _moments(outcar: Any) -> list[float] | None:
    """Return the last moments of OUTCAR, µB; None without spin polarisation."""
    rows = (outcar or {}).get("magnetization") or []
    return [float(row["tot"]) for row in rows] or None


def _reason(run: TaskDoc) -> str:
    note = _note(run)
    reason = str(note["run"]["reason"])
    return f"{reason}; custodian gave up ({note['gave_up']})" if "gave_up" in note else reason


def _calls(run: TaskDoc) -> int:
    """Return how often forces were computed, in all starts of the run."""
    last = len(run.calcs_reversed[0].output.ionic_steps or [])
    return int(_note(run)["steps_before"]) + last


def _steps(run: TaskDoc) -> int:
    """Return the ionic steps; a static takes none."""
    return 0 if _note(run)["run"]["settings"]["run"] == "static" else _calls(run)


def _cpu_seconds(run: TaskDoc) -> float:
    """Return the CPU time of the last start, on all its cores."""
    found = (run.run_stats or {}).get("overall")
    return 0.0 if found is None else float(found.total_time) * max(int(found.cores), 1)


def _provenance(run: TaskDoc) -> dict[str, Any]:
    """Return versions, potentials, and what happened behind the user's back."""
    note = _note(run)
    earlier = [entry for start in note["restarts"] for entry in start["corrections"]]
    corrections = [*earlier, *summary(run.custodian)]
    asked = dict(run.orig_inputs.incar or {}) if run.orig_inputs else {}
    restarts = [{k: v for k, v in e.items() if k != "corrections"} for e in note["restarts"]]
    total = (run.calcs_reversed[0].output.outcar or {}).get("total_magnetization")
    return {
        "vasp": str(run.vasp_version),
        "run_type": str(getattr(run.run_type, "value", run.run_type)),
        "potcars": note["potcars"],
        "settings": note["run"]["settings"],
        "total_moment": total,
        "corrections": corrections,
        "changed_tags": changed_tags(corrections, asked),
        "restarted": bool(restarts),
        "restarts": restarts,
    }


def _add_before(result: Result, before: TaskDoc) -> None:
    judged = _note(before)["run"]
    result.n_steps += _steps(before)
    result.force_calls = (result.force_calls or 0) + _calls(before)
    result.wall_s += float(_note(before)["wall_s"])
    result.cpu_s += _cpu_seconds(before)
    result.provenance["before"] = _provenance(before)
    if not (judged["electronic"] and judged["ionic"]) or "gave_up" in _note(before):
        result.converged, result.reason = False, f"free cell: {_reason(before)}"


def _add_charges(result: Result, charges: TaskDoc | str, *, same: bool) -> None:
    """Add Bader charges and what they cost; ``same`` where they are of the run itself."""
    if isinstance(charges, str):
        result.provenance["bader"] = charges
        return
    judged = _note(charges)["run"]
    result.charges = judged["charges"]
    result.provenance["bader"] = judged["charge_method"] or "; ".join(judged["notes"]) or "none"
    if not same:
        result.force_calls = (result.force_calls or 0) + _calls(charges)
        result.wall_s += float(_note(charges)["wall_s"])
        result.cpu_s += _cpu_seconds(charges)
