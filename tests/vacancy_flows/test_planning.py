"""What follows from what. Results are made up by hand: no engine runs, no number is physics."""

import numpy as np
import pytest

from vacancy_flows.errors import InputError
from vacancy_flows.plan import after, rank, start
from vacancy_flows.planning import expected_calculations, plan_hosts, plan_references
from vacancy_flows.records import make_record
from vacancy_flows.schemas import Result

QUARTER = {"fraction": 0.25}
STRAINS = {"mode": "biaxial-ab", "values": [0.0, 0.02]}


@pytest.fixture
def plan_of(load, engine):
    def make(host=None, **keys):
        (plan,) = plan_hosts(load(host, **keys), engine)
        return plan

    return make


@pytest.fixture
def finish(engine):
    """Give a calculation a made-up result: its cell grown by 1 %, an energy of choice."""

    def make(calculation, energy=-100.0, converged=True, stretch=1.01):
        structure = calculation.structure.copy()
        structure.scale_lattice(structure.volume * stretch**3)
        forces = np.zeros((len(structure), 3)).tolist()
        result = Result(
            structure=structure,
            energy=energy,
            forces=forces,
            max_force=0.0,
            converged=converged,
            reason="made up",
        )
        return make_record(calculation, result, engine)

    return make


def test_example_needs_one_host_and_eleven_candidates(example, engine):
    lithiated, delithiated = plan_hosts(example, engine)
    assert expected_calculations(lithiated) == {"host": 1, "pristine": 3, "vacancy": 6}
    counts = expected_calculations(delithiated)
    assert (counts["candidate"], counts["pristine"]) == (11, 3)
    assert "host" not in counts


def test_expectation_of_orderings_after_relaxation_counts_their_own_sites(plan_of):
    """A delithiated cell has no fewer classes of sites than the host it comes from."""
    built = expected_calculations(plan_of({"delithiate": QUARTER}))
    relaxed = expected_calculations(plan_of({"delithiate": {**QUARTER, "from": "relaxed"}}))
    assert relaxed == {"host": 1, **built}


@pytest.mark.parametrize(("keep", "kept"), [(1, 1), (3, 3), (20, 11)])
def test_expectation_never_keeps_more_orderings_than_there_are(plan_of, keep, kept):
    for start_at in ("built", "relaxed"):
        host = {"delithiate": {**QUARTER, "keep": keep, "from": start_at}}
        assert expected_calculations(plan_of(host))["pristine"] == kept


def test_candidates_are_limited_and_the_lowest_by_electrostatics(plan_of):
    every = plan_of({"delithiate": {**QUARTER, "rank": "electrostatics", "keep": 11}})
    order = [c.operation["remove"] for c in start(every)]
    few = start(plan_of({"delithiate": {**QUARTER, "candidates": 4}}))
    assert [c.operation["remove"] for c in few] == order[:4]
    assert {c.kind for c in few} == {"candidate"}


def test_electrostatics_gives_hosts_with_rank_and_energy(plan_of):
    hosts = start(plan_of({"delithiate": {**QUARTER, "rank": "electrostatics", "keep": 3}}))
    assert [(c.kind, c.ordering) for c in hosts] == [("host", 0), ("host", 1), ("host", 2)]
    energies = [c.ordering_energy for c in hosts]
    assert energies[0] == 0.0
    assert energies == sorted(energies)
    assert energies[-1] > 1e-6


def test_chain_of_a_plain_host(plan_of, finish):
    plan = plan_of(strain=STRAINS)
    (host,) = start(plan)
    assert (host.kind, host.cell, host.parent_uid) == ("host", "free", plan.root_uid)
    done = finish(host)
    cells = after(plan, done)
    assert [(c.kind, c.cell, c.strain_mode, c.strain) for c in cells] == [
        ("pristine", "fixed", "none", 0.0),
        ("pristine", "fixed", "biaxial-ab", 0.02),
    ]
    assert {c.parent_uid for c in cells} == {host.uid}
    # strain is on the relaxed cell, and in the plane only: areas grow by 1.02 squared
    areas = [np.linalg.norm(np.cross(*c.structure.lattice.matrix[:2])) for c in cells]
    relaxed = np.linalg.norm(np.cross(*done.structure.lattice.matrix[:2]))
    assert areas[0] == pytest.approx(relaxed, rel=1e-12)
    assert areas[1] == pytest.approx(relaxed * 1.02**2, rel=1e-9)


def test_vacancies_start_from_the_relaxed_pristine_cell_and_keep_labels(plan_of, finish):
    plan = plan_of()
    pristine = finish(after(plan, finish(start(plan)[0]))[0], stretch=1.03)
    vacancies = after(plan, pristine)
    assert [(v.site, v.wyckoff, v.multiplicity) for v in vacancies] == [
        ("O-4i-1", "4i", 4),
        ("O-8j-1", "8j", 8),
    ]
    labels = plan.root.site_properties["label"]
    for vacancy in vacancies:
        cell = vacancy.structure
        assert cell.site_properties["label"] == [x for x in labels if x != vacancy.site]
        assert np.allclose(cell.lattice.matrix, pristine.structure.lattice.matrix)
        assert (len(cell), vacancy.n_atoms, vacancy.cell) == (23, 24, "fixed")
        assert vacancy.removed_element == "O"
        assert vacancy.parent_uid == vacancy.pristine_uid == pristine.uid
        assert set(vacancy.reference_uids) == {"O2", "Li", "Li2O"}
    assert after(plan, finish(vacancies[0])) == []


def test_labels_select_whole_classes(plan_of, finish):
    plan = plan_of(sites={"labels": ["O-8j-5", "O-8j-2"]})
    pristine = finish(after(plan, finish(start(plan)[0]))[0])
    assert [v.site for v in after(plan, pristine)] == ["O-8j-1"]
    assert expected_calculations(plan)["vacancy"] == 1


def test_classes_are_read_from_the_record_not_found_again(plan_of, finish):
    plan = plan_of()
    pristine = finish(after(plan, finish(start(plan)[0]))[0])
    pristine.choice["classes"] = pristine.choice["classes"][:1]
    assert [v.site for v in after(plan, pristine)] == ["O-4i-1"]


def test_free_cell_vacancies_end_on_a_fixed_cell(plan_of, finish):
    plan = plan_of(relax={"cell": "free"})
    pristine = finish(after(plan, finish(start(plan)[0]))[0])
    assert {v.cell for v in after(plan, pristine)} == {"free-fixed"}


def candidates(plan, finish, energies, failed=()):
    """Finish all candidates with made-up energies; those not given are far above."""
    return [
        finish(c, energies.get(i, 0.0), converged=i not in failed)
        for i, c in enumerate(start(plan))
    ]


def test_lowest_candidates_are_kept_with_rank_and_energy(plan_of, finish):
    plan = plan_of({"delithiate": {**QUARTER, "keep": 3}})
    records = candidates(plan, finish, {7: -5.0, 2: -4.5, 9: -4.75})
    kept = rank(plan, records)
    assert [r.uid for r in kept] == [records[i].uid for i in (7, 9, 2)]
    assert [r.calculation.ordering for r in kept] == [0, 1, 2]
    assert [r.calculation.ordering_energy for r in kept] == pytest.approx([0.0, 0.25, 0.5])
    assert records[7].calculation.ordering is None  # those given are not changed
    for record in kept:
        for cell in after(plan, record):
            assert cell.ordering == record.calculation.ordering
            assert cell.ordering_energy == record.calculation.ordering_energy
            vacancy = after(plan, finish(cell))[0]
            assert vacancy.ordering == record.calculation.ordering


def test_candidate_that_did_not_converge_is_never_kept(plan_of, finish):
    plan = plan_of({"delithiate": QUARTER})
    records = candidates(plan, finish, {0: -9.0, 1: -5.0}, failed={0})
    (kept,) = rank(plan, records)
    assert kept.uid == records[1].uid
    assert kept.calculation.ordering_energy == 0.0  # measured from the lowest that converged
    assert rank(plan, candidates(plan, finish, {}, failed=range(11))) == []


def test_energies_that_tie_are_all_kept(plan_of, finish):
    plan = plan_of({"delithiate": QUARTER})
    kept = rank(plan, candidates(plan, finish, {3: -5.0, 6: -5.0 - 5e-7, 8: -5.0 + 2e-6}))
    assert len(kept) == 2
    assert [r.calculation.ordering for r in kept] == [0, 1]


def test_rank_does_not_depend_on_the_order_of_finishing(plan_of, finish):
    plan = plan_of({"delithiate": {**QUARTER, "keep": 4}})
    records = candidates(plan, finish, {i: -float(i) for i in range(11)})
    uids = [r.uid for r in rank(plan, records)]
    assert uids == [r.uid for r in rank(plan, records[::-1])]


def test_ranking_a_host_that_is_not_delithiated_is_an_error(plan_of):
    with pytest.raises(ValueError, match="nothing to rank"):
        rank(plan_of(), [])


@pytest.mark.parametrize(("by", "kind"), [("engine", "candidate"), ("electrostatics", "host")])
def test_orderings_of_the_relaxed_host_take_its_geometry(plan_of, finish, by, kind):
    plan = plan_of({"delithiate": {**QUARTER, "from": "relaxed", "rank": by, "cell": "fixed"}})
    (host,) = start(plan)
    assert "remove" not in host.operation
    done = finish(host, stretch=1.02)
    orderings = after(plan, done)
    assert {c.kind for c in orderings} == {kind}
    assert len(orderings) == (11 if by == "engine" else 1)
    for ordering in orderings:
        assert (ordering.parent_uid, ordering.cell) == (host.uid, "fixed")
        assert np.allclose(ordering.structure.lattice.matrix, done.structure.lattice.matrix)
        assert ordering.structure.composition["Li"] == 6
    cells = after(plan, finish(orderings[0]))
    assert [c.kind for c in cells] == ["pristine"]
    assert cells[0].parent_uid == orderings[0].uid


def test_lithiated_host_of_two_plans_is_one_calculation(load, engine):
    hosts = [
        {"name": "full", "structure": "Li2MnO3"},
        {"name": "part", "structure": "Li2MnO3", "delithiate": {**QUARTER, "from": "relaxed"}},
    ]
    full, part = plan_hosts(load(hosts=hosts), engine)
    assert start(full)[0].uid == start(part)[0].uid


def test_zero_strain_of_several_blocks_is_calculated_once(plan_of, finish):
    blocks = [STRAINS, {"mode": "uniaxial-c*", "values": [0.0, 0.01]}]
    plan = plan_of(strain=blocks)
    cells = after(plan, finish(start(plan)[0]))
    assert [c.strain_mode for c in cells] == ["none", "biaxial-ab", "uniaxial-c*"]
    assert len({c.uid for c in cells}) == 3


def test_all_references_are_wanted_but_with_a_users_mu_o(load, engine):
    kinds = [c.reference_kind for c in plan_references(load(), engine)]
    assert kinds == ["O2", "Li", "Li2O"]
    own = load(oxygen_reference={"scheme": "user", "mu_o": -5.0})
    assert plan_references(own, engine) == []
    assert plan_hosts(own, engine)[0].reference_uids == {}


def test_orderings_that_cannot_be_ranked_are_refused_beforehand(load, engine, tmp_path):
    """Without charges there is no electrostatics; a relaxed host must not be waited for."""
    from pymatgen.core import Lattice, Structure
    from pymatgen.io.cif import CifWriter

    odd = Structure(
        Lattice.cubic(6.0),
        ["Li", "Li", "Mg", "O"],
        [[0, 0, 0], [0.5, 0, 0], [0, 0.5, 0], [0.5] * 3],
    )
    CifWriter(odd).write_file(tmp_path / "odd.cif")
    delithiate = {"fraction": 0.5, "from": "relaxed", "rank": "electrostatics"}
    with pytest.raises(InputError, match=r"hosts\.0\.delithiate: "):
        plan_hosts(load({"structure": "odd.cif", "delithiate": delithiate}), engine)
