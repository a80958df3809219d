"""Hosts that a campaign file describes: built, refused, and identified."""

import re

import numpy as np
import pytest
from pymatgen.core import Structure

from vacancy_flows.errors import InputError
from vacancy_flows.hosts import build_host
from vacancy_flows.identity import root_uid
from vacancy_flows.planning import plan_hosts
from vacancy_flows.structures import built_in_host
from vacancy_flows.structures.boundaries import misorientation

TILT = {"project": [-1, 0, 0], "upward": [0, 0, 1], "tilt_top": -71, "tilt_bottom": 38}
OWN_WORDS = {"axis": [-1, 0, 0], "up": [0, 0, 1], "top_angle": -71.0, "bottom_angle": 38.0}
BICRYSTAL = {"bicrystal": TILT, "thickness": 4.7}


def root_of(load, structure, **more):
    return build_host(load({"structure": structure, **more}), 0)


def test_a_twin_on_any_plane_is_the_preset(load):
    twin = root_of(load, {"twin": [0, 1, -4], "axis": [1, 0, 0]})
    preset = root_of(load, {"boundary": "twin_104"})
    assert np.allclose(twin.distance_matrix, preset.distance_matrix)
    assert twin.properties["provenance"] == preset.properties["provenance"]


@pytest.fixture(scope="module")
def tilts(tools, tmp_path_factory):
    """The tilt in both vocabularies."""
    from vacancy_flows.campaign_file import load_campaign

    hosts = [
        {"name": "ingrained", "structure": BICRYSTAL},
        {"name": "own", "structure": {**BICRYSTAL, "bicrystal": OWN_WORDS}},
        {"name": "thick", "structure": {**BICRYSTAL, "thickness": 7.0}},
    ]
    path = tmp_path_factory.mktemp("tilts") / "campaign.yaml"
    campaign = load_campaign(
        tools.write(path, {"name": "tilts", "engine": "chgnet", "hosts": hosts})
    )
    return [build_host(campaign, index) for index in range(3)]


def test_the_tilt_in_the_words_of_ingrained_and_in_ours(tilts):
    ingrained, own, thick = tilts
    assert len(ingrained) == 144
    assert ingrained.composition.reduced_formula == "Li3MnCoNiO6"
    assert "(012) || (0-17)" in ingrained.properties["boundary"]["matches"][0]
    assert root_uid(ingrained) == root_uid(own)
    assert root_uid(ingrained) != root_uid(thick)
    assert misorientation(thick, core=1.5) == pytest.approx(180 - 110.1, abs=1)


def test_a_plane_may_point_up(load):
    by_plane = {**OWN_WORDS, "up_plane": [0, 0, 3]}
    del by_plane["up"]
    cell = root_of(load, {**BICRYSTAL, "bicrystal": by_plane})
    assert cell.properties["boundary"]["grains"]["top"]["plane"] == [0, 1, 2]
    for wrong in ({**by_plane, "up": [0, 0, 1]}, {"axis": [-1, 0, 0], "up": None}):
        angles = {"top_angle": -71, "bottom_angle": 38}
        with pytest.raises(InputError, match="give up"):
            load({"structure": {**BICRYSTAL, "bicrystal": {**wrong, **angles}}})


@pytest.mark.parametrize("name", ["ncm_boundaries", "ncm_boundaries_full"])
def test_the_examples_ask_for_what_there_is(name, tools):
    """But for the tilts, which take longer to build: labels, and whole numbers of lithium."""
    from vacancy_flows.campaign_file import load_campaign

    campaign = load_campaign(tools.root / "examples" / f"{name}.yaml")
    for index, host in enumerate(campaign.hosts):
        if host.name.startswith("tilt"):
            continue
        root = build_host(campaign, index)
        sites = campaign.sites_of(host)
        assert set(sites.labels or ()) <= set(root.site_properties["label"])
        if host.delithiate:
            removed = host.delithiate.fraction * root.composition["Li"]
            assert removed == pytest.approx(round(removed), abs=1e-3)


def test_other_candidates_are_hosts_of_their_own(load):
    first, second = (root_of(load, {**BICRYSTAL, "candidate": number}) for number in (0, 1))
    assert len({root_uid(cell) for cell in (first, second)}) == 2
    assert "candidate" not in first.properties["boundary"]["preset"]
    assert first.composition == second.composition
    assert not np.allclose(first.distance_matrix, second.distance_matrix, atol=0.1)
    twin = root_of(load, {"boundary": "twin_104", "candidate": 1})
    assert twin.properties["boundary"]["preset"]["candidate"] == 1


def test_a_surface_has_one_boundary(load):
    cell = root_of(load, {**BICRYSTAL, "vacuum": 12.0}, sites={"within": 1.5})
    assert [plane["boundary"] for plane in cell.properties["boundary"]["planes"]] == [1]
    assert np.diff(np.sort(cell.cart_coords[:, 2])).max() < 4
    assert cell.lattice.matrix[2, 2] - np.ptp(cell.cart_coords[:, 2]) > 11


def test_a_composition_is_a_host_with_whole_atoms(load, engine):
    block = {"composition": "Li1.2Ni0.13Mn0.54Co0.13O2", "cells": [5, 1, 1], "order": "disordered"}
    host = {"structure": block, "delithiate": {"fraction": 1 / 3}}
    campaign = load({"structure": block})
    assert build_host(campaign, 0).composition.formula == "Li18 Mn8 Co2 Ni2 O30"
    assert load(host).hosts[0].delithiate.start == "built"  # no boundary: its defaults stay
    (plan,) = plan_hosts(campaign, engine)
    assert plan.labels is None


def test_a_bulk_may_be_a_file(load, tmp_path):
    built_in_host("Li3NiCoMnO6").to(filename=str(tmp_path / "bulk.cif"))
    twin = root_of(load, {"twin": [1, 0, 0], "bulk": "bulk.cif", "thickness": 6.0})
    assert twin.composition.reduced_formula == "Li3MnCoNiO6"
    assert twin.properties["provenance"] == {"order": "that of bulk.cif"}
    assert root_of(load, "bulk.cif").properties["provenance"] == {"order": "that of bulk.cif"}
    host = {"structure": {"twin": [1, 0, 0], "bulk": "none.cif"}}
    with pytest.raises(InputError, match=r"hosts\.0\.structure\.bulk: 'none\.cif' is neither"):
        build_host(load(host), 0)


@pytest.mark.parametrize(
    ("structure", "told"),
    [
        ({"twin": [1, 0, 4], "thickness": 1.0}, "is below one plane"),
        ({"twin": [0, 0, 0]}, "give a direction"),
        ({"twin": [1, 0, 4], "candidate": 11}, "there is no candidate 11"),
        ({"twin": [1, 0, 4], "axis": [0, 0, 1]}, "is not in the twin plane"),
        ({**BICRYSTAL, "match": 7}, "There is no match 7: the 1 within the limits"),
        ({**BICRYSTAL, "thickness": 1.0}, "is below one plane"),
        ({"bicrystal": {**OWN_WORDS, "axis": [1, 0, 0]}}, "No match for axis [1, 0, 0]"),
        ({"bicrystal": {**OWN_WORDS, "up": [1, 0, 0]}}, "is not perpendicular"),
        ({"bicrystal": {**OWN_WORDS, "axis": [0.5, 0, 0]}}, "give three integers"),
        ({"composition": "Li1.2Mn0.8O2", "cells": [1, 1, 1]}, "cannot be whole in 3 formula units"),
        ({"composition": "Foo", "cells": [1, 1, 1]}, "'Foo' is no formula"),
        ({"boundary": "tilt_109", "thickness": 7.0}, "nearest that can: 5.4 and 8.6 Å"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(load, structure, told):
    with pytest.raises(InputError) as caught:
        root_of(load, structure)
    assert told in str(caught.value)
    assert re.search(r"hosts\.0(\.|: )structure", str(caught.value))


@pytest.mark.parametrize(
    ("sites", "told"),
    [
        ({"within": 0.1}, "the nearest is 0.49 Å away"),
        ({"within": 1.0, "boundary": 2}, "There is no boundary 2"),
    ],
)
def test_a_region_without_oxygen_is_refused_before_anything_runs(load, engine, sites, told):
    vacuum = 12.0 if "boundary" in sites else None
    structure = {**BICRYSTAL, "vacuum": vacuum}
    with pytest.raises(InputError, match=r"hosts\.0\.sites\.within") as caught:
        plan_hosts(load({"structure": structure, "sites": sites}), engine)
    assert told in str(caught.value)


def test_a_file_bears_no_boundary_of_ours(load, tmp_path):
    cell = built_in_host("Li3NiCoMnO6")
    cell.properties["boundary"] = {"preset": {"name": "twin_104", "thickness": 8.1}, "planes": []}
    cell.to(filename=str(tmp_path / "host.json"))
    root = root_of(load, str(tmp_path / "host.json"))
    assert "boundary" not in root.properties
    assert isinstance(root, Structure)
