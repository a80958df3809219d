"""The program: read the inputs, take ionic steps, write what VASP writes, fail if told to."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from standin_vasp.density import write_density
from standin_vasp.faults import Fault, next_fault
from standin_vasp.inputs import InputError
from standin_vasp.moments import write_wavecar
from standin_vasp.outcar import REACHED, OutcarWriter
from standin_vasp.potential import get_potential
from standin_vasp.relax import Settings, Step, ionic_steps, read_settings
from standin_vasp.run import Run, read_run
from standin_vasp.small_files import OszicarWriter, poscar_text, say, stop_requested
from standin_vasp.vasprun import VasprunWriter
from standin_vasp.xml_parts import incar_items

CRASHES = {"zbrent": 1, "edddav": 1, "message": 1, "crash": 174, "no_space": 38}


class Session:
    """The files of one run, and the fault that it is due."""

    def __init__(self, directory: Path, run: Run, settings: Settings, fault: Fault) -> None:
        self.directory, self.run, self.fault = directory, run, fault
        self.settings = settings
        self.outcar = OutcarWriter(directory / "OUTCAR", run)
        self.oszicar = OszicarWriter(directory / "OSZICAR", run)
        self.vasprun = VasprunWriter(directory / "vasprun.xml", run)
        self.contcar = directory / "CONTCAR"
        self.contcar.write_text("")  # VASP's is empty until the first ionic step is done
        self.number = 0

    def fail_if_due(self, *, last: bool) -> None:
        """End here, as the fault says, before the next ionic step; never later than the last."""
        fault = self.fault
        if self.number < fault.steps and not last:
            return
        if fault.name == "hang":
            time.sleep(1e6)
        if fault.name == "walltime":
            kill(parent=fault.kill_parent)
        if fault.name in CRASHES:
            if fault.name == "no_space":
                self.contcar.write_text("")
            (sys.stderr.write if "forrtl" in fault.text else say)(fault.text)
            self.vasprun.file.flush()
            sys.exit(CRASHES[fault.name])

    def take(self, step: Step) -> None:
        """Write one ionic step."""
        self.number += 1
        name = self.fault.name
        stuck = name == "electronic_always" or (name == "electronic" and step.last)
        electronic = self.run.electronic(self.number, unconverged=stuck)
        if name == "slow":
            time.sleep(self.fault.seconds)
        self.outcar.step(step, electronic, converged=not stuck)
        self.vasprun.step(step, electronic)
        text = poscar_text(self.run.poscar, step, velocities=self.settings.moves)
        self.contcar.write_text(text)
        self.oszicar.step(step, electronic)  # last: who sees it there may kill this run

    def finish(self, step: Step, *, soft_stop: bool) -> int:
        """Write what comes at the end; return the exit code."""
        run = self.run
        say(f"{REACHED}\n" if step.reached else "")
        self.outcar.finish(step, soft_stop=soft_stop)
        self.vasprun.finish(step)
        write_density(
            self.directory, run, step.cell, step.frac, poscar_text(run.poscar, step) + "\n"
        )
        if run.incar.flag("LWAVE", default=True):
            write_wavecar(self.directory / "WAVECAR", run.species, run.moments)
        if soft_stop:
            (self.directory / "STOPCAR").unlink()
        if self.fault.name == "truncated":
            path = self.directory / "vasprun.xml"
            os.truncate(path, path.stat().st_size * 3 // 5)
        say(" writing wavefunctions\n")
        return int(self.fault.name == "exit_code")


def kill(*, parent: bool) -> None:
    """Die as at the end of a walltime, with the calling process if wanted."""
    if parent:
        caller = Path(f"/proc/{os.getppid()}/cmdline").read_text().split("\0")
        if "pytest" in {Path(word).name for word in caller[:4]}:
            sys.exit("kill_parent: the stand-in was called by pytest itself; use a subprocess")
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def describe(directory: Path, run: Run, settings: Settings) -> str:
    """Return what a fault's ``match`` is looked for in."""
    kind = ("relax-cell" if settings.isif == 3 else "relax-ions") if settings.moves else "static"
    tags = "".join(f"{tag}={plain(value)};" for tag, value in run.incar.tags.items())
    parts = [str(directory), run.incar.text("SYSTEM"), run.poscar.comment, run.poscar.formula]
    return " | ".join([*parts, kind, f";{tags}"])


def plain(value: str) -> str:
    """Return an INCAR value with one space between words, and 520.0 as 520."""
    words = value.split()
    for k, word in enumerate(words):
        with contextlib.suppress(ValueError):
            words[k] = f"{float(word):g}"
    return " ".join(words)


def main() -> int:
    """Run in the current directory."""
    directory = Path.cwd()
    try:
        run = read_run(directory)
        settings = read_settings(run.incar)
        incar_items(run)  # a tag of the wrong type is told before anything is written
    except InputError as error:
        say(f"{error}\n")
        return 1
    fault = next_fault(describe(directory, run, settings))
    settings.creep = fault.name == "ionic"
    _, potential = get_potential(run.species, run.moments)
    session = Session(directory, run, settings, fault)
    for step in ionic_steps(run.poscar, potential, settings):
        session.fail_if_due(last=step.last)
        stop = stop_requested(directory)
        step.last = step.last or bool(stop)
        session.take(step)
        if step.last:
            return session.finish(step, soft_stop=bool(stop))
    raise AssertionError("no last ionic step")


if __name__ == "__main__":
    sys.exit(main())
