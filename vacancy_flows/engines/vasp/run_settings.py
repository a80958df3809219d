"""Settings of one VASP calculation that matter to an energy, however they are known."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vacancy_flows.engines.kpoints import KPoints, mesh


class RunSettings(BaseModel):
    """Settings of one calculation that matter to an energy; None where not known.

    Attributes
    ----------
    functional
        As people write it: ``PBE``, ``PBEsol``, ``HSE06``, ``R2SCAN``; U is not part of it.
    u, u_scheme
        U_eff per element, eV; elements without U are left out. Dudarev's scheme, or another.
    encut, sigma
        eV.
    prec
        ``accurate``, ``normal``, ...
    potcars, titels
        Symbol (``O_s``) and TITEL of the POTCAR of each element of the cell.
    kmesh
        Text that is equal for equal meshes.
    ispin
        2 with spin polarisation.
    code, version
        ``VASP``, and its version in full.
    run
        ``static``, ``ions`` (cell fixed) or ``cell`` (cell free).
    charge
        Of the cell, e.
    lasph, lreal, addgrid
        Tags of INCAR.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    functional: str
    u: dict[str, float] = Field(default_factory=dict)
    u_scheme: str | None = None
    encut: float | None = None
    prec: str | None = None
    potcars: dict[str, str] = Field(default_factory=dict)
    titels: dict[str, str] = Field(default_factory=dict)
    ismear: int | None = None
    sigma: float | None = None
    kmesh: str | None = None
    ispin: int | None = None
    code: str = "VASP"
    version: str | None = None
    run: Literal["static", "ions", "cell"] | None = None
    charge: float | None = None
    lasph: bool | None = None
    lreal: bool | None = None
    addgrid: bool | None = None

    @property
    def energy_scale(self) -> str:
        """``pbe``, ``pbe+u``, else the lower-case functional (``pbesol``, ``hse06``)."""
        return self.functional.lower() + ("+u" if self.u else "")


def asked_for(
    fingerprint: dict[str, Any], elements: set[str], lattice: Any | None = None
) -> RunSettings:
    """Return what a fingerprint of the engine vasp asks a calculation for.

    Parameters
    ----------
    fingerprint
        See `vacancy_flows.engines.vasp.settings.fingerprint`.
    elements
        Of the cell.
    lattice
        (3, 3), rows in Å, which the k-mesh follows from; None for references, whose mesh,
        spin and smearing are their own.
    """
    tags = fingerprint["incar"]
    own: dict[str, Any] = {}
    if lattice is not None:
        counts = mesh(lattice, KPoints(**fingerprint["kpoints"]))
        own = {
            "kmesh": gamma_mesh(counts),
            "ispin": tags.get("ISPIN"),
            "ismear": fingerprint["ismear"],
            "sigma": fingerprint["sigma"],
        }
    return RunSettings(
        functional=fingerprint["functional"],
        u={element: u for element, u in fingerprint["u"].items() if element in elements},
        encut=fingerprint["encut"],
        prec=str(tags["PREC"]).lower() if "PREC" in tags else None,
        u_scheme="Dudarev",
        potcars={e: symbol for e, symbol in fingerprint["potcars"].items() if e in elements},
        charge=0.0,
        lasph=tags.get("LASPH"),
        lreal=real_space(tags.get("LREAL", False)),
        addgrid=tags.get("ADDGRID", False),
        **own,
    )


def gamma_mesh(counts: tuple[int, ...]) -> str:
    """Return how a Γ-centred mesh is written."""
    return "Γ " + "×".join(str(count) for count in counts)


def real_space(lreal: Any) -> bool:
    """Tell whether LREAL (F, T, On, Auto, ...) has projections in real space."""
    return not str(lreal).strip(" .").lower().startswith("f")


def version_class(version: str) -> str:
    """Return the part of a version within which energies agree: the first number."""
    found = re.search(r"\d+", version)
    return found.group() if found else version
