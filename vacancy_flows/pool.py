"""Worker processes that survive the death of one of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from vacancy_flows.engines import Engine
from vacancy_flows.schemas import Calculation, Record
from vacancy_flows.worker import Outcome, calculate, single_thread, start_worker

_TRIES = 2  # of a calculation whose worker died, before it counts as failed


class Finder(Protocol):
    """What brings the outcomes of calculations: workers here, or a cluster that did them."""

    @property
    def free(self) -> int: ...  # noqa: D102

    @property
    def busy(self) -> bool: ...  # noqa: D102

    def may_better(self, record: Record) -> bool: ...  # noqa: D102

    def start(self, calculation: Calculation) -> None: ...  # noqa: D102

    def finished(self) -> Iterator[Outcome]: ...  # noqa: D102


class Workers:
    """Run calculations here (one worker, of a potential) or in processes.

    Parameters
    ----------
    engine
        Of the campaign.
    number
        Of processes; with 1 everything runs in this process, but for engines that start programs:
        a process of their own ends them when this one is killed.
    work
        Where directories of engines that leave files stay; see `calculate`.
    """

    def __init__(self, engine: Engine, number: int, work: Path | None = None) -> None:
        self.engine, self.number, self.work = engine, number, work
        self._here = number == 1 and not engine.leaves_files
        self._pool: ProcessPoolExecutor | None = None
        self._running: dict[Future[Outcome], tuple[Calculation, ProcessPoolExecutor]] = {}
        self._waiting: list[Calculation] = []
        self._suspects: list[Calculation] = []
        self._alone: Calculation | None = None  # the suspect that runs; nothing beside it
        self._deaths: dict[str, int] = {}
        single_thread()

    @property
    def free(self) -> int:
        """How many more calculations can start now."""
        if self._suspects or self._alone is not None:
            return 0
        return self.number - len(self._running) - len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether anything is running."""
        return bool(self._running or self._waiting or self._suspects)

    def may_better(self, record: Record) -> bool:
        """Tell whether a stored calculation did not converge, and might now."""
        return record.is_to_be_tried_again(self.engine.effort())

    def start(self, calculation: Calculation) -> None:
        """Start a calculation, or keep it for `finished` where it runs here."""
        if self._here:
            self._waiting.append(calculation)
            return
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self.number, mp_context=get_context("spawn"), initializer=start_worker
            )
        try:
            future = self._pool.submit(calculate, calculation, self.engine, self.work)
        except BrokenProcessPool:  # what it ran is told by its futures, in `finished`
            self._discard(self._pool)
            self.start(calculation)
            return
        self._running[future] = calculation, self._pool

    def finished(self) -> Iterator[Outcome]:
        """Wait for what finishes next and yield it."""
        if self._here:
            while self._waiting:
                yield calculate(self._waiting.pop(0), self.engine, self.work)
            return
        if not self._running and self._suspects:
            self._alone = self._suspects.pop(0)
            self.start(self._alone)
        if not self._running:
            return
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        for future in done:
            calculation, pool = self._running.pop(future)
            if calculation is self._alone:
                self._alone = None
            error = future.exception()
            if error is None:
                yield future.result()
            elif isinstance(error, BrokenProcessPool):
                self._discard(pool)
                yield from self._after_death(calculation)
            else:
                yield Outcome(calculation.uid, error=f"could not be returned: {error}")

    def _after_death(self, calculation: Calculation) -> Iterator[Outcome]:
        """Try again, one by one, what was running when a worker died: the guilty dies again."""
        deaths = self._deaths[calculation.uid] = self._deaths.get(calculation.uid, 0) + 1
        if deaths < _TRIES:
            self._suspects.append(calculation)
        else:
            yield Outcome(
                calculation.uid,
                error=f"its process died {deaths} times: out of memory? use fewer workers",
            )

    def _discard(self, pool: ProcessPoolExecutor) -> None:
        """Let go of a dead pool; a fresh one made since is left alone."""
        pool.shutdown(wait=False, cancel_futures=True)
        if pool is self._pool:
            self._pool = None

    def close(self) -> None:
        """Stop all workers at once."""
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())  # noqa: SLF001
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()
            self._pool = None
