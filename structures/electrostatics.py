"""Ewald energies of orderings, to choose candidates where there are too many to relax."""

from collections.abc import Mapping, Sequence

import numpy as np
from pymatgen.analysis.ewald import EwaldSummation
from pymatgen.core import Species, Structure

from vacancy_flows.structures.names import label_indices, site_labels


def removal_energies(
    structure: Structure,
    removals: Sequence[Sequence[str]],
    oxidation_states: Mapping[str, float],
    species: str = "Li",
) -> np.ndarray:
    """Ewald energies of cells with sites taken out, point charges at fixed positions.

    E = q·M·q with the Ewald matrix M of unit charges, which is computed once. The charge that
    leaves is made up for by raising the charges of the transition metals (where there are none,
    of the cations of the highest state) other than `species`, all by the same amount.

    Parameters
    ----------
    structure
        Labelled structure before removal, N sites.
    removals
        Labels of the sites taken out, R times.
    oxidation_states
        State per element symbol; the cell must be neutral.
    species
        Element that is removed.

    Returns
    -------
    numpy.ndarray
        (R,), eV per cell; equal to the Ewald sum of each explicit cell.

    Raises
    ------
    ValueError
        For missing states, a charged cell, and where no cation can take the charge.
    """
    symbols = np.array([site.specie.symbol for site in structure])
    missing = set(symbols) - set(oxidation_states)
    if missing:
        raise ValueError(f"Oxidation states are missing for {', '.join(sorted(missing))}.")
    charges = np.array([float(oxidation_states[symbol]) for symbol in symbols])
    if abs(charges.sum()) > 1e-4:
        raise ValueError(
            f"The cell has charge {charges.sum():+.4g}: give oxidation states that sum to zero."
        )
    taking = np.isin(symbols, _compensating(structure, oxidation_states, species))
    index = {label: i for i, label in enumerate(site_labels(structure))}
    matrix = ewald_matrix(structure)
    energies = np.empty(len(removals))
    for r, removal in enumerate(removals):
        removed = label_indices(index, removal)
        q = charges.copy()
        q[taking] += charges[removed].sum() / taking.sum()
        q[removed] = 0.0
        energies[r] = q @ matrix @ q
    return energies


def ewald_matrix(structure: Structure) -> np.ndarray:
    """Interactions of unit charges on all sites, (N, N) in eV per squared elementary charge.

    Only sums over neutral sets of charges have a meaning.
    """
    ions = Structure(
        structure.lattice,
        [Species(site.specie.symbol, 1) for site in structure],
        structure.frac_coords,
    )
    matrix: np.ndarray = EwaldSummation(ions).total_energy_matrix
    return matrix


def _compensating(
    structure: Structure, oxidation_states: Mapping[str, float], species: str
) -> list[str]:
    """Elements that take up the charge of the sites removed."""
    elements = structure.composition.element_composition.elements
    others = {str(el): el for el in elements if str(el) != species}
    metals = [symbol for symbol, el in others.items() if el.is_transition_metal]
    cations = {symbol: oxidation_states[symbol] for symbol in others}
    highest = max(cations.values(), default=0.0)
    if not metals and highest <= 0:
        raise ValueError(f"No cation can take up the charge of the {species} that leaves.")
    return metals or [symbol for symbol, state in cations.items() if state == highest]
