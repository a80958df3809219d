"""Input sets of hosts and vacancies, on atomate2's generator.

Papers: A, Liu et al., Nature 606, 305 (2022), doi 10.1038/s41586-022-04689-y; B, the domain
boundaries of Li3NiCoMnO6. What each of them says and what is ours stands at
`vacancy_flows.engines.vasp.settings.LIU_2022` and ``BOUNDARY``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from atomate2.vasp.sets.base import VaspInputGenerator
from pymatgen.core import Element
from pymatgen.io.vasp.inputs import Kpoints

from vacancy_flows.engines.kpoints import mesh
from vacancy_flows.engines.vasp.incar import BASE_INCAR
from vacancy_flows.engines.vasp.settings import VaspSettings
from vacancy_flows.errors import InputError
from vacancy_flows.schemas import MESH_LATTICE

_DIGITS = 4  # of a moment in INCAR, µB


@dataclass
class VacancySetGenerator(VaspInputGenerator):
    """What all input sets share; use a subclass.

    POSCAR has the sites of the structure in their order (atomate2's generator sorts nothing),
    so line i is site i; a mask in ``selective_dynamics`` goes with it. KPOINTS is a Γ-centred
    mesh of the settings' density. Nothing is inherited from an earlier INCAR, and neither
    smearing, spin nor k-points are chosen by a band gap.

    Every tag that is not VASP's default (default in brackets):

    - GGA = PE (POTCAR's): PBE by name, never the PBEsol of atomate2's base set
    - ENCUT, ISMEAR (1), SIGMA (0.2): the settings', for every calculation
    - PREC = Accurate (Normal), EDIFF = 1e-6 eV per cell (1e-4), LASPH = True (False), LREAL =
      False (the default): errors of forces well below 0.01 eV/Å, and the same EDIFF in a cell
      and in that cell less an atom
    - ISPIN = 2 (1), MAGMOM of every site: from the site property ``magmom``, never a default
    - ISYM = 0 (2): only k and -k are equivalent. A vacancy may lower its symmetry (Mn3+
      distorts), pristine and vacancy agree in it, and moments with it
    - LDAU, LDAUTYPE = 2, LDAUL (2 for d, 3 for f, -1 without U), LDAUU, LDAUJ = 0, LDAUPRINT =
      1: where the cell has an element with U (Dudarev et al., Phys. Rev. B 57, 1505 (1998))
    - LMAXMIX = 4 with an element beyond Ca, 6 beyond Ba (2): by pymatgen
    - NELM = 200 (60): antiferromagnets and +U are slow
    - LORBIT = 11 (none): moments in OUTCAR
    - ISTART = 0, ICHARG = 2 (1, 0 with a WAVECAR): moments start where they are set. Only with
      ``from_wavecar``, for a restart or a static of the same cell, 1 and 0
    - LWAVE, LCHARG = False (True): see the subclasses

    The settings' ``incar`` comes last.

    Parameters
    ----------
    settings
        Of the campaign; those of paper A by default.
    from_wavecar
        Whether to start from the WAVECAR in the folder, which must be of the same cell.
    """

    config_dict: dict[str, Any] = field(default_factory=dict)
    sort_structure: bool = False
    validate_magmom: bool = False  # it fills in 1 µB
    inherit_incar: bool | list[str] = False
    auto_ismear: bool = False
    auto_metal_kpoints: bool = False
    settings: VaspSettings = field(default_factory=VaspSettings)
    from_wavecar: bool = False

    def __post_init__(self) -> None:
        """Take POTCARs from the settings and everything else from the updates below."""
        self.config_dict = {
            "INCAR": {},
            "KPOINTS": {},
            "POTCAR": dict(self.settings.potcars),
            "POTCAR_FUNCTIONAL": self.settings.potcar_functional,
        }
        super().__post_init__()

    @classmethod
    def liu2022(cls) -> Self:
        """Return the set of paper A.

        Liu et al., Nature 606, 305 (2022): ENCUT = 520, LDAUU(Mn) = 4.2, spin, EDIFFG = -0.01,
        11×11×11 on the 12-atom cell of Li2MnO3 (points times volume at least 128 000 Å³ in
        any cell). Ours: ISMEAR = 0, SIGMA = 0.05; Li_sv, Mn_pv, Ni, Co, O.
        """
        return cls(settings=VaspSettings(preset="liu2022"))

    @classmethod
    def boundary(cls) -> Self:
        """Return the set of paper B.

        Domain boundaries of Li3NiCoMnO6: ENCUT = 353.6, ISMEAR = 0, SIGMA = 0.05, O_s (hence
        Li, Mn, Ni, Co), k-points of automatic length 30. Ours: LDAUU(Ni) = 6.2, LDAUU(Co) =
        3.32, LDAUU(Mn) = 3.9, spin; ``VaspSettings(preset="boundary", u="off")`` for plain PBE.
        """
        return cls(settings=VaspSettings(preset="boundary"))

    @property
    def incar_updates(self) -> dict[str, Any]:
        """Every tag of INCAR."""
        return {
            **BASE_INCAR,
            "ENCUT": self.settings.encut,
            "ISMEAR": self.settings.ismear,
            "SIGMA": self.settings.sigma,
            **self._moments(),
            **self._hubbard(),
            **self._start(),
            **self._task(),
            **self.settings.incar,
        }

    @property
    def kpoints_updates(self) -> Kpoints:
        """The mesh of the cell, or of the one it has to share its mesh with."""
        policy, cell = self.settings.kpoints, self.structure
        matrix = cell.properties.get(MESH_LATTICE, cell.lattice.matrix)
        return gamma(mesh(matrix, policy), str(policy))

    @property
    def potcar_symbols(self) -> list[str]:
        """POTCAR symbol of each block of POSCAR; `InputError` where none is chosen."""
        return [self.settings.potcar_of(symbol) for symbol in self.poscar.site_symbols]

    def _task(self) -> dict[str, Any]:
        """Return what one kind of calculation adds."""
        return {}

    def _start(self) -> dict[str, Any]:
        return {"ISTART": 1, "ICHARG": 0} if self.from_wavecar else {}

    def _moments(self) -> dict[str, Any]:
        """Return MAGMOM, or raise `InputError` where a site has no moment."""
        missing = [i for i, site in enumerate(self.structure) if not _has_moment(site)]
        if missing:
            names = [
                str(self.structure[i].properties.get("label", self.structure[i].specie.symbol))
                for i in missing[:5]
            ]
            raise InputError(
                f"{len(missing)} of {len(self.structure)} sites have no collinear moment "
                f"(first: {', '.join(names)}): every site needs one in `magmom`",
                key="magnetism",
            )
        return {
            "MAGMOM": [round(float(site.properties["magmom"]), _DIGITS) for site in self.structure]
        }

    def _hubbard(self) -> dict[str, Any]:
        """Return the tags of +U for the blocks of POSCAR, none where no element has a U."""
        blocks = self.poscar.site_symbols
        u = self.settings.u
        if not any(symbol in u for symbol in blocks):
            return {}
        return {
            "LDAU": True,
            "LDAUTYPE": 2,
            "LDAUL": [_shell(symbol) if symbol in u else -1 for symbol in blocks],
            "LDAUU": [u.get(symbol, 0.0) for symbol in blocks],
            "LDAUJ": [0.0] * len(blocks),
            "LDAUPRINT": 1,
        }


@dataclass
class VacancyRelaxSetGenerator(VacancySetGenerator):
    """Relaxation of a host (free cell), a strained host or a vacancy (fixed cell).

    Over `VacancySetGenerator`: IBRION = 2 (conjugate gradients), ISIF = 3 or 2, NSW =
    ``max_steps``, EDIFFG = -``fmax``, NELMIN = 5 (2; forces need it), LWAVE = True for a
    restart or a static of the same cell.

    Parameters
    ----------
    cell
        Whether the cell moves.
    fmax
        Largest force norm at convergence, eV/Å; paper A's by default.
    max_steps
        Ionic steps at most.
    """

    cell: Literal["free", "fixed"] = "fixed"
    fmax: float = 0.01
    max_steps: int = 500

    def _task(self) -> dict[str, Any]:
        return {
            "IBRION": 2,
            "ISIF": 3 if self.cell == "free" else 2,
            "NSW": self.max_steps,
            "EDIFFG": -self.fmax,
            "NELMIN": 5,
            "LWAVE": True,
        }


@dataclass
class VacancyStaticSetGenerator(VacancySetGenerator):
    """One energy with forces and stress, and the densities Bader needs.

    Over `VacancySetGenerator`: NSW = 0, and with the settings' ``bader`` LCHARG = LAECHG = True
    (False): AECCAR0 + AECCAR2 is the density whose basins count.
    """

    def _task(self) -> dict[str, Any]:
        return {"NSW": 0, "LCHARG": self.settings.bader, "LAECHG": self.settings.bader}


def gamma(counts: tuple[int, int, int], policy: str) -> Kpoints:
    """Return KPOINTS with a Γ-centred mesh; the policy stands in the comment."""
    return Kpoints.gamma_automatic(counts, comment=f"Gamma-centred, {policy}")


def _has_moment(site: Any) -> bool:
    try:
        return math.isfinite(float(site.properties["magmom"]))
    except (KeyError, TypeError, ValueError):
        return False


def _shell(symbol: str) -> int:
    """Return the angular momentum U acts on: 2 for d, 3 for f."""
    element = Element(symbol)
    return 3 if element.is_lanthanoid or element.is_actinoid else 2
