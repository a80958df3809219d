"""What stands in one E_f: both routes to mu_O agree, and so do the settings of its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from vacancy_flows.analysis import ReferenceMismatch, ReferenceUnavailable, chemical_potential
from vacancy_flows.campaign_blocks import OxygenBlock
from vacancy_flows.consistency import What, mismatches, settings_of
from vacancy_flows.errors import InputError
from vacancy_flows.schemas import FLAG, Record

_CELL = 5e-3  # Å and degrees: what files round, far below another relaxation


def mu_o_of(
    reference: OxygenBlock,
    energy_scale: str,
    records: Mapping[str, Record],
    *,
    file: Path | None = None,
) -> float:
    """Return mu_O of a campaign from its finished references, eV per O atom.

    Parameters
    ----------
    reference
        Of the campaign file.
    energy_scale
        Of the engine.
    records
        ``O2``, ``Li`` and ``Li2O`` → record; empty with a user's own mu_O.
    file
        The campaign file, for the message.

    Raises
    ------
    InputError
        Where the two routes disagree, or the reference does not apply to the scale.
    """
    energies = {
        kind: record.result.energy / record.calculation.operation["units"]
        for kind, record in records.items()
    }
    try:
        return chemical_potential(reference.reference(), energy_scale, energies)
    except (ReferenceMismatch, ReferenceUnavailable) as error:
        raise InputError(str(error), file=file, key="oxygen_reference") from None


def pair_mismatch(record: Record, pristine: Record | None, references: Mapping[str, Record]) -> str:
    """Say where a finished vacancy and its partners differ in settings though they may not.

    Their uids make them agree in what was asked for; what was done may differ all the same,
    where a campaign goes on with another VASP, on a machine with other POTCARs, or under the
    hands of custodian.

    Parameters
    ----------
    record
        The vacancy.
    pristine
        Its pristine cell; None where it is not stored.
    references
        ``O2``, ``Li`` and ``Li2O`` → record, those that are stored.

    Returns
    -------
    str
        For ``reason``: `FLAG` and every setting with both values, the vacancy's first, and both
        cells where a fixed one is not that of the pristine run; empty where nothing differs.
    """
    told = [] if pristine is None else list(_of_pair(record, pristine))
    for kind, reference in references.items():
        told += [f"{kind}: {found}" for found in _differences(record, reference, "reference")]
    return FLAG + ", ".join(told) if told else ""


def compared(record: Record, get: Callable[[str], Record | None]) -> Record:
    """Return a vacancy, unconverged where its partners were made with other settings.

    What `ingest` read stays as it is: it compared the runs itself, as its user asked for.

    Parameters
    ----------
    record
        Any finished calculation; only vacancies have partners.
    get
        Returns a stored record by its uid, None where there is none.
    """
    calculation = record.calculation
    if calculation.kind != "vacancy" or "ingested_from" in record.result.provenance:
        return record
    stored = {kind: get(uid) for kind, uid in calculation.reference_uids.items()}
    references = {kind: found for kind, found in stored.items() if found is not None}
    problem = pair_mismatch(record, get(calculation.pristine_uid or ""), references)
    if not problem:
        return record
    update = {"converged": False, "reason": problem}
    return record.model_copy(update={"result": record.result.model_copy(update=update)})


def _of_pair(record: Record, pristine: Record) -> Iterator[str]:
    """Yield the settings in which a vacancy and its pristine cell differ, and their cells.

    The cells do where a host was relaxed twice, by two users, to two ends.
    """
    yield from _differences(record, pristine, "pair")
    if record.calculation.cell != "fixed":
        return
    ours, theirs = record.structure.lattice, pristine.structure.lattice
    if not np.allclose(ours.parameters, theirs.parameters, rtol=0.0, atol=_CELL):
        yield f"fixed cell {ours.volume:.3f} against {theirs.volume:.3f} Å³"


def _differences(record: Record, other: Record, what: What) -> Iterator[str]:
    """Yield the settings in which two records differ, and POTCARs of one TITEL that do."""
    first, second = settings_of(record), settings_of(other)
    if first is None or second is None:
        return
    found = mismatches(first, second, what)
    yield from map(str, found)
    named = {mismatch.name for mismatch in found}
    ours, theirs = (r.result.provenance.get("potcars") or {} for r in (record, other))
    for element in ours:
        hashes = [potcars.get(element, {}).get("sha256") for potcars in (ours, theirs)]
        if None not in hashes and hashes[0] != hashes[1] and f"POTCAR of {element}" not in named:
            values = " against ".join(f"sha256 {value[:8]}" for value in hashes)
            yield f"POTCAR of {element} {values}"
