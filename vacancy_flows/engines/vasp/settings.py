"""Settings of the engine vasp, as a campaign file gives them; defaults of two papers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator
from pymatgen.core import Element

from vacancy_flows.engines.hubbard import HubbardU
from vacancy_flows.engines.kpoints import LIU_2022_DENSITY, KPoints
from vacancy_flows.engines.settings import EngineSettings
from vacancy_flows.engines.vasp.incar import BASE_INCAR, NO_ENERGY, check_incar
from vacancy_flows.errors import InputError

INPUTS_VERSION = 1
"""Of the input sets; counted up when a default changes what an energy is."""

LIU_2022: Mapping[str, Any] = MappingProxyType(
    {
        "u": {"Mn": 4.2},
        "encut": 520.0,
        "kpoints": {"density": LIU_2022_DENSITY},
        "ismear": 0,
        "sigma": 0.05,
        "potcars": {"Li": "Li_sv", "Mn": "Mn_pv", "Ni": "Ni", "Co": "Co", "O": "O"},
    }
)
"""Paper A: Liu et al., Nature 606, 305 (2022), doi 10.1038/s41586-022-04689-y.

From the paper: PBE+U with U_eff(Mn) 4.2 eV, 520 eV, 11×11×11 (see `LIU_2022_DENSITY`).
Ours, because it does not say: Gaussian smearing of 0.05 eV, which suits host, vacancy and O2
alike, and the POTCARs, which are those of atomate2's base set (Li_sv needs 499 eV).
"""

BOUNDARY: Mapping[str, Any] = MappingProxyType(
    {
        "u": {"Ni": 6.2, "Co": 3.32, "Mn": 3.9},
        "encut": 353.6,
        "kpoints": {"length": 30.0},
        "ismear": 0,
        "sigma": 0.05,
        "potcars": {"Li": "Li", "Mn": "Mn", "Ni": "Ni", "Co": "Co", "O": "O_s"},
    }
)
"""Paper B: the domain boundaries of Li3NiCoMnO6 (tilt and twin; ingrained, GULP).

From the paper: PBE, the soft O potential, 353.6 eV (1.25 × ENMAX of O_s, so the potentials
beside it are the plain ones: Li_sv needs 499 eV, Ni_pv 368 eV), Gaussian smearing of 0.05 eV,
and "30 k-points per Å⁻¹", read as VASP's automatic length 30.
Ours, because its text names no U: that of the Materials Project for oxides (Jain et al., Phys.
Rev. B 84, 045115 (2011), as MPRelaxSet has it); ``u: off`` is plain PBE.
"""

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"liu2022": LIU_2022, "boundary": BOUNDARY}
)


class VaspSettings(EngineSettings):
    """Settings of the engine vasp; what is left out is the preset's.

    Attributes
    ----------
    preset
        ``liu2022`` (paper A, `LIU_2022`) or ``boundary`` (paper B, `BOUNDARY`).
    u
        U_eff in eV per element (Dudarev's scheme; d and f shells), instead of the preset's;
        ``off`` for plain PBE, stored as no element at all.
    encut
        Plane-wave cutoff of every calculation, references included, eV.
    kpoints
        Density of the Γ-centred meshes, see `KPoints`.
    ismear, sigma
        Smearing of every calculation: 0 Gaussian, 1 and 2 Methfessel-Paxton, -1 Fermi; eV.
        Tetrahedra (-5) are not offered: O2 cannot have them, and forces in metals are wrong.
    potcars
        POTCAR symbol per element, beside the preset's.
    potcar_functional
        pymatgen's name of the POTCAR release.
    incar
        Any other INCAR tag, for every calculation; see `check_incar` for what is refused.
    bader
        Whether statics write the charge density and the core densities Bader needs.
    """

    preset: Literal["liu2022", "boundary"] = "liu2022"
    u: HubbardU = Field(default_factory=dict)
    # defaults of the fields are never used: `_fill` puts the preset's in
    encut: float = Field(default=520.0, gt=0, le=5000)
    kpoints: KPoints = KPoints(density=LIU_2022_DENSITY)
    ismear: Literal[-1, 0, 1, 2] = 0
    sigma: float = Field(default=0.05, gt=0, le=1)
    potcars: dict[str, str] = Field(default_factory=dict)
    potcar_functional: Literal["PBE", "PBE_52", "PBE_54", "PBE_64"] = "PBE_54"
    incar: dict[str, Any] = Field(default_factory=dict)
    bader: bool = True

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        preset = data.get("preset", "liu2022")
        defaults = PRESETS.get(preset, LIU_2022) if isinstance(preset, str) else LIU_2022
        filled = {**defaults, **data}
        if isinstance(filled["potcars"], dict):
            filled["potcars"] = {**defaults["potcars"], **filled["potcars"]}
        return filled

    @field_validator("potcars")
    @classmethod
    def _check_potcars(cls, value: dict[str, str]) -> dict[str, str]:
        for element, symbol in value.items():
            if element not in Element.__members__:
                raise ValueError(f"{element!r} is no element")
            if not re.fullmatch(rf"{element}(?![a-z])[A-Za-z0-9_.]*", symbol):
                example = PRESETS["liu2022"]["potcars"].get(element, element)
                raise ValueError(
                    f"{symbol!r} is no POTCAR of {element}: name one such as {example}"
                )
        return dict(sorted(value.items()))

    @field_validator("incar")
    @classmethod
    def _check_incar(cls, value: dict[str, Any]) -> dict[str, Any]:
        return check_incar(value)

    @property
    def energy_scale(self) -> str:
        """``pbe+u``, or ``pbe`` where no element has a U."""
        return "pbe+u" if self.u else "pbe"

    def potcar_of(self, element: str) -> str:
        """Return the POTCAR symbol of an element.

        Raises
        ------
        InputError
            Where neither the preset nor the user chose one.
        """
        if element not in self.potcars:
            raise InputError(
                f"no POTCAR is chosen for {element}: name one, such as "
                f"{{{element}: {_suggestion(element)}}}",
                key="settings.potcars",
            )
        return self.potcars[element]


def _suggestion(element: str) -> str:
    """Return the POTCAR that atomate2's base set has for an element."""
    from atomate2.vasp.sets.base import _BASE_VASP_SET

    return str(_BASE_VASP_SET["POTCAR"].get(element, element))


def fingerprint(settings: VaspSettings) -> dict[str, Any]:
    """Return what matters to an energy, for uids and the consistency guard.

    POTCARs enter by symbol and release; their hashes and the version of VASP are reported by
    `vacancy_flows.engines.vasp.potcars.check_potcars` and the record. fmax and the number of
    steps belong to the operation, moments to the structure.

    Parameters
    ----------
    settings
        Of the campaign.

    Returns
    -------
    dict
        Of plain values, the same for settings that are written differently.
    """
    tags = {**BASE_INCAR, **settings.incar}
    return {
        "code": "vasp",
        "inputs": INPUTS_VERSION,
        "functional": "PBE",
        "u": dict(settings.u),
        "encut": settings.encut,
        "kpoints": settings.kpoints.given(),
        "ismear": settings.ismear,
        "sigma": settings.sigma,
        "potcar_functional": settings.potcar_functional,
        "potcars": dict(settings.potcars),
        "incar": {tag: tags[tag] for tag in sorted(tags) if tag not in NO_ENERGY},
    }
