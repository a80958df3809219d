"""Settings of a finished run, from its vasprun.xml alone."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pymatgen.io.vasp.outputs import Vasprun

from vacancy_flows.engines.vasp.run_settings import RunSettings, gamma_mesh, real_space

# VASP wiki, GGA, IVDW; PREC by its first letter.
_GGA = (
    {"PE": "PBE", "PS": "PBEsol", "RP": "RPBE", "RE": "revPBE", "AM": "AM05", "91": "PW91"}
    | {"CA": "LDA", "PZ": "LDA", "B3": "B3LYP", "B5": "B3LYP", "OR": "optPBE", "BO": "optB88"}
    | {"MK": "optB86b", "ML": "rPW86", "CX": "vdW-DF-cx", "BF": "BEEF"}
)
_DISPERSION = {1: "D2", 10: "D2", 11: "D3", 12: "D3BJ", 13: "D4", 2: "TS", 20: "TS", 4: "dDsC"}
_PRECISIONS = {"a": "accurate", "n": "normal", "m": "medium", "h": "high", "l": "low"}
# First word of a TITEL: what VASP takes where INCAR names no functional (LEXCH of POTCAR).
_POTCARS = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA", "US": "LDA"}
_UNSET = {"", "--", "NONE", "NON"}


@dataclass(frozen=True)
class Species:
    """One block of POSCAR and its POTCAR.

    Attributes
    ----------
    element
        Symbol.
    count
        Atoms in the block.
    valence
        ZVAL, e.
    titel
        Of the POTCAR.
    """

    element: str
    count: int
    valence: float
    titel: str


def settings_of_run(run: Vasprun, blocks: Sequence[Species]) -> RunSettings:
    """Return the settings VASP used, its defaults included.

    Parameters
    ----------
    run
        As pymatgen reads it.
    blocks
        Of POSCAR.

    Raises
    ------
    ValueError
        Where one element has several values of U, which no E_f here can name.
    """
    used = run.parameters
    valence = sum(block.count * block.valence for block in blocks)
    electrons = used.get("NELECT")
    u = hubbard(run, blocks)
    titels: dict[str, list[str]] = {}
    for block in blocks:
        titels.setdefault(block.element, []).append(block.titel)
    return RunSettings(
        functional=functional(run, blocks),
        u=u,
        u_scheme=hubbard_scheme(run, blocks) if u else None,
        encut=used.get("ENMAX", run.incar.get("ENCUT")),
        prec=_precision(str(used.get("PREC", run.incar.get("PREC", "normal")))),
        potcars={e: " + ".join(dict.fromkeys(map(_symbol, t))) for e, t in titels.items()},
        titels={e: " + ".join(dict.fromkeys(t)) for e, t in titels.items()},
        ismear=used.get("ISMEAR"),
        sigma=used.get("SIGMA"),
        kmesh=kmesh(run),
        ispin=used.get("ISPIN"),
        version=str(run.vasp_version),
        run=kind_of_run(run),
        charge=round(valence - electrons, 4) if valence and electrons else None,
        lasph=used.get("LASPH"),
        lreal=real_space(used.get("LREAL", False)),
        addgrid=used.get("ADDGRID"),
    )


def kind_of_run(run: Vasprun) -> Literal["static", "ions", "cell"]:
    """Tell what moved: nothing, the ions, or the cell with them (or without)."""
    used = run.parameters
    if used.get("NSW", 0) < 1 or used.get("IBRION", -1) == -1:
        return "static"
    return "cell" if used.get("ISIF", 2) >= 3 else "ions"


def functional(run: Vasprun, blocks: Sequence[Species]) -> str:
    """Return the functional of a run, dispersion included, U left out.

    pymatgen's ``run_type`` takes missing tags for those of a hybrid, and calls every hybrid
    with its own share of exchange alike.
    """
    used, given = run.parameters, run.incar
    name = _semilocal(run, blocks)
    if used.get("LHFCALC", False):
        name = _hybrid(name, float(used.get("AEXX", 0.25)), float(used.get("HFSCREEN", 0.0)))
    if used.get("LUSE_VDW", False):
        name += "+vdW-DF"
    kind = int(given.get("IVDW", used.get("IVDW", 0)) or 0)
    return f"{name}+{_DISPERSION.get(kind, f'IVDW{kind}')}" if kind else name


def hubbard(run: Vasprun, blocks: Sequence[Species]) -> dict[str, float]:
    """Return U_eff = U - J per element, eV, without zeros and without shells LDAUL = -1."""
    if not (run.parameters.get("LDAU", False) or run.incar.get("LDAU", False)):
        return {}
    shells, js, us = (
        _numbers(run, tag, default, len(blocks))
        for tag, default in (("LDAUL", 2.0), ("LDAUJ", 0.0), ("LDAUU", math.nan))
    )
    if any(math.isnan(u) for u in us):
        raise ValueError(f"LDAU is on, but LDAUU holds no U for each of {len(blocks)} species")
    found: dict[str, float] = {}
    for block, shell, u, j in zip(blocks, shells, us, js, strict=True):
        value = round(u - j, 6) if shell >= 0 else 0.0
        if found.setdefault(block.element, value) != value:
            raise ValueError(f"{block.element} has several values of U: {found} and {value:g} eV")
    return {element: value for element, value in found.items() if value}


def hubbard_scheme(run: Vasprun, blocks: Sequence[Species]) -> str:
    """Return which +U: Dudarev's, in which U - J alone counts, or LDAUTYPE with its J."""
    kind = int(run.incar.get("LDAUTYPE", run.parameters.get("LDAUTYPE", 2)))
    js = _numbers(run, "LDAUJ", 0.0, len(blocks))
    if kind == 2:
        return "Dudarev"
    named = dict(zip((block.element for block in blocks), js, strict=True))
    return f"LDAUTYPE {kind} with J " + " ".join(f"{e} {j:g}" for e, j in named.items() if j)


def kmesh(run: Vasprun) -> str | None:
    """Return the k-points as text that is equal for equal meshes, whatever the symmetry."""
    points = run.kpoints
    divisions = points.kpts[0] if points.kpts else ()
    if points.style.name in ("Gamma", "Monkhorst") and len(divisions) == 3:
        counts = tuple(int(n) for n in divisions)
        shift = [float(s) % 1 for s in points.kpts_shift]
        shifted = " shifted " + " ".join(f"{s:g}" for s in shift) if any(shift) else ""
        centred = points.style.name == "Gamma" or all(n % 2 for n in counts)
        text = gamma_mesh(counts)
        return (text if centred else text.replace("Γ", "Monkhorst-Pack")) + shifted
    listed = [tuple(float(x) for x in point) for point in run.actual_kpoints]
    if not listed:
        return None
    if listed == [(0.0, 0.0, 0.0)]:
        return gamma_mesh((1, 1, 1))
    if len(listed) == 1:
        return "one point " + " ".join(f"{x:g}" for x in listed[0])
    weights = [float(w) for w in run.actual_kpoints_weights]
    text = repr(sorted(zip(listed, weights, strict=False)))
    return f"{len(listed)} listed points ({hashlib.sha256(text.encode()).hexdigest()[:8]})"


def _numbers(run: Vasprun, tag: str, default: float, count: int) -> list[float]:
    """Return the numbers of a tag, one per species, or the default for all."""
    values = [float(value) for value in run.incar.get(tag, run.parameters.get(tag)) or ()]
    return values if len(values) == count else [default] * count


def _semilocal(run: Vasprun, blocks: Sequence[Species]) -> str:
    meta = _word(run.incar.get("METAGGA"), run.parameters.get("METAGGA"))
    if meta:
        return "R2SCAN" if meta.startswith("R2SCA") else meta
    if run.parameters.get("LMETAGGA", False):
        return "meta-GGA"
    gga = _word(run.parameters.get("GGA"), run.incar.get("GGA"))
    if gga:
        return _GGA.get(gga, gga)
    return _POTCARS.get(blocks[0].titel.split()[0], "unknown") if blocks else "unknown"


def _hybrid(base: str, share: float, screening: float) -> str:
    """Name a hybrid by its share of exchange and its range (1/Å); VASP wiki, hybrids."""
    if math.isclose(share, 1.0):
        return "HF"
    if base == "B3LYP" or not math.isclose(share, 0.25, abs_tol=1e-3):
        return "B3LYP" if base == "B3LYP" else f"{base}-hybrid(AEXX={share:g},{screening:g})"
    names = {("PBE", 0.2): "HSE06", ("PBE", 0.3): "HSE03", ("PBEsol", 0.2): "HSEsol"}
    rounded = 0.2 if 0.2 <= screening <= 0.21 else round(screening, 3)  # 0.207 is 0.11/bohr
    name = names.get((base, rounded))
    if name is None and screening == 0:
        name = f"{base}0"
    return name or f"{base}-hybrid(AEXX={share:g},{screening:g})"


def _word(*values: Any) -> str:
    """Return the first value that is set, in capitals, without a comment behind it."""
    for value in values:
        words = str("" if value is None else value).replace("!", " ").split()
        if words and words[0].upper() not in _UNSET:
            return words[0].upper()
    return ""


def _precision(text: str) -> str:
    word = text.replace("!", " ").split()[0].lower() if text.strip() else "normal"
    if word.startswith("s"):
        return "singlen" if word.startswith("singlen") else "single"
    return _PRECISIONS.get(word[0], word)


def _symbol(titel: str) -> str:
    words = titel.split()
    return words[1] if len(words) > 1 else titel
