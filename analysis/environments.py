"""What surrounds a site: neighbours, bond lengths, boundary planes, and groups of like sites."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from pymatgen.core import Element, Structure

from vacancy_flows.analysis.neighbours import (
    Plane,
    bonds_of,
    known_index,
    label_index,
    plane_distances,
)
from vacancy_flows.structures.sites import COORDINATION_CUTOFF


@dataclass(frozen=True)
class BondLengths:
    """Mean, smallest and largest of some bond lengths, Å; NaN where there is no bond."""

    mean: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Environment:
    """The counter-ions around a site: cations around an anion, anions around a cation.

    Attributes
    ----------
    label
        Site label.
    species
        Element symbol.
    bonds
        For each neighbouring species the lengths of its bonds, Å, sorted.
    boundary_distance
        Distance to the nearest boundary plane, Å; None where no planes were given.
    """

    label: str
    species: str
    bonds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    boundary_distance: float | None = None

    @property
    def coordination(self) -> int:
        """Number of neighbours, periodic images counted."""
        return sum(len(lengths) for lengths in self.bonds.values())

    @property
    def neighbours(self) -> dict[str, int]:
        """Number of neighbours per species, in alphabetical order."""
        return {species: len(self.bonds[species]) for species in sorted(self.bonds)}

    @property
    def tm_neighbours(self) -> int:
        """Number of transition-metal neighbours."""
        return sum(n for s, n in self.neighbours.items() if Element(s).is_transition_metal)

    @property
    def li_neighbours(self) -> int:
        """Number of Li neighbours."""
        return self.neighbours.get("Li", 0)

    @property
    def key(self) -> str:
        """Species counts as text: "Li4 Mn2", or "isolated"."""
        return " ".join(f"{s}{n}" for s, n in self.neighbours.items()) or "isolated"

    def bond_lengths(self, species: str | None = None) -> BondLengths:
        """Return mean, smallest and largest length of the bonds to a species (None: to all)."""
        chosen = self.bonds.values() if species is None else [self.bonds.get(species, ())]
        lengths = [length for group in chosen for length in group]
        if not lengths:
            return BondLengths(np.nan, np.nan, np.nan)
        return BondLengths(float(np.mean(lengths)), min(lengths), max(lengths))


def environment_of(
    structure: Structure,
    label: str,
    cutoff: float = COORDINATION_CUTOFF,
    planes: Sequence[Plane] = (),
) -> Environment:
    """Describe the surroundings of one site; see `environments_of`.

    Parameters
    ----------
    structure, cutoff, planes
        As `environments_of`.
    label : str
        Site label.

    Returns
    -------
    Environment

    Raises
    ------
    ValueError
        As `environments_of`.
    """
    return environments_of(structure, [label], cutoff, planes)[0]


def environments_of(
    structure: Structure,
    labels: Sequence[str] | None = None,
    cutoff: float = COORDINATION_CUTOFF,
    planes: Sequence[Plane] = (),
) -> list[Environment]:
    """Describe the surroundings of the sites of a pristine cell.

    Parameters
    ----------
    structure : Structure
        Labelled structure (`prepare_host`), relaxed as it may be.
    labels : sequence of str, optional
        Site labels; None means every O.
    cutoff : float
        Counter-ions within this distance are neighbours, Å.
    planes : sequence of (normal, offset)
        Boundary planes, each spanned by two vectors of the cell and so repeated by the third.

    Returns
    -------
    list of Environment
        In the order of `labels`, or of the structure.

    Raises
    ------
    ValueError
        For an unknown label, a structure without labels, and a plane that no two cell vectors
        span.
    """
    index = label_index(structure)
    species = [site.specie.symbol for site in structure]
    if labels is None:
        labels = [label for label, i in index.items() if species[i] == "O"]
    sites = [known_index(index, label) for label in labels]
    around: list[dict[str, list[float]]] = [{} for _ in sites]
    bonds = bonds_of(structure, sites, cutoff)
    lengths = np.linalg.norm(bonds.vectors, axis=1)
    for centre, other, length in zip(bonds.centres, bonds.others, lengths, strict=True):
        around[centre].setdefault(species[other], []).append(float(length))
    distances = plane_distances(structure, sites, planes)
    return [
        Environment(
            label=label,
            species=species[i],
            bonds={name: tuple(sorted(found[name])) for name in sorted(found)},
            boundary_distance=distance,
        )
        for label, i, found, distance in zip(labels, sites, around, distances, strict=True)
    ]


def group_sites(
    environments: Iterable[Environment], bond_tolerance: float | None = None
) -> dict[str, list[str]]:
    """Group sites with like surroundings.

    Parameters
    ----------
    environments : iterable of Environment
        From `environments_of`.
    bond_tolerance : float, optional
        Å; sites whose sorted bond lengths to each species differ by more than this from those of
        a group's first site are not in that group. None compares species counts alone.

    Returns
    -------
    dict
        Key ("Li4 Mn2"; with a tolerance numbered, "Li4 Mn2 #1") to site labels, in the order
        given. Sites of different species never share a group: other than O begins the key.
    """
    groups: dict[str, list[str]] = {}
    firsts: dict[str, list[Environment]] = {}
    for environment in environments:
        prefix = "" if environment.species == "O" else f"{environment.species}: "
        key = prefix + environment.key
        if bond_tolerance is not None:
            leaders = firsts.setdefault(key, [])
            alike = (k for k, e in enumerate(leaders) if _alike(e, environment, bond_tolerance))
            number = next(alike, len(leaders))
            if number == len(leaders):
                leaders.append(environment)
            key = f"{key} #{number + 1}"
        groups.setdefault(key, []).append(environment.label)
    return groups


def environment_table(environments: Iterable[Environment]) -> pd.DataFrame:
    """Lay environments out as a table to be joined with the vacancies by `site`.

    Parameters
    ----------
    environments : iterable of Environment
        From `environments_of`.

    Returns
    -------
    pandas.DataFrame
        Columns site, species, environment (the key), coordination, tm_neighbours, li_neighbours,
        bond_mean_A, bond_min_A, bond_max_A, boundary_distance_A, and for each neighbouring
        species X the columns n_X and bond_X_mean_A (NaN where a site has none).
    """
    found = list(environments)
    others: list[str] = sorted({name for one in found for name in one.bonds})
    rows = [_row(environment, others) for environment in found]
    return pd.DataFrame(rows, columns=list(_row(Environment("", "O"), others)))


def _row(environment: Environment, others: Iterable[str]) -> dict[str, object]:
    """One row of `environment_table`."""
    bond, distance = environment.bond_lengths(), environment.boundary_distance
    row: dict[str, object] = {
        "site": environment.label,
        "species": environment.species,
        "environment": environment.key,
        "coordination": environment.coordination,
        "tm_neighbours": environment.tm_neighbours,
        "li_neighbours": environment.li_neighbours,
        "bond_mean_A": bond.mean,
        "bond_min_A": bond.minimum,
        "bond_max_A": bond.maximum,
        "boundary_distance_A": np.nan if distance is None else distance,
    }
    for name in others:
        row[f"n_{name}"] = len(environment.bonds.get(name, ()))
        row[f"bond_{name}_mean_A"] = environment.bond_lengths(name).mean
    return row


def _alike(first: Environment, second: Environment, tolerance: float) -> bool:
    """Whether two environments of one key have the same bond lengths within a tolerance."""
    return all(
        np.allclose(first.bonds[name], second.bonds[name], rtol=0, atol=tolerance)
        for name in first.bonds
    )
