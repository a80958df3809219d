"""The Makers: the same campaign with any jobflow manager, and flows that FireWorks accepts."""

import pytest
from jobflow import Flow, JobStore, run_locally
from jobflow.core.flow import get_flow
from jobflow.managers.fireworks import flow_to_workflow
from maggma.stores import MemoryStore
from monty.json import MontyDecoder

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import EngineError, InputError
from vacancy_flows.flows import CalculationMaker, CampaignMaker, HostMaker, OxygenReferenceMaker
from vacancy_flows.flows.calculation import store_record
from vacancy_flows.flows.host import choose, follow
from vacancy_flows.plan import start
from vacancy_flows.schemas import Record

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


def jobs_of(flow):
    """Every job of a flow, through all flows inside it."""
    found = []
    for job in flow.jobs if isinstance(flow, Flow) else [flow]:
        found += jobs_of(job) if isinstance(job, Flow) else [job]
    return found


@pytest.fixture(scope="module")
def records(finished):
    """Records of the small campaign by kind; of host P first."""
    found = {}
    for record in ResultsDatabase(finished.directory / "results.db").records():
        found.setdefault(record.calculation.kind, []).append(record)
    for listed in found.values():
        listed.sort(key=lambda record: record.calculation.host, reverse=True)
    return found


def answers(records, plans, chgnet):
    """What each dynamic job returns when it is given what it waits for."""
    lithiated, delithiated = plans.hosts["P"], plans.hosts["D"]
    return {
        "host": follow.original(records["host"][0], lithiated, chgnet),
        "pristine": follow.original(records["pristine"][0], lithiated, chgnet),
        "choose": choose.original(records["candidate"], delithiated, chgnet),
    }


@pytest.fixture(scope="module", params=["host", "pristine", "choose"])
def replacement(request, records, plans, chgnet):
    return answers(records, plans, chgnet)[request.param].replace


def test_a_campaign_is_the_same_through_jobflow(finished, plans):
    """`run_locally` finds the uids and energies of `vacancy-flows run`."""
    store = JobStore(MemoryStore(), additional_stores={"data": MemoryStore()})
    flow = CampaignMaker().make(plans.campaign)
    run_locally(flow, store=store, log=False, raise_immediately=True)
    found = {}
    for document in store.query({"name": {"$regex": "record$"}}):
        record = MontyDecoder().process_decoded(document["output"])
        assert isinstance(record, Record)
        assert record.uid not in found
        found[record.uid] = record
    wanted = {r.uid: r for r in ResultsDatabase(finished.directory / "results.db").records()}
    energies = {uid: record.result.energy for uid, record in wanted.items()}
    assert {uid: r.result.energy for uid, r in found.items()} == pytest.approx(energies, abs=1e-4)
    for uid, record in found.items():
        assert record.calculation.kind == wanted[uid].calculation.kind
        assert record.calculation.pristine_uid == wanted[uid].calculation.pristine_uid
        assert record.calculation.site == wanted[uid].calculation.site

    names = [document["name"] for document in store.query(properties=["name"])]
    assert len(set(names)) == len(names)
    for document in store.query(properties=["name", "metadata"]):
        metadata = document["metadata"]
        assert metadata["engine"] == "chgnet", document["name"]
        assert metadata["campaign"] == "small", document["name"]
        assert (
            "uid" in metadata
            or "what follows" in document["name"]
            or "rank orderings" in document["name"]
            or document["name"] == "check of the oxygen references"
        )


def test_what_a_dynamic_job_returns_converts_without_outside_references(replacement):
    converted = get_flow(replacement)
    assert jobs_of(converted)


def test_what_a_dynamic_job_returns_becomes_a_workflow(replacement):
    store = JobStore(MemoryStore())
    workflow = flow_to_workflow(get_flow(replacement), store)
    assert len(workflow.fws) == len(jobs_of(replacement))


def test_the_whole_campaign_becomes_a_workflow(plans):
    flow = CampaignMaker().make(plans.campaign)
    workflow = flow_to_workflow(flow, JobStore(MemoryStore()))
    # relaxation and record of 3 references, 1 host and 3 candidates; the guard; two decisions
    assert len(workflow.fws) == 2 * 7 + 1 + 2


def test_names_in_a_replacement_are_unique(replacement):
    names = [job.name for job in jobs_of(replacement)]
    assert len(set(names)) == len(names) > 1


def test_every_job_of_a_replacement_says_what_it_is(replacement):
    for job in jobs_of(replacement):
        assert job.metadata["campaign"] == "small", job.name
        assert job.metadata["host"] in "PD", job.name
        assert job.metadata["engine"] == "chgnet", job.name
        if job.name.endswith("record"):
            assert job.metadata["uid"] in job.name


def test_every_job_of_a_campaign_says_what_it_is(plans):
    jobs = jobs_of(CampaignMaker().make(plans.campaign))
    assert all(job.metadata["engine"] == "chgnet" for job in jobs)
    assert all(job.metadata["campaign"] == "small" for job in jobs)
    kinds = {job.metadata.get("kind") for job in jobs}
    assert kinds == {"reference", "host", "candidate", None}


def test_what_follows_what(records, plans, chgnet):
    kinds = {
        name: sorted({job.metadata.get("kind", "decision") for job in jobs_of(answer.replace)})
        for name, answer in answers(records, plans, chgnet).items()
    }
    assert kinds == {
        "host": ["decision", "pristine"],
        "pristine": ["vacancy"],
        "choose": ["decision", "pristine"],
    }


def test_a_choice_says_which_orderings_were_kept(records, plans, chgnet):
    answer = choose.original(records["candidate"], plans.hosts["D"], chgnet)
    lowest = min(records["candidate"], key=lambda record: record.result.energy)
    assert answer.output == {lowest.uid: 0}


def unconverged(record):
    cut = {"converged": False, "reason": "stopped at its limit of 1 steps"}
    return record.model_copy(update={"result": record.result.model_copy(update=cut)})


@pytest.mark.parametrize("kind", ["host", "pristine"])
def test_nothing_follows_what_did_not_converge(records, plans, chgnet, kind):
    record = unconverged(records[kind][0])
    with pytest.raises(EngineError, match=r"did not converge .*limit of 1 steps.*max_steps"):
        follow.original(record, plans.hosts["P"], chgnet)


def test_no_choice_among_candidates_that_did_not_converge(records, plans, chgnet):
    cut = [unconverged(record) for record in records["candidate"]]
    with pytest.raises(EngineError, match="no ordering of D converged"):
        choose.original(cut, plans.hosts["D"], chgnet)
    answer = choose.original(
        [records["candidate"][1], *cut[:1], *cut[2:]], plans.hosts["D"], chgnet
    )
    assert list(answer.output) == [records["candidate"][1].uid]


def test_free_fixed_is_two_relaxations(records, chgnet):
    calculation = records["vacancy"][0].calculation.model_copy(update={"cell": "free-fixed"})
    flow = CalculationMaker(engine=chgnet).make(calculation)
    first, second, record = flow.jobs
    assert first.maker.relax_cell
    assert not second.maker.relax_cell
    assert second.function_args[0].uuid == first.uuid  # starts where the first one ended
    assert record.name.endswith("record")
    assert len({job.name for job in flow.jobs}) == 3


@pytest.mark.parametrize("cell", ["free", "fixed"])
def test_other_calculations_are_one_relaxation(records, chgnet, cell):
    calculation = records["vacancy"][0].calculation.model_copy(update={"cell": cell})
    relax, _ = CalculationMaker(engine=chgnet).make(calculation).jobs
    assert relax.maker.relax_cell == (cell == "free")
    assert (relax.maker.fmax, relax.maker.steps) == (calculation.fmax, calculation.max_steps)


def test_a_record_is_as_converged_as_the_free_cell_before_it(records, chgnet):
    record = records["vacancy"][0]
    before = unconverged(record).result
    stored = store_record.original(record.calculation, record.result, chgnet, [before])
    assert not stored.result.converged
    assert stored.result.reason == "free cell: stopped at its limit of 1 steps"
    good = store_record.original(record.calculation, record.result, chgnet, [record.result])
    assert good.result.converged


@pytest.mark.parametrize(
    ("calls", "total"), [((30, 12), 42), ((None, 12), None), ((30, None), None)]
)
def test_a_record_counts_the_work_of_all_its_relaxations(records, chgnet, calls, total):
    record = records["vacancy"][0]
    free, fixed = (
        record.result.model_copy(
            update={"n_steps": n, "force_calls": c, "wall_s": 1.5 * n, "cpu_s": 1.25 * n}
        )
        for n, c in zip((20, 4), calls, strict=True)
    )
    stored = store_record.original(record.calculation, fixed, chgnet, [free]).result
    assert (stored.n_steps, stored.wall_s, stored.cpu_s) == (24, 36.0, 30.0)
    assert stored.force_calls == total
    assert stored.energy == fixed.energy


def test_no_record_without_a_result(records, chgnet):
    with pytest.raises(EngineError, match=r"vacancy .*: its relaxation failed"):
        store_record.original(records["vacancy"][0].calculation, None, chgnet, [])


def test_only_the_record_is_marked_as_one(records, chgnet):
    calculation = records["vacancy"][0].calculation.model_copy(update={"cell": "free-fixed"})
    flow = CalculationMaker(engine=chgnet).make(calculation)
    assert [job.metadata.get("record", False) for job in flow.jobs] == [False, False, True]


def test_a_free_cell_of_a_vacancy_ends_with_the_energy_of_the_fixed_run(
    tools, tmp_path, plans, chgnet, records
):
    """relax.cell: free: the relaxed cell differs from the pristine one, the record is fixed."""
    calculation = records["vacancy"][0].calculation
    free = calculation.model_copy(update={"cell": "free-fixed"})
    store = JobStore(MemoryStore())
    flow = CalculationMaker(engine=chgnet).make(free)
    responses = run_locally(flow, store=store, log=False, raise_immediately=True)
    first, second, record = (responses[job.uuid][1].output for job in flow.jobs)
    assert record.result.energy == second.energy
    assert first.structure.lattice == second.structure.lattice
    assert first.structure.lattice != calculation.structure.lattice


def test_references_map_kinds_to_records(plans, chgnet):
    flow = OxygenReferenceMaker(engine=chgnet).make(plans.campaign)
    assert set(flow.output) == {"O2", "Li", "Li2O"}
    free = {
        job.name.split("reference ")[1][:4].split()[0]: job.maker.relax_cell
        for job in jobs_of(flow)
        if job.maker is not None
    }
    assert free == {"O2": False, "Li": True, "Li2O": True}


def test_no_references_with_a_users_mu_o(tools, tmp_path):
    content = {**tools.small, "oxygen_reference": {"scheme": "user", "mu_o": -5.0}}
    campaign = load_campaign(tools.write(tmp_path / "own.yaml", content))
    kinds = {job.metadata.get("kind") for job in jobs_of(CampaignMaker().make(campaign))}
    assert "reference" not in kinds


def test_a_host_alone_from_python(plans, chgnet):
    flow = HostMaker(engine=chgnet).make(plans.hosts["P"])
    (expected,) = start(plans.hosts["P"])
    assert {job.metadata.get("uid") for job in jobs_of(flow)} == {expected.uid, None}


def test_a_campaign_made_in_python_is_checked_too(plans):
    wrong = plans.campaign.model_copy(update={"engine": "chgnt"})
    with pytest.raises(InputError, match="unknown engine 'chgnt'"):
        CampaignMaker().make(wrong)
