"""From a run and its partners to the record that is stored."""

from __future__ import annotations

from typing import Any

from pymatgen.core import Structure

from vacancy_flows.campaign_blocks import plain_name
from vacancy_flows.engines.vasp.reading import FinishedRun
from vacancy_flows.engines.vasp.run_files import settled
from vacancy_flows.ingest.entries import Entry
from vacancy_flows.ingest.pairing import Pair
from vacancy_flows.ingest.references import Choice
from vacancy_flows.ingest.sidecar import Sidecar
from vacancy_flows.ingest.sites import class_of, site_labels_of
from vacancy_flows.records import judged
from vacancy_flows.schemas import FLAG, Calculation, Record

ENGINE = "vasp"


def host_name(structure: Structure) -> str:
    """Return the reduced formula, in a form that a table does not read as something else.

    Examples
    --------
    >>> from pymatgen.core import Lattice
    >>> host_name(Structure(Lattice.cubic(3), ["Na", "N"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    'Na1N1'
    """
    try:
        return plain_name(str(structure.composition.reduced_formula))
    except ValueError:
        return str(structure.composition.formula).replace(" ", "")


def cell_record(entry: Entry, *, partner: bool) -> Record:
    """Return the record of a run that is no vacancy and no reference, labelled.

    Parameters
    ----------
    entry
        The run.
    partner
        Whether a vacancy has it for its pristine cell. A free-cell run without one is a host,
        whose energy stands in no E_f.
    """
    run = entry.run
    if entry.sidecar:
        return _asked_for(entry, entry.sidecar)
    kind = "pristine" if partner or run.settings.run != "cell" else "host"
    return _record(entry, _calculation(entry, kind), _with_labels(run, _labels(entry)))


def reference_record(entry: Entry, kind: str, units: int) -> Record:
    """Return the record of O2, Li or Li2O with the number of its units in the cell."""
    if entry.sidecar:
        return _asked_for(entry, entry.sidecar)
    calculation = _calculation(
        entry, "reference", operation={"reference": kind, "units": units}, reference_kind=kind
    )
    return _record(entry, calculation, entry.run.structure)


def vacancy_record(pair: Pair, references: Choice) -> Record:
    """Return the record of a vacancy, with its site found in the pristine cell.

    Parameters
    ----------
    pair
        The vacancy and its pristine cell.
    references
        Of the vacancy; flagged ones are named in ``reason``.
    """
    entry, pristine = pair.vacancy, pair.pristine
    told = [*map(str, pair.flags), *_flags(references)]
    charges = pristine.run.charges
    charge = charges[pair.match.vacant] if charges else None
    if entry.sidecar:
        update: dict[str, Any] = {"reference_uids": references.uids, "pristine_uid": pristine.uid}
        if charge is not None:
            update["net_charge"] = charge
        return _flagged(_asked_for(entry, entry.sidecar, **update), told)
    labels = _labels(pristine)
    site = labels[pair.match.vacant]
    cell = _with_labels(pristine.run, labels)
    found = class_of(cell, site, pristine.run.initial_moments)
    calculation = _calculation(
        entry,
        "vacancy",
        host=_host(pristine),
        parent_uid=pristine.uid,
        operation={"vacancy": site},
        n_atoms=len(cell),
        site=site,
        wyckoff=site.split("-")[1],
        multiplicity=found.multiplicity if found else None,
        coordination=found.coordination if found else None,
        removed_element=site.split("-", maxsplit=1)[0],
        net_charge=charge,
        pristine_uid=pristine.uid,
        reference_uids=references.uids,
    )
    structure = _with_labels(entry.run, [labels[i] for i in pair.match.sites])
    record = _record(entry, calculation, structure)
    record.energy_scale = pristine.run.settings.energy_scale  # U may have been on the atom alone
    return _flagged(record, told)


def _asked_for(entry: Entry, sidecar: Sidecar, **update: Any) -> Record:
    """Return the record of a campaign's own calculation, as the campaign itself would have it."""
    calculation = sidecar.asked(entry.run).model_copy(update=update)
    structure = settled(calculation, entry.run.structure, entry.run.moments)
    record = _record(entry, calculation, structure)
    record.result, record.choice = judged(calculation, record.result, uses_moments=True)
    return record


def with_references(record: Record, choice: Choice) -> Record:
    """Return a stored vacancy with references that were found since."""
    update = {"reference_uids": choice.uids}
    calculation = record.calculation.model_copy(update=update)
    copy = record.model_copy(
        update={"calculation": calculation, "result": record.result.model_copy()}
    )
    return _flagged(copy, _flags(choice))


def _record(
    entry: Entry,
    calculation: Calculation,
    structure: Structure,
) -> Record:
    run, sidecar = entry.run, entry.sidecar
    settings = run.settings.model_dump()
    provenance: dict[str, Any] = {"vasp": run.settings.version, "ingested_from": run.path}
    provenance |= {"bader": run.charge_method} if run.charge_method else {}
    provenance |= {"settings": settings} if sidecar else {}
    update = {"structure": structure, "provenance": provenance}
    result = run.result().model_copy(update=update)
    return Record(
        calculation=calculation,
        result=result,
        engine=ENGINE,
        energy_scale=sidecar.energy_scale if sidecar else run.settings.energy_scale,
        fingerprint=sidecar.fingerprint if sidecar else {"code": "vasp", "settings": settings},
    )


def _calculation(entry: Entry, kind: str, **description: Any) -> Calculation:
    """Return what a foreign run calculated; strain is not known, which ``custom`` says."""
    run = entry.run
    content = {
        "uid": entry.uid,
        "kind": kind,
        "parent_uid": None,
        "operation": {"ingested": True},
        "structure": run.initial_structure,
        "cell": "free" if run.settings.run == "cell" else "fixed",
        "fmax": run.fmax,
        "max_steps": run.max_steps,
        "host": "" if kind == "reference" else host_name(run.structure),
        "n_atoms": len(run.structure),
        "strain_mode": "custom" if kind in ("vacancy", "pristine") else None,
        **description,
    }
    return Calculation.model_validate(content)


def _host(pristine: Entry) -> str:
    named = pristine.sidecar and pristine.sidecar.calculation["host"]
    return str(named or host_name(pristine.run.structure))


def _labels(pristine: Entry) -> list[str]:
    known = pristine.sidecar.labels if pristine.sidecar else [None]
    if all(known):
        return [str(label) for label in known]
    return site_labels_of(pristine.run.structure)


def _with_labels(run: FinishedRun, labels: list[str]) -> Structure:
    structure = run.structure.copy()
    structure.add_site_property("label", labels)
    if run.initial_moments is not None:
        structure.add_site_property("initial_magmom", run.initial_moments)
    return structure


def _flags(references: Choice) -> list[str]:
    return [f"{kind}: {flag}" for kind, flags in references.flags.items() for flag in flags]


def _flagged(record: Record, told: list[str]) -> Record:
    if told:
        record.result.reason = f"{FLAG}{', '.join(told)}; {record.result.reason}"
    return record
