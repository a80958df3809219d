"""What VASP gives, the ionic steps above all, is more than a document of MongoDB may hold."""

import sys
from pathlib import Path

import pytest

from vacancy_flows.cluster.finished import finished_records
from vacancy_flows.cluster.submitting import submit_here

sys.path.insert(0, str(Path(__file__).parents[2]))  # the stand-in is a package below tests/

pytestmark = [
    pytest.mark.filterwarnings("ignore:POTCAR data"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib"),
]


# ruff: noqa: PLR0917  # fixtures


def test_ionic_steps_go_into_the_store_for_large_data(
    place, small, tools, launch, tmp_path, monkeypatch
):
    from standin_vasp.install import install

    install(tmp_path / "standin", monkeypatch)
    host = {**tools.strained, "sites": {"labels": ["O-8j-1"]}, "strain": {"mode": "biaxial-ab"}}
    host["strain"]["values"] = [0.02]
    reference = {"scheme": "user", "mu_o": -1.92}
    settings = {"bader": False}
    spec = small(engine="vasp", hosts=[host], oxygen_reference=reference, settings=settings)
    submit_here(spec, place.launchpad)
    store = launch(place).store
    assert set(place.states()) == {"COMPLETED"}
    documents = list(store.query({"name": {"$regex": "relax (free|fixed)$"}}, load=False))
    assert len(documents) == 3
    for document in documents:
        kept = document["output"]["calcs_reversed"]
        assert kept["store"] == "data"
    whole = store.query_one({"uuid": documents[0]["uuid"]}, load=True)
    assert len(whole["output"]["calcs_reversed"][0]["output"]["ionic_steps"]) > 1
    uids = [document["metadata"]["uid"] for document in documents]
    assert all(r.result.converged for r in finished_records(store, uids).values())
