"""CONTCAR, OSZICAR and what goes to standard output."""

import sys
from pathlib import Path

from standin_vasp.inputs import Poscar
from standin_vasp.relax import Step
from standin_vasp.run import DECLARED, Run


def poscar_text(poscar: Poscar, step: Step, *, velocities: bool = False) -> str:
    """Return a structure as POSCAR; VASP adds a block of zero velocities to CONTCAR."""
    lines = [poscar.comment, "   1.00000000000000"]
    lines += [" ".join(f"{x:21.16f}" for x in row) for row in step.cell]
    lines += ["   ".join(poscar.symbols), "   ".join(map(str, poscar.counts))]
    flags = [""] * len(step.frac)
    if poscar.free is not None:
        lines.append("Selective dynamics")
        flags = ["   " + "   ".join("T" if f else "F" for f in row) for row in poscar.free]
    lines.append("Direct")
    for row, flag in zip(step.frac, flags, strict=True):
        lines.append(" ".join(f"{x:19.16f}" for x in row) + flag)
    if velocities:
        lines += ["", *["  0.00000000E+00" * 3] * len(step.frac)]
    return "\n".join(lines) + "\n"


class OszicarWriter:
    """OSZICAR and the same lines on standard output."""

    def __init__(self, path: Path, run: Run) -> None:
        self.run = run
        self.file = path.open("w", encoding="ascii")
        self.number = 0
        self.before = 0.0
        say(f" {DECLARED}\n running    1 mpi-ranks, with    1 threads/rank, on    1 nodes\n")
        say(" entering main loop\n")

    def step(self, step: Step, electronic: list[float]) -> None:
        """Write an ionic step with its electronic steps."""
        self.number += 1
        free, energies = self.run.energies(step).free, self.run.energies(step, electronic[-1])
        head = "       N       E                     dE             d eps       ncg     rms"
        lines, last = [f"{head}          rms(c)"], 0.0
        for k, distance in enumerate(electronic, start=1):
            energy = free + distance
            change = energy - last
            lines.append(f"DAV: {k:3d} {energy:20.12E} {change:13.5E} {change:12.5E} 1000 0.1E+00")
            last = energy
        change = energies.free - self.before
        line = f"{self.number:4d} F= {energies.free:.8E} E0= {energies.zero:.8E}  d E ={change:.6E}"
        if self.run.spins == 2:
            line += f"  mag= {self.run.moments.sum():9.4f}"
        self.before = energies.free
        text = "\n".join([*lines, line]) + "\n"
        self.file.write(text)
        self.file.flush()
        say(text)


def say(text: str) -> None:
    """Write to standard output, which custodian keeps as vasp.out."""
    sys.stdout.write(text)
    sys.stdout.flush()


def stop_requested(directory: Path) -> str:
    """Return LSTOP or LABORT if STOPCAR asks for it."""
    path = directory / "STOPCAR"
    text = path.read_text().upper() if path.is_file() else ""
    wanted = [tag for tag in ("LABORT", "LSTOP") if tag in text and "T" in text.split("=")[-1]]
    return wanted[0] if wanted else ""
