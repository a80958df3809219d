"""vasprun.xml, written step by step so that a killed run leaves a truncated one."""

import time
from pathlib import Path

import numpy as np

from standin_vasp import xml_parts
from standin_vasp.relax import Step
from standin_vasp.run import DECLARED, VERSION, Energies, Run

TO_KB = 1602.1766208  # kB per eV/Å³


class VasprunWriter:
    """Write the header at once and each ionic step as it comes."""

    def __init__(self, path: Path, run: Run) -> None:
        self.run = run
        self.file = path.open("w", encoding="iso-8859-1")
        self.file.write(_header(run))

    def step(self, step: Step, electronic: list[float]) -> None:
        """Write an ionic step; bands and density of states with the last one.

        Stress has VASP's sign: -dE/dε / V in kB, positive under compression.
        """
        run = self.run
        converged, energies = run.energies(step), run.energies(step, electronic[-1])
        text = "".join(_scstep(converged, distance) for distance in electronic)
        text += xml_parts.structure(run, step.cell, step.frac)
        text += xml_parts.array("forces", step.point.forces)
        text += xml_parts.array("stress", -step.point.stress * TO_KB)
        # ALGO = All and Damped: VASP writes zero here (https://www.vasp.at/forum/viewtopic.php?t=16942)
        zero = -0.0 if run.algorithm in {"A", "D"} else energies.zero
        text += _energy(energies.free, energies.without, zero)
        if step.last:
            text += xml_parts.eigenvalues(run) + xml_parts.density_of_states(run)
        self.file.write(f"<calculation>\n{text}</calculation>\n")
        self.file.flush()

    def finish(self, step: Step) -> None:
        """Write the final structure and close."""
        self.file.write(xml_parts.structure(self.run, step.cell, step.frac, "finalpos"))
        self.file.write("</modeling>\n")
        self.file.close()


def _header(run: Run) -> str:
    generator = {
        "program": "stand-in for vasp",
        "version": VERSION,
        "subversion": DECLARED,
        "platform": "none",
        "date": time.strftime("%Y %m %d"),
        "time": time.strftime("%H:%M:%S"),
    }
    items = "".join(xml_parts.item(key, value) for key, value in generator.items())
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n'
    text += f"<!-- {DECLARED} -->\n<generator>\n{items}</generator>\n"
    text += f"<incar>\n{''.join(xml_parts.incar_items(run).values())}</incar>\n"
    text += xml_parts.kpoint_list(run) + xml_parts.parameters(run) + _atominfo(run)
    return text + xml_parts.structure(run, run.poscar.cell, run.poscar.frac, "initialpos")


def _atominfo(run: Run) -> str:
    kinds = np.repeat(np.arange(len(run.potcar)) + 1, run.poscar.counts)
    atoms = "".join(
        f"<rc><c>{s:2}</c><c>{k:4d}</c></rc>\n" for s, k in zip(run.species, kinds, strict=True)
    )
    types = "".join(
        f"<rc><c>{n:4d}</c><c>{p.element:2}</c><c>{p.mass:16.8f}</c><c>{p.zval:16.8f}</c>"
        f"<c>  {p.titel:40}</c></rc>\n"
        for p, n in zip(run.potcar, run.poscar.counts, strict=True)
    )
    counts = f"<atoms>{len(run.species):8d} </atoms>\n<types>{len(run.potcar):8d} </types>\n"
    return (
        f'<atominfo>\n{counts}<array name="atoms" >\n<set>\n{atoms}</set>\n</array>\n'
        f'<array name="atomtypes" >\n<set>\n{types}</set>\n</array>\n</atominfo>\n'
    )


def _energy(free: float, without: float, zero: float) -> str:
    names = ("e_fr_energy", "e_wo_entrp", "e_0_energy")
    values = zip(names, (free, without, zero), strict=True)
    items = "".join(f'<i name="{name}">{value:16.8f} </i>\n' for name, value in values)
    return f"<energy>\n{items}</energy>\n"


def _scstep(energies: Energies, distance: float) -> str:
    values = (energies.free, energies.without, energies.zero)
    return f"<scstep>\n{_energy(*(value + distance for value in values))}</scstep>\n"
