"""The guard of E_f: which settings two calculations must share, and where they do not.

Energies of two functionals, cutoffs, POTCARs or values of U never go into one E_f: pristine
and vacancy agree in everything, references in what does not cancel (their k-mesh, spin,
smearing and cell are their own).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from vacancy_flows.engines.vasp.run_settings import RunSettings, asked_for, version_class
from vacancy_flows.schemas import Record

__all__ = ["Mismatch", "RunSettings", "What", "mismatches", "same_scale", "settings_of"]

What = Literal["pair", "reference"]
"""Pristine and vacancy, or a calculation and one of its references."""

_RELATIVE = 1e-6  # numbers of INCAR that differ by less are written differently only
_CHARGE = 1e-3  # e


@dataclass(frozen=True)
class Mismatch:
    """A setting in which two calculations differ.

    Attributes
    ----------
    name
        ``functional``, ``cutoff``, ``U of Mn``, ...
    value_a, value_b
        Of the first and of the second calculation.
    unit
        Of both.
    """

    name: str
    value_a: Any
    value_b: Any
    unit: str = ""

    def __str__(self) -> str:
        """Name the setting with both values."""
        first, second = (
            f"{value:g} {self.unit}".strip() if isinstance(value, float) else str(value)
            for value in (self.value_a, self.value_b)
        )
        return f"{self.name} {first} against {second}"


def mismatches(a: RunSettings, b: RunSettings, what: What) -> list[Mismatch]:
    """Return the settings in which two calculations differ though they may not.

    What either side does not know is not compared. An element of one side alone is not
    compared either: that O2 has no LDAU is right.

    Parameters
    ----------
    a, b
        Vacancy and pristine cell, or a calculation and its reference.
    what
        ``pair``: everything, and both cells fixed. ``reference``: functional, U and POTCAR of
        the elements they share, cutoff, precision and class of the code's version.
    """
    return [*_always(a, b), *(_of_pairs(a, b) if what == "pair" else ())]


def same_scale(a: RunSettings, b: RunSettings, what: What) -> bool:
    """Tell whether two energies can stand in one E_f at all, which no user can override.

    A reference without U fits a calculation with U on other elements.
    """
    if what == "reference":
        return a.functional.lower() == b.functional.lower()
    return a.energy_scale == b.energy_scale


def settings_of(record: Record) -> RunSettings | None:
    """Return the settings of a stored calculation, None where its engine is not VASP.

    Those of the finished run where the record has them (``settings`` of its provenance, or of
    an ingested run's fingerprint), else what the engine's fingerprint says.

    Parameters
    ----------
    record
        Of a campaign or ingested.
    """
    found = record.result.provenance.get("settings") or record.fingerprint.get("settings")
    if isinstance(found, dict):
        return RunSettings.model_validate(found)
    if record.fingerprint.get("code") != "vasp":
        return None
    calculation = record.calculation
    settings = asked_for(
        record.fingerprint,
        {site.specie.symbol for site in record.structure},
        None if calculation.kind == "reference" else record.structure.lattice.matrix,
    )
    version = record.result.provenance.get("vasp")
    run = "cell" if calculation.cell == "free" else "ions"
    return settings.model_copy(update={"version": version, "run": run})


def _always(a: RunSettings, b: RunSettings) -> Iterator[Mismatch]:
    if a.functional.lower() != b.functional.lower():
        yield Mismatch("functional", a.functional, b.functional)
    shared = [element for element in a.potcars if element in b.potcars]
    for element in shared:
        first, second = a.u.get(element, 0.0), b.u.get(element, 0.0)
        yield from _numbers(f"U of {element}", first, second, "eV")
    if any(a.u.get(element) and b.u.get(element) for element in shared):
        yield from _plain("scheme of U", a.u_scheme, b.u_scheme)
    yield from _numbers("cutoff", a.encut, b.encut, "eV")
    yield from _plain("PREC", a.prec, b.prec)
    for element in shared:
        both = element in a.titels and element in b.titels
        names = (a.titels, b.titels) if both else (a.potcars, b.potcars)
        yield from _plain(f"POTCAR of {element}", names[0][element], names[1][element])
    classes = [version_class(s.version) if s.version else None for s in (a, b)]
    if None not in classes and classes[0] != classes[1]:
        yield Mismatch(f"{a.code} version", a.version, b.version)
    yield from _plain("LASPH", a.lasph, b.lasph)
    charges = [s.charge for s in (a, b) if s.charge is not None]
    if any(abs(charge) > _CHARGE for charge in charges):
        yield Mismatch("charge of the cell", a.charge or 0.0, b.charge or 0.0, "e")


def _of_pairs(a: RunSettings, b: RunSettings) -> Iterator[Mismatch]:
    yield from _plain("ISMEAR", a.ismear, b.ismear)
    if a.ismear != -5 or b.ismear != -5:  # tetrahedra have no width
        yield from _numbers("SIGMA", a.sigma, b.sigma, "eV")
    yield from _plain("k-mesh", a.kmesh, b.kmesh)
    yield from _plain("ISPIN", a.ispin, b.ispin)
    yield from _plain("LREAL", a.lreal, b.lreal)
    yield from _plain("ADDGRID", a.addgrid, b.addgrid)
    if "cell" in (a.run, b.run):  # its last energy belongs to the basis of the first cell
        words = ["free" if s.run == "cell" else "fixed" for s in (a, b)]
        yield Mismatch("cell (fixed wanted)", *words)


def _plain(name: str, first: Any, second: Any) -> Iterator[Mismatch]:
    if first is not None and second is not None and first != second:
        yield Mismatch(name, first, second)


def _numbers(name: str, first: float | None, second: float | None, unit: str) -> Iterator[Mismatch]:
    if first is None or second is None:
        return
    if not math.isclose(first, second, rel_tol=_RELATIVE, abs_tol=_RELATIVE):
        yield Mismatch(name, float(first), float(second), unit)
