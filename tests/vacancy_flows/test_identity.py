"""Identity: what changes a uid and what must never change it."""

import numpy as np
import pytest
from pymatgen.core import Structure

from vacancy_flows.engines import get_engine
from vacancy_flows.identity import root_uid, rounded, uid
from vacancy_flows.plan import StrainPoint, pristine_calculation, start, vacancy_calculation
from vacancy_flows.planning import expected_classes, plan_hosts, plan_references
from vacancy_flows.structures import built_in_host, prepare_host

# Seen on 2026-11-20 with record format 1. A change here orphans every stored result: bump
# RECORD_FORMAT and say so in the change log instead of editing these.
REFERENCES = {"O2": "ua48acdad510cca09", "Li": "uacf70b8c92c60c5e", "Li2O": "uecb44c6552010171"}
ROOT = "u21787783b70a7884"
HOST = "uf0213c985d25b55f"
FIRST_ORDERING, LAST_ORDERING = "u49f81bbab281d43c", "u66bcb389e9d51e92"
UNSTRAINED_4I, STRAINED_8J = "ub7407e1dc4827a73", "u571b7d394ceed3bb"


@pytest.fixture(scope="module")
def root():
    return prepare_host(built_in_host("Li2MnO3"))


def chain(campaign, engine):
    """Uids of the host, its first strained cell and its first vacancy, as built."""
    plan = plan_hosts(campaign, engine)[0]
    host = start(plan)[0]
    pristine = pristine_calculation(plan, host, host.structure, plan.strains[0])
    found = expected_classes(plan, pristine.structure)[0]
    return (
        host.uid,
        pristine.uid,
        vacancy_calculation(plan, pristine, pristine.structure, found).uid,
    )


def test_uids_of_the_example_are_what_they_were(example, engine):
    assert {c.reference_kind: c.uid for c in plan_references(example, engine)} == REFERENCES
    lithiated, delithiated = plan_hosts(example, engine)
    assert lithiated.root_uid == delithiated.root_uid == ROOT
    assert [c.uid for c in start(lithiated)] == [HOST]
    uids = [c.uid for c in start(delithiated)]
    assert (uids[0], uids[-1], len(set(uids))) == (FIRST_ORDERING, LAST_ORDERING, 11)


def test_uids_of_vacancies_are_what_they_were(example, engine):
    plan = plan_hosts(example, engine)[0]
    (host,) = start(plan)
    for point, label, expected in zip(
        plan.strains, ["O-4i-1", "O-8j-1"], [UNSTRAINED_4I, STRAINED_8J], strict=False
    ):
        pristine = pristine_calculation(plan, host, host.structure, point)
        classes = {c.label: c for c in expected_classes(plan, pristine.structure)}
        found = vacancy_calculation(plan, pristine, pristine.structure, classes[label])
        assert found.uid == expected
        assert found.parent_uid == found.pristine_uid == pristine.uid


@pytest.mark.parametrize(
    "change",
    [
        {"host": {"name": "other"}},
        {"name": "other"},
        {"oxygen_reference": {"temperature": 300.0, "pressure": 0.2}},
        {"oxygen_reference": {"scheme": "Li2O"}},
        {"oxygen_reference": {"scheme": "user", "mu_o": -5.0}},
        {"settings": {"device": "cuda"}},
        {"sites": {"labels": ["O-4i-2"]}},
        {"strain": {"mode": "biaxial-ab", "values": [0.0, 0.04]}},
    ],
)
def test_what_is_only_described_never_enters_a_uid(load, change):
    assert chain(load(**change), get_engine("chgnet")) == chain(load(), get_engine("chgnet"))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"relax": {"fmax": 0.02}}, 0),
        ({"relax": {"max_steps": 400}}, 0),
        ({"engine": "chgnet-r2scan"}, 0),
        ({"host": {"supercell": [1, 1, 2]}}, 0),
        ({"host": {"cell": "primitive"}}, 0),
        ({"strain": {"mode": "biaxial-ab", "values": [0.02]}}, 1),
        ({"sites": {"labels": ["O-8j-1"]}}, 2),
    ],
)
def test_what_changes_a_calculation_changes_its_uid_and_those_after_it(load, change, same):
    campaign = load(**change)
    changed = chain(campaign, get_engine(campaign.engine))
    before = chain(load(), get_engine("chgnet"))
    assert [a == b for a, b in zip(changed, before, strict=True)] == [True] * same + [False] * (
        3 - same
    )


def test_strain_mode_and_value_and_deformation_enter(load, engine):
    plan = plan_hosts(load(), engine)[0]
    (host,) = start(plan)
    points = [
        StrainPoint(),
        StrainPoint(mode="biaxial-ab", value=0.02),
        StrainPoint(mode="biaxial-ab", value=0.020001),
        StrainPoint(mode="hydrostatic", value=0.02),
        StrainPoint(mode="custom", value=None, gradient=[[1, 0.01, 0], [0, 1, 0], [0, 0, 1]]),
    ]
    uids = {pristine_calculation(plan, host, host.structure, point).uid for point in points}
    assert len(uids) == len(points)


def test_relaxed_coordinates_never_enter(load, engine):
    plan = plan_hosts(load(), engine)[0]
    (host,) = start(plan)
    point = StrainPoint(mode="biaxial-ab", value=0.02)
    relaxed = host.structure.copy().scale_lattice(1.05 * host.structure.volume)
    built = pristine_calculation(plan, host, host.structure, point)
    assert pristine_calculation(plan, host, relaxed, point).uid == built.uid


@pytest.mark.parametrize("rank", ["engine", "electrostatics"])
def test_rank_of_an_ordering_never_enters(load, engine, rank):
    """The same removal is the same calculation, whoever ranks it and whatever its rank."""
    plan = plan_hosts(load({"delithiate": {"fraction": 0.25, "rank": rank, "keep": 11}}), engine)[0]
    uids = {tuple(c.operation["remove"]): c.uid for c in start(plan)}
    example = {"delithiate": {"fraction": 0.25}}
    others = start(plan_hosts(load(example), engine)[0])
    assert uids == {tuple(c.operation["remove"]): c.uid for c in others}


def test_root_does_not_see_noise_of_a_file_or_the_order_of_labelled_sites(root):
    rng = np.random.default_rng(1)
    noisy = Structure(
        root.lattice.matrix + 1e-7 * rng.standard_normal((3, 3)),
        root.species,
        root.frac_coords + 1e-7 * rng.standard_normal((len(root), 3)),
        site_properties=root.site_properties,
    )
    shuffled = Structure.from_sites([noisy[i] for i in rng.permutation(len(root))])
    assert root_uid(noisy) == root_uid(shuffled) == root_uid(root)


@pytest.mark.parametrize("value", [0.0, 0.5, 0.25, 1 / 3, 2 / 3, 1 / 6, 0.21905, 0.12345, 0.99995])
def test_last_bit_does_not_decide_at_an_edge_of_rounding(root, value):
    """Halves of the grid of 1e-4 are where rounding to nearest would jump."""
    uids = set()
    for noise in (-1e-9, 0.0, 1e-9, 1.0, -1.0):
        moved = root.copy()
        moved.replace(
            0, "Li", [value + noise, 0.3, 0.3], properties={"label": root[0].properties["label"]}
        )
        uids.add(root_uid(moved))
    assert len(uids) == 1


def test_root_sees_orientation_species_labels_and_positions(root):
    turned, other, named, moved = (root.copy() for _ in range(4))
    turned = Structure(
        root.lattice.matrix @ [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
        root.species,
        root.frac_coords,
        site_properties=root.site_properties,
    )
    other.replace(8, "Ti", properties=root[8].properties)
    named.add_site_property("label", [*root.site_properties["label"][:-1], "O-8j-9"])
    moved.translate_sites([0], [0, 0, 0.001])
    uids = {root_uid(structure) for structure in (root, turned, other, named, moved)}
    assert len(uids) == 5


def test_uid_does_not_depend_on_the_order_of_keys_and_refuses_what_is_not_finite():
    assert uid("u1", {"a": 1, "b": 2}, {}) == uid("u1", {"b": 2, "a": 1}, {})
    assert uid("u1", {"a": 1}, {}) != uid(None, {"a": 1}, {})
    with pytest.raises(ValueError, match="JSON compliant"):
        uid("u1", {"a": float("nan")}, {})


def test_rounding_has_no_negative_zero():
    assert str(rounded([[-1e-12, 1.000000001]])) == "[[0.0, 1.0]]"


def test_noise_of_a_file_changes_no_uid_of_a_strained_cell(example, engine):
    plan = plan_hosts(example, engine)[0]
    noisy = plan.root.copy()
    noise = np.array([[0, 0, 0], [1e-5, 0, 0], [0, 0, 0]])  # Å
    noisy.lattice = noisy.lattice.matrix + noise
    twin = plan.model_copy(update={"root": noisy})
    point = StrainPoint(mode="uniaxial-b", value=0.03)
    uids = {
        pristine_calculation(each, start(plan)[0], each.root, point).uid for each in (plan, twin)
    }
    assert root_uid(noisy) == plan.root_uid
    assert len(uids) == 1
