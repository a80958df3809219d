"""Small readers of POSCAR, INCAR, KPOINTS and POTCAR; pymatgen would take seconds to import."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
TRUE, FALSE = ("T", "TRUE"), ("F", "FALSE")


class InputError(Exception):
    """An input that VASP would refuse; the text is what it would say."""


@dataclass
class Poscar:
    """POSCAR: ``cell`` (3, 3) in Å, ``frac`` (N, 3), ``free`` (N, 3) or None."""

    comment: str
    cell: Array
    symbols: list[str]
    counts: list[int]
    frac: Array
    free: NDArray[np.bool_] | None = None

    @property
    def species(self) -> list[str]:
        """Element of each atom."""
        return [s for s, n in zip(self.symbols, self.counts, strict=True) for _ in range(n)]

    @property
    def formula(self) -> str:
        """Such as ``Li8Mn4O12``, in the order of the file."""
        return "".join(f"{s}{n}" for s, n in zip(self.symbols, self.counts, strict=True))


@dataclass
class Potcar:
    """What is used of one element's POTCAR."""

    titel: str
    element: str
    zval: float
    enmax: float
    mass: float


@dataclass
class Kpoints:
    """Mesh and the few points that are written; ``style`` as vasprun.xml names it."""

    style: str
    divisions: tuple[int, int, int]
    points: Array
    weights: Array
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)


@dataclass
class Incar:
    """INCAR as texts, read with the type that a tag needs."""

    tags: dict[str, str] = field(default_factory=dict)

    def text(self, tag: str, default: str = "") -> str:
        """Return a string."""
        return self.tags.get(tag, default).strip()

    def integer(self, tag: str, default: int) -> int:
        """Return an integer."""
        return int(self._first(tag, r"[-+]?\d+", str(default)))

    def number(self, tag: str, default: float) -> float:
        """Return a float."""
        text = self._first(tag, r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?", repr(default))
        return float(text.replace("d", "e").replace("D", "e"))

    def flag(self, tag: str, *, default: bool) -> bool:
        """Return a logical."""
        text = self._first(tag, r"\.?[a-zA-Z]+\.?", str(default)).strip(".").upper()
        if text[:1] not in {"T", "F"}:
            raise self._unreadable(tag)
        return text[0] == "T"

    def numbers(self, tag: str) -> list[float]:
        """Return a list of floats, ``3*0.6`` written out."""
        found: list[float] = []
        try:
            for word in self.tags.get(tag, "").split():
                times, _, value = word.rpartition("*")
                found += [float(value)] * (int(times) if times else 1)
        except ValueError as error:
            raise self._unreadable(tag) from error
        return found

    def _first(self, tag: str, pattern: str, default: str) -> str:
        word = (self.tags.get(tag, "").split() or [default])[0]
        if tag in self.tags and not re.fullmatch(pattern, word):
            raise self._unreadable(tag)
        return word

    @staticmethod
    def _unreadable(tag: str) -> InputError:
        return InputError(
            f"Error reading item '{tag}' from file INCAR.\nError code was IERR= 5 ..."
        )


def read_incar(path: Path) -> Incar:
    """Read INCAR: comments after # or !, several tags in one line after ;."""
    tags: dict[str, str] = {}
    for line in path.read_text().splitlines():
        for part in re.split(r"[#!]", line)[0].split(";"):
            tag, equals, value = part.partition("=")
            if equals:
                tags.setdefault(tag.strip().upper(), value.strip())
    return Incar(tags)


def read_poscar(path: Path) -> Poscar:
    """Read POSCAR with names of elements in line 6."""
    lines = path.read_text().splitlines()
    if len(lines) < 9:
        raise InputError("ERROR: the file POSCAR ends too early")
    scale = float(lines[1].split()[0])
    cell = np.array([line.split()[:3] for line in lines[2:5]], dtype=float)
    cell *= scale if scale > 0 else (-scale / abs(np.linalg.det(cell))) ** (1 / 3)
    counts = [int(word) for word in lines[6].split()]
    start = 7
    selective = lines[start].strip()[:1] in tuple("sS")
    start += selective
    cartesian = lines[start].strip()[:1] in tuple("cCkK")
    rows = [line.split() for line in lines[start + 1 : start + 1 + sum(counts)]]
    if len(rows) < sum(counts) or any(len(row) < 3 for row in rows):
        raise InputError("ERROR: there are too few positions in POSCAR")
    frac = np.array([row[:3] for row in rows], dtype=float)
    if cartesian:
        frac = frac * abs(scale) @ np.linalg.inv(cell)
    free = None
    if selective:
        free = np.array([[word.strip(".")[:1].upper() == "T" for word in row[3:6]] for row in rows])
    return Poscar(lines[0].strip(), cell, lines[5].split(), counts, frac, free)


def read_potcar(path: Path) -> list[Potcar]:
    """Read the headers of a POTCAR."""
    if not path.is_file():
        raise InputError("ERROR: POTCAR is missing")
    found = []
    for block in path.read_text().split("End of Dataset"):
        titel = re.search(r"TITEL\s*=\s*(.+)", block)
        if not titel:
            continue
        element = re.search(r"VRHFIN\s*=\s*(\w+)", block)
        values = [re.search(rf"{key}\s*=\s*([\d.]+)", block) for key in ("ZVAL", "ENMAX", "POMASS")]
        if element is None or None in values:
            raise InputError("ERROR: POTCAR has no VRHFIN, ZVAL, ENMAX or POMASS")
        zval, enmax, mass = (float(value.group(1)) for value in values if value)
        found.append(Potcar(titel.group(1).strip(), element.group(1), zval, enmax, mass))
    return found


def _mesh(style: str, divisions: list[int], shift: list[float]) -> Kpoints:
    """Return a mesh, of which the first eight points are written, without symmetry."""
    axes = [np.arange(n) / n for n in divisions]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)[:8]
    if style.startswith("M"):
        points = points + 0.5 / np.array(divisions) * (np.array(divisions) % 2 == 0)
    n1, n2, n3 = divisions
    weights = np.full(len(points), 1.0 / len(points))
    return Kpoints(style, (n1, n2, n3), points, weights, (shift[0], shift[1], shift[2]))


def _spaced(cell: Array, length: float) -> list[int]:
    """Divisions of VASP's automatic length in Å: N_i = max(1, int(R |b_i| + 0.5))."""
    sides = np.linalg.norm(np.linalg.inv(cell), axis=0)
    return [max(1, int(length * side + 0.5)) for side in sides]


def read_kpoints(path: Path, cell: Array, incar: Incar) -> Kpoints:
    """Read KPOINTS, or KSPACING where there is no such file."""
    if not path.is_file():
        spacing = incar.number("KSPACING", 0.5)
        sides = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell), axis=0)
        style = "Gamma" if incar.flag("KGAMMA", default=True) else "Monkhorst-Pack"
        return _mesh(style, [max(1, int(np.ceil(b / spacing))) for b in sides], [0.0] * 3)
    lines = path.read_text().splitlines()
    count, letter = int(lines[1].split()[0]), lines[2].strip()[:1].upper()
    if count == 0 and letter in {"G", "M"}:
        shift = [float(word) for word in lines[4].split()[:3]] if len(lines) > 4 else []
        style = "Gamma" if letter == "G" else "Monkhorst-Pack"
        return _mesh(style, [int(w) for w in lines[3].split()[:3]], shift or [0.0] * 3)
    if count == 0 and letter == "A":
        return _mesh("Gamma", _spaced(cell, float(lines[3].split()[0])), [0.0] * 3)
    if count == 0 or letter == "L":
        raise InputError("ERROR: the stand-in reads no generalised meshes or lines in KPOINTS")
    rows = np.array([line.split()[:4] for line in lines[3 : 3 + count]], dtype=float)
    return Kpoints("Listgenerated", (1, 1, 1), rows[:, :3], rows[:, 3] / rows[:, 3].sum())
