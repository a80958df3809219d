"""One calculation on several MPI ranks: a process of its own under mpiexec.

Every rank runs the same Maker; GPAW shares out the work, and rank 0 writes what is left.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monty.json import MontyDecoder, MontyEncoder
from pymatgen.core import Structure

from vacancy_flows.errors import EngineError
from vacancy_flows.schemas import Result

if TYPE_CHECKING:
    from vacancy_flows.engines.gpaw.makers import GpawRelaxMaker

TASK, RESULT, OUTPUT = "gpaw_task.json", "gpaw_result.json", "gpaw_ranks.txt"
_TOLD = 300  # characters of an output that a message repeats
_PATIENCE = 60  # s, for processes that do nothing

# Open MPI binds the first two ranks of every mpiexec to the same two cores: two calculations at
# the same time would share them, however many cores there are.
_ENVIRONMENT = {"OMPI_MCA_hwloc_base_binding_policy": "none"}


def relax_in_parallel(
    maker: GpawRelaxMaker, structure: Structure, prev_dir: str | Path | None
) -> Result:
    """Relax on the ranks of the settings, in the working directory.

    Raises
    ------
    EngineError
        Where the ranks end without a result.
    """
    ranks = maker.settings.ranks
    alone = replace(maker, settings=maker.settings.model_copy(update={"ranks": 1}))
    task = {"maker": alone, "structure": structure, "prev_dir": prev_dir and str(prev_dir)}
    Path(TASK).write_text(json.dumps(task, cls=MontyEncoder), encoding="utf-8")
    Path(RESULT).unlink(missing_ok=True)
    # `gpaw python` starts GPAW's own MPI before anything else is imported
    command = [*_mpiexec(ranks), "-m", "gpaw", "python", "-m", __name__]
    with Path(OUTPUT).open("w", encoding="utf-8") as output:
        subprocess.run(  # noqa: S603
            command, stdout=output, stderr=subprocess.STDOUT, check=False, env=_environment()
        )
    if not Path(RESULT).is_file():
        told = _one_line(Path(OUTPUT).read_text(encoding="utf-8", errors="replace"))
        raise EngineError(
            f"GPAW on {ranks} ranks ended without a result ({told[-_TOLD:]}): see "
            f"{Path(OUTPUT).absolute()}"
        )
    result: Result = _read(RESULT)
    return result


def refusal(ranks: int) -> str:
    """Start that many processes which do nothing, and say why they do not start.

    Returns
    -------
    str
        What mpiexec told, empty where they did.
    """
    try:
        done = subprocess.run(  # noqa: S603
            [*_mpiexec(ranks), "-c", ""],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return f"nothing happened in {_PATIENCE} s"
    if done.returncode == 0:
        return ""
    return _one_line(done.stderr + done.stdout)[:_TOLD] or f"exit status {done.returncode}"


def _mpiexec(ranks: int) -> list[str]:
    return ["mpiexec", "-n", str(ranks), sys.executable]


def _environment() -> dict[str, str]:
    return {**_ENVIRONMENT, **os.environ}


def _one_line(text: str) -> str:
    return " ".join(re.sub("-{3,}", " ", text).split())


def everywhere(value: Any) -> Any:
    """Return rank 0's value on every rank, of something that ranks may compute differently."""
    from gpaw.mpi import broadcast, world

    return broadcast(value if world.rank == 0 else None, root=0, comm=world)


def _read(name: str) -> Any:
    return MontyDecoder().decode(Path(name).read_text(encoding="utf-8"))


def main() -> None:
    """Do the task of the working directory; what every rank runs."""
    from gpaw.mpi import world

    task = _read(TASK)
    result = task["maker"].relax(task["structure"], task["prev_dir"])
    if world.rank == 0:
        part = Path(f"{RESULT}.part")
        part.write_text(json.dumps(result, cls=MontyEncoder), encoding="utf-8")
        part.replace(RESULT)


if __name__ == "__main__":
    main()
