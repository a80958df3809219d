"""Boundary energies and geometries from records made by hand; energies are invented."""

import numpy as np
import pandas as pd
import pytest

from vacancy_flows.boundary_tables import (
    EQUAL,
    MEAN,
    boundary_energies,
    boundary_geometry,
    energy_lines,
    lithiated_hosts,
)
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.structures import prepare_host, remove_labels
from vacancy_flows.structures.boundaries import (
    Limits,
    Orientation,
    bicrystals,
    boundaries_are_equal,
    find_matches,
    preset_boundary,
)
from vacancy_flows.structures.ncm import layered_host, ordered_ncm


@pytest.fixture(scope="module")
def cells():
    """A thin twin of the ordered bulk, and that bulk."""
    return {
        "twin": prepare_host(preset_boundary("twin_104", 4.1)[0]),
        "bulk": prepare_host(ordered_ncm()),
        "wide": prepare_host(ordered_ncm(), (2, 1, 1)),
        "other order": prepare_host(ordered_ncm("P3_112")),
    }


@pytest.fixture
def host(make_record, cells):
    """A relaxed host of an energy per formula unit of 12 atoms, eV."""

    def make(name, e_unit, **more):
        structure = more.pop("structure", cells.get(name))
        n_units = structure.composition["Ni"]
        result = {"structure": structure, "energy": e_unit * n_units, "stress": None}
        zeros = np.zeros((len(structure), 3)).tolist()
        return make_record(
            more.pop("uid", f"u{name}"),
            more.pop("kind", "host"),
            structure=structure,
            host=name,
            n_atoms=len(structure),
            cell=more.pop("cell", "free"),
            operation=more.pop("operation", {"relax": {}}),
            result=result | {"forces": zeros, "moments": None} | more.pop("result", {}),
            **more,
        )

    return make


def test_energy_against_the_same_bulk(host, cells):
    table = boundary_energies([host("twin", -79.0), host("bulk", -79.2)])
    row = table.iloc[0]
    area = np.linalg.norm(np.cross(*cells["twin"].lattice.matrix[:2]))
    assert row.gamma_J_m2 == pytest.approx(16.02176634 * 4 * 0.2 / (2 * area))
    assert (row.bulk_host, row.n_units, row.boundaries) == ("bulk", 4, EQUAL)
    below = boundary_energies([host("twin", -79.4), host("bulk", -79.2)]).iloc[0]
    assert below.gamma_J_m2 == pytest.approx(-row.gamma_J_m2)
    (line,) = energy_lines(table)
    for word in ("twin_104, 48 atoms, chgnet", EQUAL, "bulk (12 atoms)", "energy scale mp2020"):
        assert word in line


def test_the_largest_bulk_cell_is_taken(host):
    records = [host("twin", -79.0), host("bulk", -79.2), host("wide", -79.3)]
    assert boundary_energies(records).iloc[0].bulk_host == "wide"


@pytest.mark.parametrize(
    "bulk",
    [
        {"name": "other order"},
        {"name": "bulk", "record": {"engine": "chgnet-r2scan", "energy_scale": "r2scan"}},
        {"name": "bulk", "record": {"fingerprint": {"code": "y"}}},
        {"name": "bulk", "campaign": "another"},
    ],
)
def test_no_other_bulk_is_compared_with(host, bulk):
    table = boundary_energies([host("twin", -79.0), host(bulk.pop("name"), -79.2, **bulk)])
    assert np.isnan(table.gamma_J_m2[0])
    assert "no bulk host of the same" in table.reason[0]
    assert not table.converged[0]
    assert "none, no bulk host" in energy_lines(table)[0]


def test_what_did_not_converge_is_marked(host):
    stopped = {"result": {"converged": False, "reason": "stopped"}}
    for first, second in (({}, stopped), (stopped, {})):
        table = boundary_energies([host("twin", -79.0, **first), host("bulk", -79.2, **second)])
        assert np.isfinite(table.gamma_J_m2[0])
        assert not table.converged[0]
        assert "not converged" in energy_lines(table)[0]


def test_surfaces_and_unequal_boundaries_are_told(host):
    bulk = layered_host("Co")
    asked = Orientation((-1, 0, 0), (0, 0, 1), -71.0, 38.0)
    match = find_matches(bulk, asked, Limits(), thickness=4.7)[0]
    tilt, surface = (bicrystals(bulk, match, 1, vacuum=v)[0] for v in (None, 10.0))
    assert not boundaries_are_equal(tilt)
    ordered = ordered_ncm().properties["provenance"]
    for cell, told in ((tilt, MEAN), (surface, "surfaces")):
        cell.replace_species({"Co": "Ni"})
        cell.properties["provenance"] = ordered
        row = boundary_energies([host("tilt", -20.0, structure=cell)]).iloc[0]
        assert told in f"{row.boundaries} {row.reason}"
        assert np.isnan(row.gamma_J_m2)


def test_only_lithiated_hosts_of_the_campaign_count(host, cells, tmp_path):
    removed = ["Li-1a-1"]
    labels = cells["bulk"].site_properties["label"]
    removed = [next(label for label in labels if label.startswith("Li"))]
    less = remove_labels(cells["bulk"], removed)
    records = [
        host("twin", -79.0),
        host("bulk", -79.2),
        host("less", -70.0, structure=less, operation={"remove": removed, "relax": {}}),
        host("elsewhere", -79.2, structure=cells["wide"], campaign="another"),
        host("bulk", -79.2, uid="upristine", kind="pristine", cell="fixed"),
    ]
    database = ResultsDatabase(tmp_path / "results.db")
    database.add(records)
    found = lithiated_hosts(database, {"invented"})
    assert sorted(record.uid for record in found) == ["ubulk", "utwin"]
    assert np.isfinite(boundary_energies(found).gamma_J_m2[0])


def test_geometry_of_both_boundaries(host):
    asked = Orientation((-1, 0, 0), (0, 0, 1), -71.0, 38.0)
    bulk = layered_host("Co")
    match = find_matches(bulk, asked, Limits(), thickness=9.4, depth=2)[0]
    tilt = prepare_host(bicrystals(bulk, match, 1)[0])
    table = boundary_geometry([host("tilt", -79.0, structure=tilt, kind="pristine")])
    assert table.boundary.tolist() == [1, 2]
    assert table.layer_angle_top_deg.tolist() == pytest.approx([-70.8] * 2, abs=1)
    assert table.layer_angle_bottom_deg.tolist() == pytest.approx([38.4] * 2, abs=1)
    # Each boundary on its own: the first closes without a bond cut, the second does not.
    assert [bool(text) for text in table.metals_under_six] == [False, True]
    assert table.width_A[0] == 0 < table.width_A[1]
    assert boundary_geometry([host("bulk", -79.0, kind="pristine")]).empty


def test_a_twin_is_whole_at_its_mirrors(host):
    table = boundary_geometry([host("twin", -79.0, kind="pristine")])
    assert set(table.o_coordination) == {f"6:{table.metals.iloc[0] * 2}"}
    assert (table.metals_under_six == "").all()
    assert (table.width_A == 0).all()
    assert pd.isna(table.ordering).all()
