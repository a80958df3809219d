"""What custodian watches for, and what it changed behind the user's back."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from custodian.custodian import CustodianError, NonRecoverableError

LOG = "custodian.log"
# Of its package, of its own classes, and of what reads bands that nobody asked for.
_LOGGERS = ("custodian", "VaspErrorHandler", "VasprunXMLValidator", "emmet")
# Handlers of atomate2 that choose smearing and k-points themselves: ours are one choice for all
# cells of an E_f.
_NOT_OURS = {"LargeSigmaHandler", "IncorrectSmearingHandler", "KspacingMetalHandler"}


def handlers() -> list[Any]:
    """Return new handlers: atomate2's, less those that change smearing or k-points.

    They are made anew for each run because they count errors, and those of a process would
    count on from one run to the next. Where a queue tells its walltime (``PBS_WALLTIME``,
    ``SBATCH_TIMELIMIT``), VASP is stopped in time to write CONTCAR and WAVECAR.
    """
    from atomate2.vasp.run import DEFAULT_HANDLERS
    from custodian.vasp.handlers import WalltimeHandler

    found = [type(h)() for h in DEFAULT_HANDLERS if type(h).__name__ not in _NOT_OURS]
    if {"PBS_WALLTIME", "SBATCH_TIMELIMIT"} & set(os.environ):
        found.append(WalltimeHandler())
    return found


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send what custodian says of faults it mends, and emmet of files, into a file.

    The record tells of them; what cannot be mended is raised.
    """
    target = logging.FileHandler(path, encoding="utf-8")
    target.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.addHandler(target)
        logger.propagate = False
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, (propagate, level) in zip(loggers, before, strict=True):
            logger.removeHandler(target)
            logger.propagate = propagate
            logger.setLevel(level)
        target.close()


def summary(log: Iterable[Any] | None) -> list[dict[str, Any]]:
    """Return the corrections of custodian's log, one entry for each.

    Parameters
    ----------
    log
        Content of ``custodian.json``, or `TaskDoc.custodian`.

    Returns
    -------
    list of dict
        ``errors`` (custodian's names); ``set`` (INCAR tag to new value, None where it was
        taken out); ``other`` (what else was changed: ``KPOINTS``, ``POSCAR``, ...).
    """
    found = []
    for run in log or []:
        corrections = run.get("corrections") if isinstance(run, dict) else run.corrections
        for correction in corrections or []:
            tags: dict[str, Any] = {}
            other: list[str] = []
            for action in correction.get("actions") or []:
                _collect(action, tags, other)
            entry = {"errors": [str(error) for error in correction.get("errors") or []]}
            found.append(entry | {"set": tags, "other": list(dict.fromkeys(other))})
    return found


def _collect(action: Mapping[str, Any], tags: dict[str, Any], other: list[str]) -> None:
    if action.get("dict") != "INCAR":
        files = action.get("action", {})
        if "_file_copy" in files:
            other.append(f"{action['file']} to {files['_file_copy'].get('dest')}")
        else:
            other.append(str(action.get("dict") or f"{action.get('file')} deleted"))
        return
    changed = {**(action["action"].get("_set") or {})}
    changed |= dict.fromkeys(action["action"].get("_unset") or {})
    tags.update({tag.upper(): value for tag, value in changed.items()})


def changed_tags(
    corrections: Iterable[Mapping[str, Any]], asked: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """Return INCAR tags that corrections changed: what was asked for, and the last value.

    Parameters
    ----------
    corrections
        From `summary`.
    asked
        INCAR as it was written.
    """
    last: dict[str, Any] = {}
    for correction in corrections:
        last.update(correction["set"])
    pairs = {tag: [asked.get(tag), value] for tag, value in sorted(last.items())}
    return {tag: pair for tag, pair in pairs.items() if pair[0] != pair[1]}


def why_it_gave_up(error: CustodianError) -> str:
    """Say why custodian ended without a good run."""
    handler = getattr(error, "handler", None)
    if isinstance(error, NonRecoverableError) and handler is not None:
        return f"{type(handler).__name__} knows no remedy"
    return str(error).rstrip(".")
