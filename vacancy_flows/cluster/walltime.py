"""Walltimes and partitions, checked before a job is sent to a queue."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from vacancy_flows.cluster.queue import partitions, pbs_queues
from vacancy_flows.errors import InputError, nearest

_CLOCK = r"(?P<h>\d{1,4}):(?P<m>[0-5]?\d):(?P<s>[0-5]?\d)"
_DAYS = r"(?P<d>\d{1,3})-(?P<h>\d{1,3})(?::(?P<m>[0-5]?\d)(?::(?P<s>[0-5]?\d))?)?"
# man sbatch, --time: a number alone is minutes; PBS takes it as seconds.
_FORMS = {
    "SLURM": (_CLOCK, _DAYS, r"(?P<m>\d{1,6})(?::(?P<s>[0-5]?\d))?"),
    "PBS": (_CLOCK, r"(?:(?P<m>\d{1,6}):)?(?P<s>\d{1,8})"),
}
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_ENDLESS = {"UNLIMITED", "INFINITE"}
_QUEUES: dict[str, tuple[str, Callable[[], set[str] | None]]] = {
    "SLURM": ("partition", partitions),
    "PBS": ("queue", pbs_queues),
}


def seconds(walltime: str, scheduler: str) -> int:
    """Return a walltime in s.

    Parameters
    ----------
    walltime
        As the queue itself takes it: ``H:M:S``; with SLURM also ``D-H``, ``D-H:M``, ``D-H:M:S``,
        ``M:S`` and minutes, with PBS ``M:S`` and seconds.
    scheduler
        ``SLURM`` or ``PBS``.

    Raises
    ------
    ValueError
        Where it has another form, is zero or without end.

    Examples
    --------
    >>> seconds("1-12:00:00", "SLURM"), seconds("30", "SLURM"), seconds("30", "PBS")
    (129600, 1800, 30)
    """
    if walltime.upper() in _ENDLESS:
        problem = f"{walltime!r}: a run is told to stop before its walltime ends (grace)"
        raise ValueError(f"{problem}, so the end must be known: write a time, as 24:00:00")
    forms = (re.fullmatch(form, walltime) for form in _FORMS[scheduler])
    found = next((form for form in forms if form is not None), None)
    if found is None:
        known = "H:M:S or D-H:M:S" if scheduler == "SLURM" else "H:M:S"
        raise ValueError(f"{walltime!r} is no walltime of {scheduler}: write {known}, as 24:00:00")
    total = sum(_SECONDS[unit] * int(part or 0) for unit, part in found.groupdict().items())
    if not total:
        raise ValueError("a walltime of zero ends before it begins")
    return total


def check_queue(scheduler: str, queue: str | None, walltime: str | None) -> None:
    """Check what a job will ask for; what is None it does not ask for.

    Raises
    ------
    InputError
        Where the partition does not exist, as far as that can be asked here, or the walltime has
        a wrong form.
    """
    if walltime is not None:
        try:
            seconds(walltime, scheduler)
        except ValueError as error:
            raise InputError(str(error), key="walltime") from None
    if queue is None:
        return
    word, ask = _QUEUES[scheduler]
    known = ask()
    for name in queue.split(","):  # SLURM takes several
        if known is not None and name not in known:
            problem = f"there is no {word} {name!r} here: {nearest(name, known)}"
            raise InputError(problem, key=word)


def check_grace(walltime: str, grace: int, scheduler: str) -> None:
    """Refuse a walltime that ends before a run can be told that it does.

    Raises
    ------
    InputError
        Where it is not longer than ``grace`` (s).
    """
    if seconds(walltime, scheduler) <= grace:
        problem = f"{walltime!r} is not longer than grace, the {grace} s before its end"
        raise InputError(f"{problem} at which a run is told to stop: ask for more", key="walltime")


def check_adapter(file: Path) -> None:
    """Check a ``my_qadapter.yaml``; other adapters than the two are the user's own.

    Raises
    ------
    InputError
        See `check_queue`.
    """
    try:
        content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (OSError, YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({' '.join(str(error).split())})", file=file) from None
    if not isinstance(content, dict) or str(content.get("_fw_q_type")) not in _QUEUES:
        return
    try:
        _check_job(content)
    except InputError as error:
        raise error.at(file=file) from None


def _check_job(content: dict[str, Any]) -> None:
    scheduler = content["_fw_q_type"]
    asked = (content.get(name) for name in ("queue", "walltime"))
    queue, walltime = (None if value is None else str(value) for value in asked)
    check_queue(scheduler, queue, walltime)
    if walltime is None:
        return
    if isinstance(grace := content.get("grace"), int):
        check_grace(walltime, grace, scheduler)
    told = content.get("walltime_s")
    if told is not None and told != seconds(walltime, scheduler):
        raise InputError(f"{told} is not walltime {walltime!r} in s: edit both", key="walltime_s")
