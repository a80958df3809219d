"""Boundaries between crystal grains: matches, bicrystals, mirror twins, and where sites stand."""

from vacancy_flows.structures.boundaries.bicrystal import Placement, bicrystal, relaxed_apart
from vacancy_flows.structures.boundaries.equal import boundaries_are_equal
from vacancy_flows.structures.boundaries.intact import damage, grain_cores
from vacancy_flows.structures.boundaries.match import (
    Limits,
    Match,
    Orientation,
    Side,
    ingrained_orientation,
)
from vacancy_flows.structures.boundaries.matches import find_matches, match_table
from vacancy_flows.structures.boundaries.overlap import closest
from vacancy_flows.structures.boundaries.presets import PRESETS, preset_boundary, segregation
from vacancy_flows.structures.boundaries.profile import BoundaryProfile, boundary_profiles
from vacancy_flows.structures.boundaries.reading import layer_angle, layer_normal, misorientation
from vacancy_flows.structures.boundaries.search import bicrystals, search_placements
from vacancy_flows.structures.boundaries.sites import (
    boundary_planes,
    free_labels,
    nearest_boundary,
    plane_distances,
    positions_along_b,
    region_labels,
    site_sets,
)
from vacancy_flows.structures.boundaries.twin import twins

__all__ = [
    "PRESETS",
    "BoundaryProfile",
    "Limits",
    "Match",
    "Orientation",
    "Placement",
    "Side",
    "bicrystal",
    "bicrystals",
    "boundaries_are_equal",
    "boundary_planes",
    "boundary_profiles",
    "closest",
    "damage",
    "find_matches",
    "free_labels",
    "grain_cores",
    "ingrained_orientation",
    "layer_angle",
    "layer_normal",
    "match_table",
    "misorientation",
    "nearest_boundary",
    "plane_distances",
    "positions_along_b",
    "preset_boundary",
    "region_labels",
    "relaxed_apart",
    "search_placements",
    "segregation",
    "site_sets",
    "twins",
]
