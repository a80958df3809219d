"""Input sets of the references O2, Li and Li2O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.io.vasp.inputs import Kpoints

from vacancy_flows.engines.base import ReferenceKind
from vacancy_flows.engines.kpoints import KPoints, mesh
from vacancy_flows.engines.vasp.sets import VacancyRelaxSetGenerator, gamma
from vacancy_flows.errors import InputError

_LI_METAL = KPoints(length=60.0)  # 24×24×24 on bcc Li: its Fermi surface with 0.05 eV


@dataclass
class ReferenceSetGenerator(VacancyRelaxSetGenerator):
    """Relaxation of O2, Li or Li2O at the hosts' cutoff, precision, smearing and POTCARs.

    Their k-points, spin and symmetry are their own. Over `VacancyRelaxSetGenerator`:

    - O2: the triplet in its box, NUPDOWN = 2, MAGMOM = 1 µB per atom, ISYM = 0, Γ alone
    - Li: ISPIN = 1, ISYM = 2, the same smearing as the hosts on a mesh that is at least VASP's
      automatic length 60, because a metal's energy with 0.05 eV needs it
    - Li2O: ISPIN = 1, ISYM = 2, k-points of the settings

    None of them has a U.

    Parameters
    ----------
    kind
        ``O2``, ``Li`` or ``Li2O``.
    """

    kind: ReferenceKind = "O2"

    @property
    def kpoints_updates(self) -> Kpoints:
        """The mesh of the reference."""
        if self.kind == "O2":
            return gamma((1, 1, 1), "a molecule")
        policy, matrix = self.settings.kpoints, self.structure.lattice.matrix
        counts = mesh(matrix, policy)
        if self.kind != "Li":
            return gamma(counts, str(policy))
        first, second, third = np.maximum(counts, mesh(matrix, _LI_METAL)).tolist()
        return gamma((first, second, third), f"{policy}, at least {_LI_METAL}")

    @property
    def incar_updates(self) -> dict[str, Any]:
        """Every tag of INCAR; symmetry is not the user's here."""
        return {**super().incar_updates, "ISYM": 0 if self.kind == "O2" else 2}

    def _moments(self) -> dict[str, Any]:
        if self.structure.composition.reduced_formula != self.kind:
            raise InputError(f"{self.structure.formula} is no cell of the reference {self.kind}")
        if self.kind == "O2":
            return {"MAGMOM": [1.0] * len(self.structure), "NUPDOWN": len(self.structure)}
        return {"ISPIN": 1}
