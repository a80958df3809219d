"""Jobs of every engine, as FireWorks writes them to its database and reads them again."""

import json

import pytest
from fireworks import Firework

from vacancy_flows.campaign import Campaign
from vacancy_flows.cluster.finished import finished_records
from vacancy_flows.cluster.submitting import prepared, submit_here
from vacancy_flows.cluster.tasks import CalculationTask
from vacancy_flows.cluster.workflows import calculation_fireworks
from vacancy_flows.engines import get_engine
from vacancy_flows.plan import after, start
from vacancy_flows.planning import plan_hosts

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib"),
    pytest.mark.filterwarnings("ignore:POTCAR data"),
]
BOUNDARY = {
    "name": "B",
    "structure": {"boundary": "twin_104"},
    "delithiate": {"fraction": 0.875},
    "sites": {"within": 1.0, "boundary": 1},
    "relax": {"free_within": 4.0},
}
HOST = {"name": "P", "structure": "Li2MnO3", "cell": "primitive"}


@pytest.mark.parametrize(
    ("engine", "settings", "jobs"),
    [
        ("chgnet", {}, ["relax free", "record"]),
        ("chgnet-r2scan", {}, ["relax free", "record"]),
        ("vasp", {"u": {"Mn": 3.5}}, ["relax free", "relax free result", "record"]),
        ("gpaw", {"u": {"Mn": 3.5}}, ["prerelax chgnet", "geometry", "relax free", "record"]),
    ],
)
def test_every_engine_comes_back_with_its_settings(engine, settings, jobs):
    content = {"name": "small", "engine": engine, "settings": settings, "hosts": [HOST]}
    campaign = Campaign.model_validate(content)
    found = get_engine(campaign.engine, campaign.settings)
    (calculation,) = start(plan_hosts(campaign, found)[0])
    fireworks = calculation_fireworks(calculation, found, {"settings": "0"})
    assert [fw.name.removeprefix(f"{calculation.uid} host P ") for fw in fireworks] == jobs
    for firework in fireworks:
        again = Firework.from_dict(json.loads(json.dumps(firework.to_dict(), default=str)))
        job, same = firework.tasks[0]["job"], again.tasks[0]["job"]
        assert type(same.maker) is type(job.maker)
        category = "big" if "relax" in firework.name and "result" not in firework.name else "small"
        assert firework.spec["_category"] == category
        if engine in {"vasp", "gpaw"} and firework.name.endswith("relax free"):
            inputs = same.maker.settings if engine == "gpaw" else same.maker.input_set_generator
            assert getattr(inputs, "settings", inputs).u == {"Mn": 3.5}
    text = json.loads(json.dumps(CalculationTask.of(calculation, found, {}).to_dict()))
    assert str(calculation.uid) in text["calculation"]


def test_a_boundary_goes_on_as_planned(place, small, invented, launch):
    spec = small(hosts=[BOUNDARY])
    submit_here(spec, place.launchpad)
    store = launch(place).store
    assert set(place.states()) == {"COMPLETED"}
    (plan,) = prepared(spec).plans
    expected = [c for c in start(plan) if c.kind == "host"]
    found = finished_records(store, list(place.uids()))
    for calculation in expected:
        expected += after(plan, found[calculation.uid])
    uids = {c.uid for c in expected} | set(plan.reference_uids.values())
    assert place.uids() == dict.fromkeys(uids, 1)
    moved = [c.structure.site_properties.get("selective_dynamics") for c in expected]
    assert any(moved)
