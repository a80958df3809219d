"""The protocol every engine fills: engine-specific knowledge, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, runtime_checkable

from jobflow import Maker
from pymatgen.core import Lattice, Structure

ReferenceKind = Literal["O2", "Li", "Li2O"]
REFERENCE_KINDS: tuple[ReferenceKind, ...] = ("O2", "Li", "Li2O")


@dataclass(frozen=True)
class ReferenceCell:
    """A reference calculation: what to relax, and how many units its energy stands for.

    Attributes
    ----------
    structure
        Starting cell.
    cell
        ``fixed`` for a molecule in a box, ``free`` for a crystal.
    units
        O2 molecules, Li atoms or Li2O formula units in the cell.
    """

    structure: Structure
    cell: Literal["free", "fixed"]
    units: int


@runtime_checkable
class Engine(Protocol):
    """What the rest of the project needs to know of a code or a potential.

    The Makers it returns take ``make(structure, prev_dir=None)`` and give a job or a flow
    whose output is a `vacancy_flows.schemas.Result`. A mask of free atoms travels on the
    structure as ``selective_dynamics``, initial moments as ``magmom``.

    Attributes
    ----------
    name
        The word a campaign file uses.
    energy_scale
        ``mp2020``, ``r2scan``, ``pbe`` or ``pbe+u``: energies of two scales never mix.
    uses_moments
        Whether initial moments change a result.
    leaves_files
        Whether its jobs leave files that people keep and that a restart goes on from.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def energy_scale(self) -> str: ...  # noqa: D102

    @property
    def uses_moments(self) -> bool: ...  # noqa: D102

    @property
    def leaves_files(self) -> bool: ...  # noqa: D102

    def check(self, elements: Iterable[str] = ()) -> None:
        """Raise `InputError` where this machine cannot run the engine.

        Parameters
        ----------
        elements
            Symbols of what is to be calculated, beyond those of the references.
        """
        ...

    def fingerprint(self) -> dict[str, Any]:
        """Return the settings that matter to an energy; part of every uid."""
        ...

    def effort(self) -> dict[str, Any]:
        """Return settings that help to converge and leave a converged energy as it is.

        They are no part of a uid; where they change, what did not converge is tried again.
        """
        ...

    def relax_maker(
        self, cell: Literal["free", "fixed"], fmax: float, max_steps: int, name: str = "relax"
    ) -> Maker:
        """Return a Maker that relaxes ions (fixed) or ions and cell (free).

        Parameters
        ----------
        cell
            Whether the cell moves.
        fmax
            Largest force norm on a free atom at convergence, eV/Å.
        max_steps
            Ionic steps at most.
        name
            Of the job.
        """
        ...

    def static_maker(self, name: str = "static") -> Maker:
        """Return a Maker for one energy with forces and stress."""
        ...

    def reference(self, kind: ReferenceKind) -> ReferenceCell:
        """Return the cell of a reference."""
        ...

    def seconds(self, n_atoms: int, kind: str) -> float | None:
        """Return a rough cost on one core in seconds, None where unknown."""
        ...


def default_reference(kind: ReferenceKind) -> ReferenceCell:
    """Return O2 in a box, bcc Li or antifluorite Li2O.

    O2: 8 × 8.1 × 8.2 Å, experimental bond 1.207 Å (Huber and Herzberg 1979); Li: bcc,
    a = 3.51 Å; Li2O: antifluorite, a = 4.62 Å. All are relaxed by the engine, so the
    numbers are starts only.
    """
    cell: Literal["free", "fixed"] = "fixed" if kind == "O2" else "free"
    return ReferenceCell(_reference_structure(kind).copy(), cell, 1)


@cache  # space groups take half a second
def _reference_structure(kind: ReferenceKind) -> Structure:
    if kind == "O2":
        box = Lattice.orthorhombic(8.0, 8.1, 8.2)
        return Structure(box, ["O", "O"], [[0, 0, 0], [0, 0, 1.207]], coords_are_cartesian=True)
    if kind == "Li":
        cell = Structure.from_spacegroup("Im-3m", Lattice.cubic(3.51), ["Li"], [[0, 0, 0]])
        return cell.get_primitive_structure()
    sites = [[0.25, 0.25, 0.25], [0, 0, 0]]
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.62), ["Li", "O"], sites)
    return cell.get_primitive_structure()
