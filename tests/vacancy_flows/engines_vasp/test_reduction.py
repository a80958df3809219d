"""Where a vacancy's electrons are placed, and whether they went there."""

import pytest

from vacancy_flows.structures import (
    built_in_host,
    initial_moments,
    prepare_host,
    remove_labels,
)
from vacancy_flows.structures.magnetic_state import magnetic_state
from vacancy_flows.structures.reduction import (
    electron_starts,
    electrons_on_metals,
    reduced_moments,
    vacancy_starts,
    with_electrons,
)


def labelled(structure):
    names = [f"{s.specie.symbol}-1a-{i}" for i, s in enumerate(structure, start=1)]
    return structure.copy(site_properties={**structure.site_properties, "label": names})


@pytest.fixture(scope="module")
def long():
    """Li2MnO3, 48 atoms, 8 Mn."""
    return prepare_host(built_in_host("Li2MnO3"), [1, 1, 2])


@pytest.fixture(scope="module")
def delithiated(host24):
    return remove_labels(host24, ["Li-2c-1", "Li-2c-2"])


def distance(structure, label, others):
    labels = structure.site_properties["label"]
    return sum(structure.get_distance(labels.index(label), labels.index(o)) for o in others)


def test_the_nearest_pair_comes_first_and_distances_grow(host24):
    starts = electron_starts(host24, "O-8j-1", initial_moments(host24), 10)
    assert [set(start.values()) for start in starts] == [{4.0}] * len(starts)
    lengths = [distance(host24, "O-8j-1", start) for start in starts]
    assert lengths == pytest.approx(sorted(lengths), abs=0.01)
    mn = [n for n in host24.site_properties["label"] if n.startswith("Mn")]
    nearest = sorted(mn, key=lambda name: distance(host24, "O-8j-1", [name]))[:2]
    assert set(starts[0]) == set(nearest)
    assert len({frozenset(start) for start in starts}) == len(starts) == 6  # 4 Mn, no symmetry


def test_ways_that_symmetry_makes_equal_are_one(host24):
    """The mirror plane through 4i swaps Mn in pairs, unless their moments differ."""
    moments = initial_moments(host24)
    assert len(electron_starts(host24, "O-4i-1", moments, 10)) == 4
    labels = host24.site_properties["label"]
    moments[labels.index("Mn-4g-1")] = 3.8
    assert len(electron_starts(host24, "O-4i-1", moments, 10)) == 6


def test_number_of_ways_is_a_limit(host12, host24):
    moments = initial_moments(host24)
    assert len(electron_starts(host24, "O-8j-1", moments, 2)) == 2
    assert electron_starts(host12, "O-8j-1", initial_moments(host12), 5) == [
        {"Mn-4g-1": 4.0, "Mn-4g-2": 4.0}
    ]


def test_signs_of_an_antiferromagnet_are_kept(long):
    moments = initial_moments(long, "afm")
    labels = long.site_properties["label"]
    starts = electron_starts(long, "O-8j-1", moments, 10)
    for start in starts:
        for label, moment in start.items():
            assert moment == 4.0 * (1 if moments[labels.index(label)] > 0 else -1)
    assert {tuple(sorted(start.values())) for start in starts} >= {(-4.0, 4.0), (4.0, 4.0)}


def test_starts_as_moments_of_the_vacancy(host24):
    moments = initial_moments(host24)
    starts = vacancy_starts(host24, "O-8j-1", moments, 3)
    assert [len(start) for start in starts] == [23] * 3
    assert {sum(start) for start in starts} == {14.0}
    assert moments == initial_moments(host24)


def test_holes_on_oxygen_take_the_electrons(delithiated):
    """Li1.5MnO3: Mn stays 4+, so the pristine cell's moments are the only start."""
    moments = initial_moments(delithiated)
    vacancy = remove_labels(delithiated, ["O-8j-1"])
    assert electrons_on_metals(vacancy) == 0
    assert electron_starts(delithiated, "O-8j-1", moments, 3) == []
    assert vacancy_starts(delithiated, "O-8j-1", moments, 3) == [
        [m for i, m in enumerate(moments) if i != len(moments) - 8]
    ]


def test_the_metals_that_formal_states_reduce_take_them(ncm):
    """Li3NiCoMnO6 with one of each: Mn4+, then Co3+, and never Ni2+; with two Mn only those."""
    cell = labelled(ncm)
    assert electron_starts(cell, "O-1a-7", initial_moments(cell), 5) == [
        {"Co-1a-5": 3.0, "Mn-1a-6": 4.0}
    ]
    double = labelled(ncm * [1, 1, 2])
    moments = initial_moments(double)
    for start in electron_starts(double, "O-1a-13", moments, 5):
        assert all(label.startswith("Mn") for label in start)
        assert len(start) == 2


def test_a_metal_without_a_moment_takes_the_sign_of_the_others(host24):
    moments = initial_moments(host24)
    labels = host24.site_properties["label"]
    vacancy = remove_labels(host24, ["O-8j-1"])
    left = [-m for m, label in zip(moments, labels, strict=True) if label != "O-8j-1"]
    first = vacancy.site_properties["label"].index("Mn-4g-1")
    left[first] = 0.0
    assert reduced_moments(vacancy, left, "O")[first] == -4.0


@pytest.fixture(scope="module")
def vacancy(host24):
    properties = {**host24.site_properties, "magmom": [0.95 * m for m in initial_moments(host24)]}
    return remove_labels(host24.copy(site_properties=properties), ["O-8j-1"])


def ended(vacancy, **changes):
    """Moments at the end; those of labels given are in µB."""
    labels = vacancy.site_properties["label"]
    return [
        changes.get(label.replace("-", "_"), m)
        for label, m in zip(labels, vacancy.site_properties["magmom"], strict=True)
    ]


@pytest.mark.parametrize(
    ("changes", "reduced", "expected"),
    [
        ({"Mn_4g_1": 3.75, "Mn_4g_4": 3.75}, ["Mn-4g-1", "Mn-4g-4"], True),
        ({"Mn_4g_1": 3.75}, ["Mn-4g-1"], False),  # one electron on O, or lost in a vacancy
        ({}, [], False),
        ({"Mn_4g_1": 3.75, "Mn_4g_4": 3.75, "Mn_4g_2": -2.9}, ["Mn-4g-1", "Mn-4g-4"], False),
        ({"Mn_4g_1": 3.75, "Mn_4g_4": 3.75, "O_8j_2": -1.5}, ["Mn-4g-1", "Mn-4g-4"], False),
        ({f"Mn_4g_{i}": 3.4 for i in (1, 2, 3, 4)}, [f"Mn-4g-{i}" for i in (1, 2, 3, 4)], False),
    ],
)
def test_expected_state(vacancy, changes, reduced, expected):
    state = magnetic_state(vacancy, ended(vacancy, **changes))
    assert (state["expected_reduced"], state["expected_change"]) == (2, 2.0)
    assert state["reduced"] == reduced
    assert state["expected"] is expected
    change = sum(ended(vacancy, **changes)) - sum(vacancy.site_properties["magmom"])
    assert state["found_change"] == pytest.approx(change, abs=1e-3)


def test_expected_state_upside_down(vacancy):
    down = with_electrons(
        vacancy,
        {
            label: -m
            for label, m in zip(
                vacancy.site_properties["label"], vacancy.site_properties["magmom"], strict=True
            )
        },
    )
    state = magnetic_state(down, ended(down, Mn_4g_1=-3.75, Mn_4g_4=-3.75))
    assert (state["expected_change"], state["expected"]) == (-2.0, True)


def test_no_total_is_expected_of_an_antiferromagnet(long):
    moments = initial_moments(long, "afm")
    cell = long.copy(site_properties={**long.site_properties, "magmom": moments})
    vacancy = remove_labels(cell, ["O-8j-1"])
    start = electron_starts(long, "O-8j-1", moments, 1)[0]
    after = with_electrons(vacancy, start).site_properties["magmom"]
    state = magnetic_state(vacancy, after)
    assert state["expected_change"] is None
    assert state["expected"] is True
    assert set(state["reduced"]) == set(start)


def test_holes_are_filled_and_no_metal_changes(delithiated):
    moments = initial_moments(delithiated)
    cell = delithiated.copy(site_properties={**delithiated.site_properties, "magmom": moments})
    vacancy = remove_labels(cell, ["O-8j-1"])
    state = magnetic_state(vacancy, vacancy.site_properties["magmom"])
    assert (state["expected_reduced"], state["reduced"], state["expected"]) == (0, [], True)
    changed = magnetic_state(vacancy, ended(vacancy, Mn_4g_1=3.9))
    assert changed["expected"] is False


def test_what_cannot_be_told_is_none(vacancy):
    odd = vacancy.copy()
    odd.replace_species({"Li": "Xe"})
    state = magnetic_state(odd, odd.site_properties["magmom"])
    assert (state["expected"], state["expected_reduced"]) == (None, None)
    assert state["found_change"] == 0.0
