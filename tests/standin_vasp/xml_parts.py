"""Pieces of vasprun.xml: lists, tags of INCAR and defaults, structures, k-points."""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from standin_vasp.bands import ORBITALS, levels, projected_dos, total_dos
from standin_vasp.run import Run
from standin_vasp.tags import DEFAULTS, INTEGERS, LISTS, LOGICALS, NUMBERS, TEXTS, Value

Array = NDArray[np.float64]
Row = Sequence[float] | Array


def rows(values: Iterable[Row], tag: str = "v", form: str = "%16.8f") -> str:
    """Rows of numbers, one element each."""
    return "\n".join(f"<{tag}> {' '.join(form % x for x in row)} </{tag}>" for row in values)


def array(name: str, values: Iterable[Row]) -> str:
    """Return a varray."""
    return f'<varray name="{name}" >\n{rows(values)}\n</varray>\n'


def item(name: str, value: Value, kind: str = "") -> str:
    """One tag with the type that VASP writes."""
    if isinstance(value, str):
        return f'<i type="string" name="{name}">{escape(value)}</i>\n'
    if isinstance(value, bool):
        return f'<i type="logical" name="{name}"> {"T" if value else "F"}  </i>\n'
    if isinstance(value, int):
        return f'<i type="int" name="{name}">{value:6d}</i>\n'
    if isinstance(value, float):
        return f'<i name="{name}">{value:16.8f}</i>\n'
    typed = f'type="{kind}" ' if kind else ""
    form = "%6d" if kind == "int" else "%16.8f"
    return f'<v {typed}name="{name}">{" ".join(form % x for x in value)}</v>\n'


def incar_items(run: Run) -> dict[str, str]:
    """Return the tags of INCAR that the stand-in knows the type of; others are left out."""
    incar, found = run.incar, {}
    for tag in incar.tags:
        if tag in TEXTS:
            found[tag] = item(tag, incar.text(tag))
        elif tag in LOGICALS:
            found[tag] = item(tag, incar.flag(tag, default=False))
        elif tag in INTEGERS:
            found[tag] = item(tag, incar.integer(tag, 0))
        elif tag in NUMBERS:
            found[tag] = item(tag, incar.number(tag, 0.0))
        elif tag in LISTS:
            found[tag] = item(tag, incar.numbers(tag), LISTS[tag])
    return found


def parameters(run: Run) -> str:
    """Return INCAR's tags with the defaults that readers look for."""
    nsw = run.incar.integer("NSW", 0)
    defaults = DEFAULTS | {
        "NSW": nsw,
        "IBRION": 0 if nsw else -1,
        "EDIFFG": 10 * run.incar.number("EDIFF", 1e-4),
    }
    items = {tag: item(tag, value) for tag, value in defaults.items()} | incar_items(run)
    items["MAGMOM"] = item("MAGMOM", run.magmom.tolist())
    items["ENMAX"] = item("ENMAX", run.encut)
    items["NELECT"] = item("NELECT", run.nelect)
    items["NBANDS"] = item("NBANDS", run.nbands)
    items |= {t: item(t, n) for t, n in zip(("NGXF", "NGYF", "NGZF"), run.grid, strict=True)}
    general = f'<separator name="general" >\n{items.pop("SYSTEM", item("SYSTEM", "unknown"))}'
    body = f'</separator>\n<separator name="electronic" >\n{"".join(items.values())}</separator>'
    return f"<parameters>\n{general}{body}\n</parameters>\n"


def structure(run: Run, cell: Array, frac: Array, name: str = "") -> str:
    """Return a structure; selective dynamics only with a name, as in VASP."""
    crystal = array("basis", cell) + item("volume", float(abs(np.linalg.det(cell))))
    crystal += array("rec_basis", np.linalg.inv(cell).T)
    text = f"<crystal>\n{crystal}</crystal>\n" + array("positions", frac)
    if name and run.poscar.free is not None:
        flags = (" ".join("T" if f else "F" for f in row) for row in run.poscar.free)
        lines = "\n".join(f'<v type="logical" > {row} </v>' for row in flags)
        text += f'<varray name="selective" type="logical" >\n{lines}\n</varray>\n'
    named = f' name="{name}"' if name else ""
    return f"<structure{named} >\n{text}</structure>\n"


def kpoint_list(run: Run) -> str:
    """Return the mesh and the points that are written."""
    k = run.kpoints
    mesh = item("divisions", list(k.divisions), "int") + item("usershift", list(k.shift))
    for axis in range(3):
        vector = [1.0 / n if axis == i else 0.0 for i, n in enumerate(k.divisions)]
        mesh += item(f"genvec{axis + 1}", vector)
    mesh += item("shift", [0.0, 0.0, 0.0])
    head = f'<generation param="{k.style}">\n{mesh}</generation>\n'
    if k.style == "Listgenerated":
        head = ""
    points = array("kpointlist", k.points) + array("weights", k.weights[:, None])
    return f"<kpoints>\n{head}{points}</kpoints>\n"


def eigenvalues(run: Run) -> str:
    """Return the invented levels."""
    sets = ""
    for spin, level in enumerate(levels(run), start=1):
        body = rows(level, "r", "%10.4f")
        points = (
            f'<set comment="kpoint {k + 1}">\n{body}\n</set>'
            for k in range(len(run.kpoints.points))
        )
        sets += f'<set comment="spin {spin}">\n' + "\n".join(points) + "\n</set>\n"
    names = "".join(f"<field>{name}</field>\n" for name in ("eigene", "occ"))
    return f"<eigenvalues>\n<array>\n{names}<set>\n{sets}</set>\n</array>\n</eigenvalues>\n"


def density_of_states(run: Run) -> str:
    """Return the invented density of states, by atoms where LORBIT asks for it."""
    total = _spin_sets(total_dos(run))
    names = "".join(f"<field>{n}</field>\n" for n in ("energy", "total", "integrated"))
    text = f'<i name="efermi">{0.5:16.8f}</i>\n'
    text += f"<total>\n<array>\n{names}<set>\n{total}</set>\n</array>\n</total>\n"
    if run.lorbit >= 10:
        names = "".join(f"<field>{n:>5}</field>\n" for n in ("energy", *ORBITALS))
        atom = _spin_sets(projected_dos(run))
        atoms = (f'<set comment="ion {k + 1}">\n{atom}</set>\n' for k in range(len(run.species)))
        text += f"<partial>\n<array>\n{names}<set>\n{''.join(atoms)}</set>\n</array>\n</partial>\n"
    return f"<dos>\n{text}</dos>\n"


def _spin_sets(values: list[Array]) -> str:
    body = (rows(value, "r", "%11.4f") for value in values)
    return "".join(f'<set comment="spin {k}">\n{b}\n</set>\n' for k, b in enumerate(body, start=1))
