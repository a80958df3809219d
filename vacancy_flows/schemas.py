"""What is calculated, what came out, and both together as it is stored.

Units and signs are fixed for every engine: energies in eV per cell (E for sigma → 0 where
there is smearing), forces in eV/Å, stress in eV/Å³ with ASE's sign (σ = +(1/V) dE/dε),
moments in µB, times in seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field
from pymatgen.core import Structure

from vacancy_flows.identity import RECORD_FORMAT

ELECTRONS = "electrons not converged"
"""What `Result.reason` says where self-consistency was not reached."""

MESH_LATTICE = "mesh_lattice"
"""Of a structure's properties: the lattice (3, 3) in Å that its k-mesh follows from."""

FLAG = "flagged: "
"""What ``reason`` begins with where a vacancy's partners were made otherwise."""
AGAIN = "`vacancy-flows submit` tries it again with the settings of now"
"""The remedy where settings that help to converge have changed since."""

_CONSEQUENCES = {
    "reference": "no E_f is converged without it",
    "host": "what depends on it was not started",
    "pristine": "what depends on it was not started",
    "candidate": "it takes no part in the ranking",
    "vacancy": "its row is marked",
}

Kind = Literal["vacancy", "pristine", "host", "candidate", "reference"]
Cell = Literal["free", "fixed", "free-fixed"]


class Calculation(BaseModel):
    """One calculation before it runs: a structure and what to do with it.

    ``cell`` is ``free`` (cell and ions), ``fixed`` (ions), or ``free-fixed`` (a free-cell
    relaxation ended by a fixed-cell one, whose energy counts). Everything below
    ``max_steps`` only describes; it does not change the calculation. ``net_charge`` (e) is
    that of the site removed, in the pristine cell.
    """

    uid: str
    kind: Kind
    parent_uid: str | None
    operation: dict[str, Any]
    structure: Structure
    cell: Cell
    fmax: float
    max_steps: int
    campaign: str = ""
    host: str = ""
    n_atoms: int
    strain_mode: str | None = None
    strain: float | None = None
    site: str | None = None
    wyckoff: str | None = None
    multiplicity: int | None = None
    coordination: int | None = None
    removed_element: str | None = None
    net_charge: float | None = None
    ordering: int | None = None
    ordering_energy: float | None = None
    pristine_uid: str | None = None
    reference_uids: dict[str, str] = Field(default_factory=dict)
    reference_kind: str | None = None

    @property
    def title(self) -> str:
        """A line that says what this is, for progress and messages."""
        parts = [self.kind, self.host or self.reference_kind or ""]
        if self.operation.get("remove"):
            parts.append("without " + " ".join(self.operation["remove"]))
        elif self.ordering:
            parts.append(f"(ordering {self.ordering})")
        if self.strain_mode == "none":
            parts.append("unstrained")
        elif self.strain_mode and self.strain is not None:
            parts.append(f"{self.strain_mode} {100 * self.strain:+g} %")
        return " ".join([*parts, self.site or ""]).strip()


class Result(BaseModel):
    """What an engine returns, whatever the engine.

    Attributes
    ----------
    structure
        Final geometry, with the site properties of the input.
    energy
        Per cell, eV.
    forces
        Shape (n_atoms, 3), eV/Å, before any constraint.
    stress
        Shape (3, 3), eV/Å³, ASE's sign.
    moments
        Shape (n_atoms,), µB, or None where the engine knows none.
    charges
        Bader net charges, e, shape (n_atoms,), positive where electrons are missing; None
        where there is no charge density. ``provenance`` names the method.
    max_force
        Largest force norm on a free atom, eV/Å.
    converged, reason
        Whether the relaxation met its criteria, and why it stopped.
    n_steps
        Ionic steps taken.
    force_calls
        Evaluations of energy and forces, line searches included; None where not counted.
    provenance
        Code versions, model or potential files: what is reported, not what identifies.
    """

    structure: Structure
    energy: float
    forces: list[list[float]]
    stress: list[list[float]] | None = None
    moments: list[float] | None = None
    charges: list[float] | None = None
    max_force: float
    converged: bool
    reason: str
    n_steps: int = 0
    force_calls: int | None = None
    wall_s: float = 0.0
    cpu_s: float = 0.0
    provenance: dict[str, Any] = Field(default_factory=dict)


class Record(BaseModel):
    """A finished calculation as it is stored: description, result and engine.

    ``choice`` holds what was decided on the result and must not be decided again
    differently: the classes of oxygen sites of a pristine cell. ``effort`` is the engine's.
    """

    calculation: Calculation
    result: Result
    engine: str
    energy_scale: str
    fingerprint: dict[str, Any]
    choice: dict[str, Any] = Field(default_factory=dict)
    effort: dict[str, Any] = Field(default_factory=dict)
    format: int = RECORD_FORMAT
    created: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def uid(self) -> str:
        """Identity of the calculation."""
        return self.calculation.uid

    @property
    def structure(self) -> Structure:
        """Final geometry."""
        return self.result.structure

    @property
    def remedy(self) -> str:
        """What to do where it did not converge."""
        return remedy(self.result.reason, damaged=bool(self.choice.get("damage")))

    def is_to_be_tried_again(self, effort: dict[str, Any]) -> bool:
        """Tell whether it did not converge, and the engine's effort has changed since."""
        return not self.result.converged and self.effort != effort

    def shortfall(self, effort: dict[str, Any]) -> str:
        """Say that it did not converge, what that entails, and what to do.

        Parameters
        ----------
        effort
            Of the engine that would try it again.
        """
        again = self.is_to_be_tried_again(effort)
        return shortfall(self.calculation.kind, self.result.reason, AGAIN if again else self.remedy)

    @property
    def notes(self) -> str:
        """What a reader of the row must know beyond `Result.reason`; empty where nothing."""
        provenance, found = self.result.provenance, []
        if provenance.get("restarted"):
            found.append("went on after it broke off")
        if provenance.get("changed_tags"):
            found.append("custodian changed " + " ".join(provenance["changed_tags"]))
        if self.result.charges is None and provenance.get("bader"):
            found.append(f"no net charges: {provenance['bader']}")
        if self.choice.get("magnetic_state", {}).get("expected") is False:
            found.append("magnetic state not as expected")
        return "; ".join(found)

    def described_by(self, calculation: Calculation) -> Record:
        """Return the same record under the names that a campaign gives its calculation."""
        names = ("campaign", "host", "ordering", "ordering_energy", "reference_uids")
        update = {name: getattr(calculation, name) for name in names}
        return self.model_copy(update={"calculation": self.calculation.model_copy(update=update)})


def remedy(reason: str, *, damaged: bool = False) -> str:
    """Return what to do about a calculation that did not converge.

    Parameters
    ----------
    reason
        See `Result`.
    damaged
        Whether the relaxation made something else of its cell.
    """
    if damaged:
        return "look at its cell"
    if reason.startswith(FLAG):
        return "calculate it and its partners alike: with one version, into one JobStore"
    if ELECTRONS in reason:
        return (
            "set ALGO (All, Damped), NELM or the mixing (AMIX, BMIX, AMIX_MAG, BMIX_MAG) in "
            "settings.incar: it is then tried again"
        )
    return "raise relax.max_steps"


def shortfall(kind: str, reason: str, what_to_do: str) -> str:
    """Say that a calculation did not converge, what that entails, and what to do."""
    return f"not converged ({reason}); {_CONSEQUENCES[kind]}; {what_to_do}"


def largest_force(forces: np.ndarray, free: np.ndarray | None = None) -> float:
    """Return the largest norm of a force, eV/Å.

    Parameters
    ----------
    forces
        Shape (n_atoms, 3), eV/Å.
    free
        Shape (n_atoms,) or (n_atoms, 3), True where an atom (or a component) may move;
        None where all may.
    """
    forces = np.asarray(forces, dtype=float)
    if free is not None:
        mask = np.asarray(free, dtype=bool)
        forces = forces * (mask[:, None] if mask.ndim == 1 else mask)
    return float(np.linalg.norm(forces, axis=1).max()) if len(forces) else 0.0
