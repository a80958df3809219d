"""The guard of the oxygen references: both routes to mu_O must agree before anything uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vacancy_flows.analysis import ReferenceMismatch, ReferenceUnavailable, chemical_potential
from vacancy_flows.campaign import OxygenBlock
from vacancy_flows.errors import InputError
from vacancy_flows.schemas import Record


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
