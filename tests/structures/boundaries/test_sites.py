import numpy as np
import pytest

from vacancy_flows.structures.boundaries import (
    boundary_planes,
    free_labels,
    layer_normal,
    nearest_boundary,
    plane_distances,
    positions_along_b,
    region_labels,
    site_sets,
)
from vacancy_flows.structures.boundaries.reading import is_metal, normal_of


@pytest.fixture
def twin(twin_104):
    cell = twin_104.copy()
    labels = [f"{site.specie.symbol}-1a-{i}" for i, site in enumerate(cell)]
    return cell.add_site_property("label", labels)


def test_distances_to_one_or_both_boundaries(twin):
    one, two, both = (plane_distances(twin, k) for k in (1, 2, "both"))
    assert np.allclose(both, np.minimum(one, two))
    # Two mirrors half a cell apart: the distances to them add up to half the height.
    assert np.allclose(one + two, twin.lattice.c / 2)
    assert nearest_boundary(twin) == [
        1 if a < b + 1e-6 else 2 for a, b in zip(one, two, strict=True)
    ]


def test_planes_are_those_that_the_analysis_asks_for(twin, tilt_109):
    from vacancy_flows.analysis.neighbours import plane_distances as by_planes

    for cell in (twin, tilt_109):
        theirs = by_planes(cell, range(len(cell)), boundary_planes(cell))
        assert theirs == pytest.approx(plane_distances(cell).tolist(), abs=1e-6)


def test_regions_by_distance_boundary_and_element(twin):
    assert len(region_labels(twin, 0.1, 1, "O")) == len(region_labels(twin, 0.1, 2, "O")) == 6
    assert set(region_labels(twin, 2.5, 1)) | set(region_labels(twin, 2.5, 2)) == set(
        region_labels(twin, 2.5)
    )
    assert free_labels(twin, 100.0) == twin.site_properties["label"]


def test_labels_survive_removals(twin):
    chosen = region_labels(twin, 2.5)
    cut = twin.copy()
    cut.remove_sites([0, 30])
    assert set(region_labels(cut, 2.5)) == set(chosen) & set(cut.site_properties["label"])


def test_sets_lie_along_b(twin):
    labels = region_labels(twin, 2.5, 1, "O")
    sets = site_sets(twin, labels, 4)
    assert list(sets) == labels
    assert set(sets.values()) == {"S1", "S2", "S3", "S4"}
    index = {label: i for i, label in enumerate(twin.site_properties["label"])}
    b = {label: twin.frac_coords[index[label], 1] % 1.0 for label in labels}
    # Sites at one height along b are in one set.
    for one in labels:
        for other in labels:
            if abs(b[one] - b[other]) < 1e-6:
                assert sets[one] == sets[other]


def test_sites_of_one_row_that_relaxed_apart_stand_at_one_position(twin):
    labels = region_labels(twin, 0.1, 1, "O")
    index = {label: i for i, label in enumerate(twin.site_properties["label"])}
    first = twin.frac_coords[index[labels[0]], 1]
    row = [x for x in labels if abs((twin.frac_coords[index[x], 1] - first + 0.5) % 1 - 0.5) < 0.01]
    assert 1 < len(row) < len(labels)
    for k, label in enumerate(row):
        twin.translate_sites([index[label]], [0, 0.1 * k / twin.lattice.b, 0])
    assert positions_along_b(twin, row) == 1
    assert positions_along_b(twin, labels) == 2


def test_what_cannot_be_is_refused(twin, r3m):
    with pytest.raises(ValueError, match="no boundary planes"):
        plane_distances(r3m)
    with pytest.raises(ValueError, match="no boundary 3"):
        plane_distances(twin, 3)
    with pytest.raises(ValueError, match="within = -1"):
        region_labels(twin, -1.0)
    with pytest.raises(ValueError, match="nearest is"):
        region_labels(_shifted(twin), 0.1, element="O")
    with pytest.raises(ValueError, match="make no 40 sets"):
        site_sets(twin, region_labels(twin, 1.0), 40)
    with pytest.raises(ValueError, match="no site Xx-1"):
        site_sets(twin, ["Xx-1"])
    with pytest.raises(ValueError, match="no layer to read"):
        layer_normal(twin, "middle")


def _shifted(cell):
    moved = cell.copy()
    moved.translate_sites(range(len(moved)), [0, 0, 0.06], to_unit_cell=False)
    return moved


def test_a_row_with_one_more_atom_is_no_layer(r3m):
    """Else one atom that moved would turn the layer read in a thin core."""
    slab = r3m.copy()
    slab.make_supercell([8, 3, 1])
    metals = [i for i, site in enumerate(slab) if is_metal(site.specie.symbol)]
    layer = [
        i for i in metals if abs(slab.frac_coords[i, 2] - slab.frac_coords[metals[0], 2]) < 0.1
    ]
    row = [i for i in layer if abs(slab.frac_coords[i, 1] - slab.frac_coords[layer[0], 1]) < 0.1]
    assert (len(layer), len(row)) == (24, 8)
    beside = next(i for i in layer if i not in row)
    assert normal_of(slab, layer) == pytest.approx([0, 0, 1], abs=1e-6)
    for atoms in (row, [*row, beside]):
        with pytest.raises(ValueError, match="span no layer"):
            normal_of(slab, atoms)
