"""Whether a relaxation moved the vacancy: made-up relaxations, no energies."""

import numpy as np
import pytest

from vacancy_flows.structures import with_geometry
from vacancy_flows.structures.vacant import empty_sites, vacancy_move, with_vacancy

LABEL = "O-8j-1"


def moved(structure, steps, lattice=None):
    """The structure with some atoms (index to Å) displaced."""
    positions = structure.cart_coords.copy()
    for index, step in steps.items():
        positions[index] += step
    fractional = positions @ np.linalg.inv(structure.lattice.matrix)
    matrix = structure.lattice.matrix if lattice is None else lattice
    return with_geometry(structure, matrix, fractional)


def place(host, label=LABEL):
    return host.site_properties["label"].index(label)


def towards(host, before, index, share):
    """Part of the way of an atom to the vacant site, Å."""
    home = host.cart_coords[place(host)]
    own = before.cart_coords[index]
    _, image = before.lattice.get_distance_and_image(
        before.frac_coords[index], host.frac_coords[place(host)]
    )
    return share * (home + image @ before.lattice.matrix - own)


def nearest_oxygen(host, before):
    distances = before.lattice.get_all_distances(
        [host.frac_coords[place(host)]], before.frac_coords
    )[0]
    oxygen = [site.specie.symbol == "O" for site in before]
    return int(np.argmin(np.where(oxygen, distances, np.inf)))


def test_a_vacancy_that_stays(host24):
    before = with_vacancy(host24, LABEL)
    noise = np.random.default_rng(0).normal(0, 0.1, (len(before), 3))
    after = moved(before, dict(enumerate(noise)), 1.05 * before.lattice.matrix)
    assert empty_sites(before, after) == [LABEL]
    assert vacancy_move(before, after) == ""


@pytest.mark.parametrize(("share", "hops"), [(0.45, False), (0.55, True), (1.0, True)])
def test_an_oxygen_that_comes_nearer_to_the_vacant_site_than_to_its_own(host24, share, hops):
    before = with_vacancy(host24, LABEL)
    i = nearest_oxygen(host24, before)
    after = moved(before, {i: towards(host24, before, i, share)})
    own = before.site_properties["label"][i]
    assert empty_sites(before, after) == ([own] if hops else [LABEL])
    assert (f"moved from {LABEL} to {own}" in vacancy_move(before, after)) is hops


def test_a_chain_of_hops_ends_where_the_last_atom_came_from(host24):
    before = with_vacancy(host24, LABEL)
    first = nearest_oxygen(host24, before)
    onto_first = before.lattice.get_all_distances([before.frac_coords[first]], before.frac_coords)[
        0
    ]
    others = [
        i
        for i, site in enumerate(before)
        if site.specie.symbol == "O" and i != first and onto_first[i] < 4
    ]
    second = others[0]
    _, image = before.lattice.get_distance_and_image(
        before.frac_coords[second], before.frac_coords[first]
    )
    step = before.cart_coords[first] + image @ before.lattice.matrix - before.cart_coords[second]
    after = moved(before, {first: towards(host24, before, first, 1.0), second: step})
    assert empty_sites(before, after) == [before.site_properties["label"][second]]


def test_a_common_drift_and_steps_over_the_edge_are_no_hops(host24):
    before = with_vacancy(host24, LABEL)
    after = moved(before, dict.fromkeys(range(len(before)), np.array([1.6, 0.3, -2.0])))
    wrapped = with_geometry(after, after.lattice.matrix, after.frac_coords % 1.0)
    assert empty_sites(before, after) == empty_sites(before, wrapped) == [LABEL]


def test_cations_that_move_into_the_vacancy_are_not_oxygen(host24):
    before = with_vacancy(host24, LABEL)
    lithium = next(i for i, site in enumerate(before) if site.specie.symbol == "Li")
    after = moved(before, {lithium: towards(host24, before, lithium, 1.0)})
    assert empty_sites(before, after) == [LABEL]


def test_without_a_vacancy_there_is_nothing_to_ask(host24):
    with pytest.raises(ValueError, match="with_vacancy"):
        empty_sites(host24, host24)
