"""One host of a campaign, resolved: root, orderings, strains, sites, relaxation."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pymatgen.core import Structure

from vacancy_flows.campaign_blocks import Delithiation, Relax
from vacancy_flows.identity import rounded, uid
from vacancy_flows.schemas import Calculation, Record
from vacancy_flows.structures import conventional_axes, deformation_gradient

_PRERELAX_FMAX = 0.05  # eV/Å; what is left is the other engine's error anyway


class StrainPoint(BaseModel):
    """A strained cell: a mode with a value, or ``custom`` with a 3×3 deformation gradient."""

    model_config = ConfigDict(frozen=True)

    mode: str = "none"
    value: float | None = 0.0
    gradient: list[list[float]] | None = None

    def gradient_on(self, structure: Structure) -> list[list[float]]:
        """Return F (3 × 3) for the axes of a structure."""
        return self._gradient(conventional_axes(structure))

    def gradient_on_root(self, root: Structure) -> list[list[float]]:
        """Return F for the axes of a built cell to 1e-4 Å: what enters a uid."""
        return self._gradient(np.round(conventional_axes(root), 4))

    def _gradient(self, axes: np.ndarray) -> list[list[float]]:
        if self.gradient is not None:
            return self.gradient
        if self.mode == "none" or self.value is None:
            return [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
        gradient: list[list[float]] = deformation_gradient(axes, self.mode, self.value).tolist()
        return gradient


class HostPlan(BaseModel):
    """Everything that is to be done to one host, resolved: no file is read later.

    Attributes
    ----------
    root
        Built, symmetrised and labelled; with ``magmom`` where the engine uses moments.
    reference_uids
        ``O2``, ``Li``, ``Li2O`` → uid; empty with a user's mu_O.
    labels
        Sites that become vacant; all O where None.
    free
        Labels of the atoms that move where the cell is fixed; all where None.
    magnetic_starts
        Number of ways to place a vacancy's electrons that are tried.
    """

    campaign: str = ""
    host: str
    root: Structure
    root_uid: str
    delithiate: Delithiation | None = None
    strains: list[StrainPoint] = Field(default_factory=lambda: [StrainPoint()])
    labels: list[str] | None = None
    free: list[str] | None = None
    relax: Relax = Relax()
    magnetic_starts: int = 1
    fingerprint: dict[str, Any]
    reference_uids: dict[str, str] = Field(default_factory=dict)

    def calculation(
        self,
        kind: str,
        parent: str,
        operation: dict[str, Any],
        structure: Structure,
        cell: str,
        **description: Any,
    ) -> Calculation:
        """Return a calculation of this host with its uid."""
        relax = {"cell": cell, "fmax": self.relax.fmax, "max_steps": self.relax.max_steps}
        operation = {**operation, "relax": relax}
        structure = structure.copy()
        structure.properties["host_atoms"] = len(self.root)  # for policies of pairs, see gpaw
        if self.free is not None:
            if cell == "fixed":
                moving, labels = set(self.free), structure.site_properties["label"]
                operation["free"] = sorted(moving.intersection(labels))
                mask = [[label in moving] * 3 for label in labels]
                structure.add_site_property("selective_dynamics", mask)
            elif "selective_dynamics" in structure.site_properties:
                structure.remove_site_property("selective_dynamics")
        return Calculation.model_validate(
            {
                "uid": uid(parent, operation, self.fingerprint),
                "kind": kind,
                "parent_uid": parent,
                "operation": operation,
                "structure": structure,
                "cell": cell,
                "fmax": self.relax.fmax,
                "max_steps": self.relax.max_steps,
                "campaign": self.campaign,
                "host": self.host,
                "n_atoms": len(structure),
                **description,
            }
        )

    def named(self, record: Record, ordering: int | None, energy: float | None) -> Record:
        """Return a record under the names that this host gives it.

        Parameters
        ----------
        record
            Of this host or of one that shares the calculation.
        ordering, energy
            Rank of its ordering, and eV per cell above the lowest.
        """
        update = {
            "campaign": self.campaign,
            "host": self.host,
            "ordering": ordering,
            "ordering_energy": energy,
            "reference_uids": self.reference_uids,
        }
        return record.described_by(record.calculation.model_copy(update=update))

    def prerelaxation(self) -> dict[str, Any]:
        """Return the part of an operation that says which engine relaxes a cell before ours."""
        engine = self.relax.prerelax
        return {} if engine is None else {"prerelax": {"engine": engine, "fmax": _PRERELAX_FMAX}}


def initial_moments_operation(structure: Structure) -> dict[str, Any]:
    """Return the part of an operation that names initial moments (µB, by label), if any."""
    moments = structure.site_properties.get("initial_magmom")
    if not moments:
        return {}
    labels = structure.site_properties["label"]
    return {"moments": dict(sorted(zip(labels, rounded(moments, 4), strict=True)))}
