"""Bader charges of statics that `build --inputs` wrote, to the runs whose cells they are of."""

from __future__ import annotations

from collections.abc import Mapping

from vacancy_flows.engines.vasp.reading import FinishedRun
from vacancy_flows.ingest.entries import Entry


def add_charges(pool: Mapping[str, Entry], statics: Mapping[str, FinishedRun]) -> list[str]:
    """Give runs the charges of their statics, and have what rests on them written again.

    Parameters
    ----------
    pool
        Runs by uid, which are changed.
    statics
        By the uid of the run whose relaxed cell they have.

    Returns
    -------
    list of str
        Statics that could not be used, and why.
    """
    told, changed = [], set[str]()
    for uid, static in statics.items():
        entry = pool.get(uid)
        if entry is None:
            told.append(f"{static.path}: the run whose cell it has is not ingested: left out")
        elif entry.run.charges is None:
            entry.take_charges(static)
            changed.add(uid)
    for uid, entry in pool.items():  # the charge of the atom removed is that of the pristine cell
        known = entry.record and entry.record.calculation.pristine_uid
        if uid in changed or known in changed:
            entry.here = True
    return told
