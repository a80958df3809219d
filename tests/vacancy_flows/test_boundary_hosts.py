"""Boundaries as hosts of a campaign: plans only, nothing is relaxed."""

import numpy as np
import pytest

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.plan import after, site_classes_of, start
from vacancy_flows.planning import expected_calculations, expected_orderings, plan_hosts
from vacancy_flows.records import make_record
from vacancy_flows.schemas import Result
from vacancy_flows.structures import with_geometry
from vacancy_flows.structures.boundaries import layer_angle, plane_distances, region_labels

TWIN = {"boundary": "twin_104"}
LITHIATED = {"name": "L", "structure": TWIN, "sites": {"within": 1.0, "boundary": 1}}
DELITHIATED = {
    "name": "D",
    "structure": TWIN,
    "delithiate": {"fraction": 0.875},
    "sites": {"within": 1.0},
    "relax": {"free_within": 4.0},
}


@pytest.fixture(scope="module")
def plan_of(tools, tmp_path_factory, chgnet):
    """Plan one host of its own campaign."""

    def make(host):
        path = tmp_path_factory.mktemp("boundary") / "campaign.yaml"
        content = {"name": "boundary", "engine": "chgnet", "hosts": [host]}
        (plan,) = plan_hosts(load_campaign(tools.write(path, content)), chgnet)
        return plan

    return make


def finished(calculation, engine, relaxed=None):
    """A record of a calculation, its cell left as it was or as given; energies are invented."""
    n = len(calculation.structure)
    result = Result(
        structure=relaxed or calculation.structure,
        energy=-1.0,
        forces=[[0.0] * 3] * n,
        max_force=0.0,
        converged=True,
        reason="invented",
    )
    return make_record(calculation, result, engine)


def test_only_sites_near_one_boundary_become_vacant(plan_of, chgnet):
    plan = plan_of(LITHIATED)
    (host,) = start(plan)
    assert host.cell == "free"
    assert "selective_dynamics" not in host.structure.site_properties
    (pristine,) = after(plan, finished(host, chgnet))
    record = finished(pristine, chgnet)
    vacancies = after(plan, record)
    near = set(region_labels(pristine.structure, 1.0, 1, "O"))
    assert len(near) == 6
    # a class bears its first member's label, which a mirror may put at the other boundary
    members = {found.label: set(found.members) for found in site_classes_of(record)}
    chosen = [members[c.site] for c in vacancies]
    assert all(found & near for found in chosen)
    assert near <= set().union(*chosen)
    assert expected_calculations(plan)["vacancy"] == len(vacancies)


def test_a_delithiated_boundary_keeps_its_cell_and_what_lies_far_away(plan_of, chgnet):
    plan = plan_of(DELITHIATED)
    (lithiated,) = start(plan)
    assert lithiated.cell == "free"
    (host,) = after(plan, finished(lithiated, chgnet))
    assert (host.kind, host.cell, host.ordering) == ("host", "fixed", 0)
    assert host.structure.composition["Li"] == 3
    assert host.structure.properties["delithiation"]["proved"] is True
    (pristine,) = after(plan, finished(host, chgnet))
    vacancy = after(plan, finished(pristine, chgnet))[0]
    for calculation in (host, pristine, vacancy):
        structure = calculation.structure
        labels = structure.site_properties["label"]
        free = {
            label
            for label, mask in zip(
                labels, structure.site_properties["selective_dynamics"], strict=True
            )
            if all(mask)
        }
        assert free == set(calculation.operation["free"])
        assert 0 < len(free) < len(structure)
    distances = plane_distances(plan.root)
    labels = plan.root.site_properties["label"]
    near = {label for label, d in zip(labels, distances, strict=True) if d <= 4.0}
    assert set(host.operation["free"]) == near & set(host.structure.site_properties["label"])
    assert set(pristine.operation["free"]) - set(vacancy.operation["free"]) == {vacancy.site}


def test_a_relaxation_that_tears_the_cell_apart_is_not_converged(plan_of, chgnet):
    (host,) = start(plan_of(LITHIATED))
    assert finished(host, chgnet).result.converged
    lattice = host.structure.lattice.matrix.copy()
    lattice[2, 2] += 3.0
    torn = with_geometry(
        host.structure, lattice, host.structure.cart_coords @ np.linalg.inv(lattice)
    )
    result = finished(host, chgnet, torn).result
    assert not result.converged
    assert "the cell came apart" in result.reason


def test_an_estimate_needs_no_search_and_counts_the_same(plan_of):
    plan = plan_of({**DELITHIATED, "delithiate": {"fraction": 0.875, "keep": 2}})
    guessed = expected_orderings(plan)
    assert len(guessed) == 2
    assert all(c.structure.composition["Li"] == 3 for c in guessed)


def test_identity_follows_from_the_builder_and_not_from_its_numerics(plan_of):
    thicker = plan_of({"name": "T", "structure": {**TWIN, "thickness": 12.0}})
    twin = plan_of({"name": "T", "structure": TWIN})
    assert plan_of(LITHIATED).root_uid == twin.root_uid
    assert thicker.root_uid != twin.root_uid
    assert len(thicker.root) > len(twin.root)


def test_both_grains_can_be_read_back_from_the_host(plan_of):
    root = plan_of({"name": "T", "structure": TWIN}).root
    assert set(root.site_properties["grain"]) >= {"top", "bottom"}
    assert abs(layer_angle(root, "top", 1.5) - layer_angle(root, "bottom", 1.5)) > 30


def test_a_boundary_is_repeated_in_its_plane_only(plan_of):
    assert len(plan_of({"name": "S", "structure": TWIN, "supercell": [2, 1, 1]}).root) == 192
    with pytest.raises(ValueError, match="repeated in its plane only"):
        plan_of({"name": "S", "structure": TWIN, "supercell": [1, 1, 2]})
