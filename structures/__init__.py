"""Geometry of hosts: symmetry, orderings, strain, oxygen sites and moments."""

from vacancy_flows.structures.geometry import conventional_axes, with_geometry
from vacancy_flows.structures.hosts import BUILT_IN_HOSTS, built_in_host
from vacancy_flows.structures.moments import initial_moments, oxidation_states
from vacancy_flows.structures.ordering import (
    Removal,
    count_removals,
    distinct_removals,
    electrostatic_energies,
    lowest,
    removal_count,
    remove_labels,
)
from vacancy_flows.structures.prepare import prepare_host, supercell_matrix
from vacancy_flows.structures.sites import (
    COORDINATION_CUTOFF,
    SiteClass,
    select_classes,
    site_classes,
)
from vacancy_flows.structures.strain import MAX_STRAIN, MODES, deform, deformation_gradient
from vacancy_flows.structures.symmetry import SYMPREC, symmetrise

__all__ = [
    "BUILT_IN_HOSTS",
    "COORDINATION_CUTOFF",
    "MAX_STRAIN",
    "MODES",
    "SYMPREC",
    "Removal",
    "SiteClass",
    "built_in_host",
    "conventional_axes",
    "count_removals",
    "deform",
    "deformation_gradient",
    "distinct_removals",
    "electrostatic_energies",
    "initial_moments",
    "lowest",
    "oxidation_states",
    "prepare_host",
    "removal_count",
    "remove_labels",
    "select_classes",
    "site_classes",
    "supercell_matrix",
    "symmetrise",
    "with_geometry",
]
