"""Campaigns as flows: what hosts share, the guard of the references, orderings that fail.

The energies are invented (no model runs), so that whole campaigns take a second.
"""

from collections import Counter
from types import SimpleNamespace

import pytest
from jobflow import Flow, JobStore, OnMissing, run_locally
from jobflow.managers.fireworks import flow_to_workflow
from maggma.stores import MemoryStore
from monty.json import MontyDecoder

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines.ase_relax import AseEngineRelaxMaker
from vacancy_flows.errors import EngineError, InputError
from vacancy_flows.flows import CampaignMaker
from vacancy_flows.flows.host import choose, follow
from vacancy_flows.guard import mu_o_of
from vacancy_flows.rawstore import RawStore
from vacancy_flows.repair import repair_directory
from vacancy_flows.schemas import Result

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")

REFERENCES = {"O2": -9.637, "Li1": -1.880, "Li2O1": -14.781}
RELAXED = {
    "name": "R",
    "structure": "Li2MnO3",
    "cell": "primitive",
    "delithiate": {"fraction": 0.25, "from": "relaxed"},
}


@pytest.fixture
def invented(monkeypatch):
    """Relaxations that move nothing; some references and failures at will."""
    state = SimpleNamespace(energies=dict(REFERENCES), fail=lambda _: False, relaxed=[])

    def relax(self, structure):
        formula = structure.composition.formula.replace(" ", "")
        state.relaxed.append(formula)
        if state.fail(formula):
            raise EngineError("invented failure")
        energy = state.energies.get(formula, -6.0 * len(structure) + 0.01 * len(state.relaxed))
        return Result(
            structure=structure,
            energy=energy,
            forces=[[0.0] * 3] * len(structure),
            max_force=0.0,
            converged=True,
            reason="forces below fmax",
        )

    monkeypatch.setattr(AseEngineRelaxMaker, "relax", relax)
    return state


@pytest.fixture
def campaign(tools, tmp_path):
    """Write and read a campaign of some hosts."""

    def make(*hosts, **changes):
        content = {**tools.small, "hosts": list(hosts), **changes}
        return load_campaign(tools.write(tmp_path / "campaign.yaml", content))

    return make


def jobs_of(flow):
    """Every job of a flow, through all flows inside it."""
    found = []
    for job in flow.jobs:
        found += jobs_of(job) if isinstance(job, Flow) else [job]
    return found


def run(campaign, **how):
    """Run a campaign; its store, and the records in it."""
    store = JobStore(MemoryStore())
    run_locally(CampaignMaker().make(campaign), store=store, log=False, **how)
    outputs = [document["output"] for document in store.query({"metadata.record": True})]
    return store, [MontyDecoder().process_decoded(output) for output in outputs]


def kinds(records):
    return Counter(record.calculation.kind for record in records)


def test_hosts_calculate_what_they_share_once(campaign, tools, invented):
    small = campaign(tools.strained, RELAXED)
    jobs = jobs_of(CampaignMaker().make(small))
    uids = [job.metadata["uid"] for job in jobs if job.metadata.get("record")]
    assert len(uids) == len(set(uids)) == 4  # 3 references, 1 host
    follows = [job for job in jobs if "what follows" in job.name]
    assert [job.metadata["host"] for job in follows] == ["P", "R"]

    _, records = run(small, raise_immediately=True)
    assert len({record.uid for record in records}) == len(records)
    assert invented.relaxed.count("Li4Mn2O6") == 1 + 2  # the host, two strained cells of P
    found = Counter((r.calculation.host, r.calculation.kind) for r in records)
    assert found["P", "host"] == 1
    assert found["P", "pristine"] == 2
    assert found["R", "candidate"] == 3
    assert found["R", "pristine"] == 1
    assert found["R", "vacancy"] == 2


def test_hosts_that_share_orderings_keep_their_own_ranks(campaign, invented):
    """By the engine and by electrostatics: the calculation is one, its rank is not."""
    delithiate = {"fraction": 0.5, "keep": 2}
    by_engine = {**RELAXED, "name": "E", "delithiate": delithiate}
    electrostatic = {**by_engine, "name": "C"}
    electrostatic["delithiate"] = {**delithiate, "rank": "electrostatics"}
    jobs = jobs_of(CampaignMaker().make(campaign(by_engine, electrostatic)))
    uids = [job.metadata["uid"] for job in jobs if job.metadata.get("record")]
    assert len(uids) == len(set(uids))
    follows = [job for job in jobs if "what follows" in job.name]
    assert [job.function_args[3]["host"] for job in follows] == ["C", "C"]
    assert [job.function_args[3]["ordering"] for job in follows] == [0, 1]


def test_a_follower_goes_on_under_its_own_names(finished, plans, chgnet):
    records = ResultsDatabase(finished.directory / "results.db").records()
    host = next(r for r in records if r.calculation.kind == "host")
    answer = follow.original(host, plans.hosts["P"], chgnet, {"ordering": 3, "host": "Q"})
    orders = {
        job.function_args[0].ordering for job in jobs_of(answer.replace) if "record" in job.metadata
    }
    assert orders == {3}


def test_a_shared_campaign_becomes_a_workflow(campaign, tools):
    flow = CampaignMaker().make(campaign(tools.strained, RELAXED))
    workflow = flow_to_workflow(flow, JobStore(MemoryStore()))
    assert len(workflow.fws) == 2 * 4 + 1 + 2
    parents = {fw.name: workflow.links.parent_links.get(fw.fw_id, []) for fw in workflow.fws}
    follows = [name for name in parents if "what follows" in name]
    assert len(follows) == 2
    assert len({tuple(sorted(parents[name])) for name in follows}) == 1
    assert len(parents["check of the oxygen references"]) == 3


def test_references_that_disagree_let_nothing_be_built_on_them(campaign, tools, invented):
    invented.energies["O2"] += 1.36
    small = campaign(*tools.small["hosts"])
    with pytest.raises(InputError, match="oxygen_reference: the oxygen references disagree"):
        run(small, raise_immediately=True)
    with pytest.raises(RuntimeError, match="did not finish"):
        run(small, ensure_success=True)
    store, records = run(small)
    assert kinds(records) == {"reference": 3, "host": 1, "candidate": 3}
    assert store.query_one({"name": "check of the oxygen references"}) is None
    assert store.query_one({"name": {"$regex": "what follows|rank orderings"}}) is None


def test_references_that_agree_give_mu_o(campaign, tools, invented):
    store, records = run(campaign(tools.strained), raise_immediately=True)
    document = store.query_one({"name": "check of the oxygen references"})
    assert document["output"] == pytest.approx(-9.637 / 2)
    assert kinds(records)["vacancy"] == 4


def test_no_guard_with_a_users_mu_o(campaign, tools, invented):
    own = campaign(tools.strained, oxygen_reference={"scheme": "user", "mu_o": -5.0})
    store, records = run(own, raise_immediately=True)
    assert store.query_one({"name": "check of the oxygen references"}) is None
    assert kinds(records) == {"host": 1, "pristine": 2, "vacancy": 4}


def test_the_guard_itself(plans, make_record, tmp_path):
    energies = {"O2": -9.637, "Li": -1.880, "Li2O": -14.781}
    references = {
        kind: make_record(energy=2 * energy, operation={"units": 2})
        for kind, energy in energies.items()
    }
    block = plans.campaign.oxygen_reference
    assert mu_o_of(block, "mp2020", references) == pytest.approx(-9.637 / 2)
    own = block.model_validate({"scheme": "user", "mu_o": -5.0})
    assert mu_o_of(own, "mp2020", {}) == -5.0
    path = tmp_path / "campaign.yaml"
    with pytest.raises(InputError, match=r"campaign\.yaml: oxygen_reference: .*disagree"):
        mu_o_of(block, "pbe", references, file=path)
    with pytest.raises(InputError, match="energies missing on scale 'mp2020': Li"):
        mu_o_of(block, "mp2020", {"O2": references["O2"]})


def failing(*positions):
    """Fail at some of the relaxations of an ordering of D, counted from 0."""
    seen = []

    def fail(formula):
        if formula != "Li3Mn2O6":
            return False
        seen.append(formula)
        return len(seen) - 1 in positions

    return fail


@pytest.mark.parametrize("lost", [(0,), (2,), (0, 1)])
def test_orderings_that_finish_are_ranked_without_those_that_fail(campaign, tools, invented, lost):
    invented.fail = failing(*lost)
    store, records = run(campaign(tools.small["hosts"][1]))
    assert kinds(records)["candidate"] == 3 - len(lost)
    assert kinds(records)["pristine"] == 1
    assert kinds(records)["vacancy"] > 0
    assert len(store.query_one({"name": "rank orderings of D"})["output"]) == 1


def test_a_host_whose_orderings_all_fail_fails(campaign, tools, invented):
    invented.fail = failing(0, 1, 2)
    store, records = run(campaign(tools.small["hosts"][1]))
    assert kinds(records) == {"reference": 3}
    assert store.query_one({"name": "rank orderings of D"}) is None


def test_a_choice_of_nothing_says_why(plans, chgnet):
    with pytest.raises(EngineError, match=r"no ordering of D converged, 2 of 2 failed: see why"):
        choose.original([None, None], plans.hosts["D"], chgnet)
    with pytest.raises(EngineError, match="oxygen references failed or disagree"):
        choose.original([], plans.hosts["D"], chgnet, None)


def test_fireworks_ranks_orderings_when_one_is_fizzled(plans):
    workflow = flow_to_workflow(CampaignMaker().make(plans.campaign), JobStore(MemoryStore()))
    parents = workflow.links.parent_links

    def end(fw_id, state):
        workflow.id_fw[fw_id].state = workflow.fw_states[fw_id] = state

    (decision,) = [fw.fw_id for fw in workflow.fws if fw.name == "rank orderings of D"]
    records = [i for i in parents[decision] if workflow.id_fw[i].name.endswith("record")]
    assert len(records) == 3
    for fw_id in set(parents[decision]) - set(records[:1]):
        end(fw_id, "COMPLETED")
    (relaxation,) = parents[records[0]]
    end(relaxation, "FIZZLED")
    workflow.refresh(records[0])
    assert workflow.fw_states[records[0]] == "READY"  # to say that it has no result
    end(records[0], "FIZZLED")
    workflow.refresh(decision)
    assert workflow.fw_states[decision] == "READY"


def test_only_orderings_may_lack_what_they_wait_for(plans):
    jobs = jobs_of(CampaignMaker().make(plans.campaign))
    tolerant = [job for job in jobs if job.config.on_missing_references is not OnMissing.ERROR]
    assert len(tolerant) == 3 + 1
    assert all(job.name.startswith("rank") or "candidate" in job.name for job in tolerant)


def test_a_directory_written_by_jobflow_alone_can_be_repaired(campaign, tools, invented, tmp_path):
    directory = tmp_path / "raw"
    raw = RawStore(directory)
    flow = CampaignMaker().make(campaign(tools.strained))
    run_locally(flow, store=raw.store, log=False, raise_immediately=True)
    assert len(raw.uids()) == 3 + 1 + 2 + 4
    raw.close()
    assert "10 calculations rebuilt" in repair_directory(directory)
    assert len(ResultsDatabase(directory / "results.db").uids()) == 10
