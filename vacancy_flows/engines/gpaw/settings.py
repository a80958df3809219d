"""Settings of the engine gpaw, as a campaign file gives them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator
from pymatgen.core import Element

from vacancy_flows.engines.hubbard import HubbardU, u_shell
from vacancy_flows.engines.kpoints import KPoints
from vacancy_flows.engines.settings import EngineSettings

INPUTS_VERSION = 2
"""Of the input; counted up when a default changes what an energy is."""

LAPTOP_DENSITY = 420.0
"""Points times volume, Å³: 2×2×2 on the 12-atom cell of Li2MnO3, 2×1×2 on the 24-atom one.

Both meshes are the same sampling of their crystals, and neither changes between 10 %
compression and 20 % expansion of the lattice vectors.
"""

LARGEST_RELAXED = 24
"""Atoms of a host above which ``ions: auto`` leaves the ions to CHGNet."""


class GpawSettings(EngineSettings):
    """Settings of the engine gpaw.

    Attributes
    ----------
    encut
        Plane-wave cutoff of every calculation, references included, eV.
    u
        U_eff in eV per element (Dudarev's scheme; d and f shells); ``off`` for plain PBE.
        4.2 on Mn is that of Liu et al., Nature 606, 305 (2022).
    kpoints
        Density of the Γ-centred meshes, see `KPoints`; the same policy as VASP's.
    sigma
        Width of the Fermi-Dirac occupations, eV; energies are those for zero width.
    setups
        Name of the PAW setup per element where it is not GPAW's default, such as the number
        of valence electrons in ``{Cr: "14"}``.
    symmetry
        Whether the symmetry that a cell starts with is used, and so kept; else only that k and
        -k are equivalent.
    ions
        Who relaxes the ions: ``gpaw``; ``chgnet`` or ``chgnet-r2scan``, followed by a single
        point with GPAW; ``auto``: GPAW for hosts of up to `LARGEST_RELAXED` atoms, else CHGNet.
    bader
        Whether a fixed cell ends with Bader net charges.
    stress
        Whether a fixed cell ends with its stress, for elastic dipoles: one more energy, at a
        higher cutoff, tells the part of GPAW's stress that only the basis makes.
    ranks
        MPI ranks of each calculation; more than 1 needs GPAW built with MPI.
    """

    encut: float = Field(default=500.0, ge=200, le=2000)
    u: HubbardU = Field(default_factory=lambda: {"Mn": 4.2})
    kpoints: KPoints = KPoints(density=LAPTOP_DENSITY)
    sigma: float = Field(default=0.05, gt=0, le=1)
    setups: dict[str, str] = Field(default_factory=dict)
    symmetry: bool = True
    ions: Literal["auto", "gpaw", "chgnet", "chgnet-r2scan"] = "auto"
    bader: bool = False
    stress: bool = True
    ranks: int = Field(default=1, ge=1, le=4096)

    @field_validator("setups")
    @classmethod
    def _check_setups(cls, value: dict[str, str]) -> dict[str, str]:
        for element, name in value.items():
            if element not in Element.__members__:
                raise ValueError(f"{element!r} is no element")
            if not name.replace("_", "").isalnum():
                raise ValueError(f"{name!r} is no name of a setup of {element}")
        return dict(sorted(value.items()))

    @property
    def energy_scale(self) -> str:
        """``pbe+u``, or ``pbe`` where no element has a U."""
        return "pbe+u" if self.u else "pbe"

    def relaxer(self, n_atoms: int) -> str:
        """Return who relaxes the ions of a host of that many atoms."""
        if self.ions != "auto":
            return self.ions
        return "gpaw" if n_atoms <= LARGEST_RELAXED else "chgnet"

    def setups_of(self, elements: set[str]) -> dict[str, str]:
        """Return GPAW's ``setups`` for a cell of some elements.

        U is written ``TYPE:d,4.2,0``; the 0 counts occupations in the augmentation sphere as
        they are, without scaling them to a whole orbital.
        """
        found = {}
        for element in sorted(elements):
            text = self.setups.get(element, "")
            if element in self.u:
                text += f":{u_shell(element)},{self.u[element]:g},0"
            if text:
                found[element] = text
        return found


def fingerprint(settings: GpawSettings) -> dict[str, Any]:
    """Return what matters to an energy, for uids; files of setups are compared by the guard.

    Parameters
    ----------
    settings
        Of the campaign.
    """
    return {
        "code": "gpaw",
        "inputs": INPUTS_VERSION,
        "functional": "PBE",
        "u": dict(settings.u),
        "encut": settings.encut,
        "kpoints": settings.kpoints.given(),
        "occupations": "fermi-dirac",
        "sigma": settings.sigma,
        "setups": dict(settings.setups),
        "symmetry": settings.symmetry,
        "ions": settings.ions,
    }
