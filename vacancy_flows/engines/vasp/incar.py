"""INCAR tags: those of every calculation, those a user may change, those that are refused."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from vacancy_flows.errors import InputError, nearest

BASE_INCAR: Mapping[str, Any] = MappingProxyType(
    {
        "ALGO": "Normal",
        "EDIFF": 1e-6,
        "GGA": "PE",
        "ICHARG": 2,
        "ISPIN": 2,
        "ISTART": 0,
        "ISYM": 0,
        "LAECHG": False,
        "LASPH": True,
        "LCHARG": False,
        "LORBIT": 11,
        "LREAL": False,
        "LWAVE": False,
        "NELM": 200,
        "PREC": "Accurate",
    }
)
"""What every calculation starts from; see `vacancy_flows.engines.vasp.sets` for the reasons."""


def _tags(*lines: str) -> frozenset[str]:
    return frozenset(tag for line in lines for tag in line.split())


def _same(remedy: str, tags: str) -> dict[str, str]:
    return dict.fromkeys(tags.split(), remedy)


_FUNCTIONAL = (
    "the functional is PBE or PBE+U, for which the correction of O2 was fitted: "
    "leave it out, or set `u`"
)
OWNED: Mapping[str, str] = MappingProxyType(
    _same("set `encut` instead", "ENCUT ENMAX")
    | _same("set `ismear` and `sigma` instead", "ISMEAR SIGMA")
    | _same("set `ismear` and `sigma`: every cell is occupied alike", "FERWE FERDO SMEARINGS")
    | _same("set `u` (eV per element, or off) instead", "LDAU LDAUTYPE LDAUL LDAUU LDAUJ")
    | _same("set `kpoints` instead", "KSPACING KGAMMA")
    | _same("set relax.max_steps of the campaign instead", "NSW")
    | _same("set relax.fmax of the campaign instead", "EDIFFG")
    | _same("set relax.cell of the campaign instead", "ISIF")
    | _same("set magnetism.moments of the campaign instead", "MAGMOM")
    | _same(
        "moments are free but for the start (magnetism.moments of the campaign) and O2",
        "NUPDOWN I_CONSTRAINED_M M_CONSTR LAMBDA RWIGS",
    )
    | _same("hosts are spin-polarised and collinear: leave it out", "ISPIN")
    | _same(
        "moments are collinear, one number per site: leave it out",
        "LSORBIT LNONCOLLINEAR SAXIS LSPIRAL QSPIRAL",
    )
    | _same("moments are read from OUTCAR: leave it out", "LORBIT")
    | _same(
        _FUNCTIONAL,
        "GGA METAGGA LMETAGGA LHFCALC LMODELHF LRHFCALC LTHOMAS AEXX AGGAX AGGAC ALDAC "
        "HFSCREEN PARAM1 PARAM2 CMBJ CMBJA CMBJB IVDW LUSE_VDW ZAB_VDW",
    )
    | _same(
        "cells are neutral and without a field: leave it out",
        "NELECT EFIELD EFIELD_PEAD LDIPOL IDIPOL DIPOL LMONO",
    )
    | _same("cells are strained by `strain` of the campaign", "PSTRESS")
    | _same(
        "what suits one cell does not suit all: VASP chooses it",
        "NBANDS NGX NGY NGZ NGXF NGYF NGZF ROPT",
    )
    | _same("set `bader` instead", "LCHARG LAECHG")
    | _same("with a WAVECAR of another cell MAGMOM is ignored: leave it out", "ISTART ICHARG")
    | _same("set ALGO instead", "IALGO")
    | _same("one calculation is one cell: leave it out", "IMAGES SPRING")
)
"""Tags that E_f's consistency depends on, and what to use instead."""

_VALUES: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "ALGO": ("Normal", "Fast", "VeryFast", "All", "Conjugate", "Damped"),
        "IBRION": (1, 2, 3),
    }
)
"""Values with which a run is a self-consistent energy, or a relaxation."""

EFFORT = _tags(
    "ALGO NELM NELMIN NELMDL AMIX BMIX AMIN AMIX_MAG BMIX_MAG IMIX INIMIX MAXMIX MIXPRE LMAXMIX",
    "WC TIME IBRION POTIM NFREE IWAVPR ISEARCH INIWAV LDIAG LSUBROT EBREAK DEPER WEIMIN",
)
"""The way to self-consistency and to the minimum."""

NO_ENERGY = EFFORT | _tags(
    "ISTART ICHARG",
    # how the work is shared out
    "KPAR NCORE NPAR NSIM NBLK LPLANE LASYNC LSCALAPACK LSCALU MAXMEM",
    # what is written
    "SYSTEM NWRITE NBLOCK KBLOCK LORBIT LWAVE LCHARG LAECHG LELF LVTOT LVHAR LDAUPRINT",
    "NEDOS EMIN EMAX",
)
"""Tags that leave a converged energy as it is: no part of a fingerprint."""

_POSITIVE = _tags("EDIFF NELM NELMIN POTIM TIME KPAR NCORE NPAR NSIM")

_TYPES: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {"bool": (bool,), "int": (int,), "float": (int, float), "str": (str,), "list": (list, tuple)}
)
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "bool": "true or false",
        "int": "a whole number",
        "float": "a number",
        "str": "a word",
        "list": "a list of numbers",
    }
)


def check_incar(tags: Mapping[str, Any]) -> dict[str, Any]:
    """Check overrides of INCAR tags and return them in one spelling.

    Tags, types and values are those pymatgen knows (``Incar.INCAR_PARAMS``).

    Parameters
    ----------
    tags
        As a campaign file gives them.

    Returns
    -------
    dict
        Tags in upper case, words as VASP's manual spells them.

    Raises
    ------
    ValueError
        For a tag that is unknown, given twice, or set by a setting of its own, and for a value
        of a wrong type; the message names the tag.
    """
    checked: dict[str, Any] = {}
    for given, value in tags.items():
        tag = str(given).strip().upper()
        if tag in checked:
            raise ValueError(f"{tag} is given twice: leave one out")
        if tag in OWNED:
            raise ValueError(f"{tag} cannot be overridden: {OWNED[tag]}")
        if tag.startswith("ML_"):
            raise ValueError(f"{tag} cannot be overridden: energies come from DFT alone")
        checked[tag] = _checked(tag, value)
    return checked


def _checked(tag: str, value: Any) -> Any:
    """Return a value in the spelling of the manual, or say what is wrong with it."""
    from pymatgen.io.vasp.inputs import Incar

    if tag not in Incar.INCAR_PARAMS:
        raise ValueError(f"{tag} is no INCAR tag: {nearest(tag, Incar.INCAR_PARAMS)}")
    record = Incar.INCAR_PARAMS[tag]
    kinds = [kind.strip() for kind in record["type"].split("|")]
    if not any(_is(value, kind) for kind in kinds):
        wanted = " or ".join(_WORDS[kind] for kind in kinds)
        raise ValueError(f"{tag} takes {wanted}, not {value!r}")
    allowed = _VALUES.get(tag) or record.get("values")
    if allowed:
        return _one_of(tag, value, allowed)
    if tag in _POSITIVE and value <= 0:
        raise ValueError(f"{tag} is {value!r}: it is above 0")
    if kinds == ["float"]:
        return float(value)
    return list(value) if isinstance(value, tuple) else value


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "bool"
    if not isinstance(value, _TYPES[kind]):
        return False
    numbers: Any = value if kind == "list" else [value]
    if kind in ("float", "list"):
        return all(isinstance(n, int | float) and math.isfinite(n) for n in numbers)
    return kind != "str" or bool(str(value).strip())


def _one_of(tag: str, value: Any, allowed: Iterable[Any]) -> Any:
    for known in allowed:
        if type(known) is type(value) and str(known).lower() == str(value).strip().lower():
            return known
    values = ", ".join(dict.fromkeys(str(known) for known in allowed))
    raise ValueError(f"{tag} cannot be {value!r} here: it is one of {values}")


def check_site_updates() -> None:
    """Check the INCAR tags that atomate2's own settings add to every calculation.

    They come after ours and enter no fingerprint: only tags which leave a converged energy as
    it is may stand there.

    Raises
    ------
    InputError
        Where ``VASP_INCAR_UPDATES`` of atomate2's settings names another tag.
    """
    from atomate2 import SETTINGS

    foreign = sorted(set(map(str.upper, SETTINGS.VASP_INCAR_UPDATES)) - NO_ENERGY)
    ours = sorted(set(map(str.upper, SETTINGS.VASP_INCAR_UPDATES)) & set(OWNED))
    if foreign or ours:
        found = ", ".join(dict.fromkeys([*foreign, *ours]))
        raise InputError(
            f"VASP_INCAR_UPDATES holds {found}, which would change energies behind the "
            "campaign: move it to settings.incar of the campaign file, or take it out",
            file=SETTINGS.CONFIG_FILE,
        )
