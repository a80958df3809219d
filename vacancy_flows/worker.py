"""One calculation in a process of its own: a jobflow flow, run locally, one thread."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import tempfile
import threading
import traceback
import warnings
from dataclasses import dataclass, field
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from jobflow import Flow, JobStore, run_locally
from monty.json import MontyDecoder

from vacancy_flows.engines import Engine
from vacancy_flows.flows.calculation import CalculationMaker
from vacancy_flows.rawstore import memory_store
from vacancy_flows.schemas import Calculation, Record

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_GRACE = 3.0  # s, for mpirun to end its ranks


def _run(flow: Flow, store: JobStore, root: Path, calculation: Calculation) -> None:
    """Run the jobs of a calculation, each in a folder of its own."""
    root.mkdir(parents=True, exist_ok=True)
    starts = calculation.operation.get("magnetic_starts") or []
    run_locally(
        flow,
        store=store,
        log=False,
        create_folders=True,
        raise_immediately=len(starts) < 2,  # one start of several may fail
        root_dir=root,
    )


@dataclass
class Outcome:
    """What came back from a worker: a record with its documents, or why there is none."""

    uid: str
    record: Record | None = None
    documents: list[dict[str, Any]] = field(default_factory=list)
    error: str | None = None
    detail: str = ""


def single_thread() -> None:
    """Give this process and its children one thread each: parallel work is in processes.

    Works where numerical libraries are not loaded yet. Small cells gain nothing from
    threads, and energies stay the same in the last digit.
    """
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"


def start_worker() -> None:
    """Prepare a worker process, which ends when its parent does, by ``kill -9`` too.

    What it started ends with it: custodian gives VASP a session of its own, so that no signal
    to the parent reaches it, and a second one would be started beside it.
    """
    single_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, lambda *_: _end())
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_follow_parent, args=(parent.sentinel,), daemon=True).start()


def _follow_parent(sentinel: Any) -> None:
    wait([sentinel])
    _end()


def _end() -> None:
    end_children()
    os._exit(1)


def end_children() -> None:
    """End all processes below this one, such as mpirun and VASP."""
    left: set[Any] = set()
    for end in (psutil.Process.terminate, psutil.Process.kill):
        left |= {*psutil.Process().children(recursive=True)}  # custodian may have started another
        for child in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(child)
        left = {*psutil.wait_procs(left, timeout=_GRACE)[1]}


def calculate(calculation: Calculation, engine: Engine, work: Path | None = None) -> Outcome:
    """Run one calculation and return what came out; raises only when it is interrupted.

    Parameters
    ----------
    calculation
        What to do.
    engine
        What does it.
    work
        Where directories of engines that leave files stay, one for each uid; what an earlier
        try left there is gone on from.
    """
    store = memory_store()
    kept = work / calculation.uid if work is not None and engine.leaves_files else None
    flow = CalculationMaker(engine=engine, large_apart=False).make(calculation, kept)
    last = flow.jobs[-1].uuid
    logging.getLogger("ase.utils").setLevel(logging.CRITICAL)  # line searches that we go on from
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")  # of torch and pymatgen, about themselves
            _run(flow, store, kept or Path(folder), calculation)
    except Exception as error:  # one failure must not end a campaign
        logging.getLogger(__name__).debug("calculation failed", exc_info=True)
        reason = " ".join(str(error).split()) or type(error).__name__
        return Outcome(calculation.uid, error=reason, detail=traceback.format_exc())
    except BaseException:  # Ctrl-C
        end_children()
        raise
    documents = list(store.query())
    output = next((d["output"] for d in documents if d["uuid"] == last), None)
    if output is None:
        return Outcome(calculation.uid, error=f"none of its starts came to an end: see {kept}")
    return Outcome(calculation.uid, MontyDecoder().process_decoded(output), documents)
