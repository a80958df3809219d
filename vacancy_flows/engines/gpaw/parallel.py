"""One calculation on several MPI ranks: a process of its own under mpiexec.

Every rank runs the same Maker; GPAW shares out the work, and rank 0 writes what is left.
"""

from __future__ import annotations

import json
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
_LAST = 300  # characters of the output that a message repeats


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
    command = ["mpiexec", "-n", str(ranks), sys.executable, "-m", "gpaw", "python", "-m", __name__]
    with Path(OUTPUT).open("w", encoding="utf-8") as output:
        subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)  # noqa: S603
    if not Path(RESULT).is_file():
        told = " ".join(Path(OUTPUT).read_text(encoding="utf-8", errors="replace").split())
        raise EngineError(
            f"GPAW on {ranks} ranks ended without a result ({told[-_LAST:]}): see "
            f"{Path(OUTPUT).absolute()}"
        )
    result: Result = _read(RESULT)
    return result


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
