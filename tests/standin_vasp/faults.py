"""Failures on demand: which run fails, how, and how often.

``STANDIN_VASP_FAULTS`` names a JSON file with a list of faults. Each is an object with

``fault``
    One of `FAULTS`.
``match``
    A text, or a list of texts of which all must be found, in the run's description: its
    directory, SYSTEM, POSCAR's comment, formula (Li8Mn4O12), kind (static, relax-ions,
    relax-cell) and every INCAR tag between semicolons (``;ISIF=3;``, ``;ENCUT=520;``).
    Default: any run.
``times``
    How many matching runs fail, 1 by default; null for all of them (retries exhausted).
``skip``
    How many matching runs pass first, 0 by default. A run that fails by an earlier entry of
    the list is not counted by later ones.
``steps``
    Ionic steps that are finished before it happens, by default as in `FAULTS`.
``text``
    What ``message`` prints.
``seconds``
    How long ``slow`` takes for each ionic step.
``kill_parent``
    With ``walltime``: kill the calling process first, as a queue does.

Counts are kept beside the file, in ``<file>.counts``, under a lock, so that several processes
may share them. Each run is noted in ``<file>.runs``, a line of JSON for each.
"""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "STANDIN_VASP_FAULTS"

ZBRENT = """ ZBRENT: fatal error in bracketing
     please rerun with smaller EDIFF, or copy CONTCAR
     to POSCAR and continue
"""

# Name: (ionic steps before it, what VASP prints). Where a run has fewer, before its last.
# Those without a text have code of their own.
FAULTS: dict[str, tuple[int, str]] = {
    "zbrent": (3, ZBRENT),
    "edddav": (0, " Error EDDDAV: Call to ZHEGV failed. Returncode =   6  1   8\n"),
    "message": (0, ""),  # any other text, such as those of custodian's VaspErrorHandler
    "electronic": (0, ""),  # NELM in the last ionic step
    "electronic_always": (0, ""),  # NELM in every ionic step
    "ionic": (0, ""),  # NSW steps without convergence
    "walltime": (2, ""),  # SIGKILL; before the first step CONTCAR is empty
    "truncated": (0, ""),  # a complete run but for the end of vasprun.xml
    "crash": (1, "forrtl: severe (174): SIGSEGV, segmentation fault occurred\n"),
    "exit_code": (0, ""),  # a complete run that returns 1
    "no_space": (1, "forrtl: No space left on device\nforrtl: severe (38): error during write\n"),
    "slow": (0, ""),  # takes its time, so that monitors and STOPCAR come into play
    "hang": (0, ""),  # writes nothing more and never ends
}


@dataclass(frozen=True)
class Fault:
    """What goes wrong in this run."""

    name: str = ""
    steps: int = 0
    text: str = ""
    seconds: float = 1.0
    kill_parent: bool = False


def next_fault(description: str) -> Fault:
    """Return what this run shall do wrong, and count and note it."""
    path = os.environ.get(NAME)
    if not path:
        return Fault()
    file = Path(path)
    faults = json.loads(file.read_text()) if file.is_file() else []
    with Path(f"{path}.counts").open("a+", encoding="ascii") as counts:
        fcntl.flock(counts, fcntl.LOCK_EX)
        counts.seek(0)
        seen: dict[str, int] = json.loads(counts.read() or "{}")
        fault = _choose(faults, description, seen)
        counts.truncate(0)
        counts.write(json.dumps(seen))
        with Path(f"{path}.runs").open("a", encoding="utf-8") as runs:
            note = {"run": description, "directory": str(Path.cwd()), "fault": fault.name}
            runs.write(json.dumps(note) + "\n")
    return fault


def _choose(faults: list[dict[str, Any]], description: str, seen: dict[str, int]) -> Fault:
    """Return the first fault that is due; ``seen`` counts matching runs, by place in the list."""
    for place, entry in enumerate(faults):
        match = entry.get("match", "")
        texts = [match] if isinstance(match, str) else match
        if not all(text in description for text in texts):
            continue
        key = str(place)
        seen[key] = seen.get(key, 0) + 1
        skip, times = entry.get("skip", 0), entry.get("times", 1)
        if seen[key] > skip and (times is None or seen[key] <= skip + times):
            return _fault(entry)
    return Fault()


def _fault(entry: dict[str, Any]) -> Fault:
    name = entry["fault"]
    steps, text = FAULTS[name]
    return Fault(
        name=name,
        steps=entry.get("steps", steps),
        text=entry.get("text", text),
        seconds=entry.get("seconds", 1.0),
        kill_parent=entry.get("kill_parent", False),
    )
