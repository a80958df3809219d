"""A LaunchPad and a JobStore on the test double of MongoDB, or on a real server.

``VACANCY_FLOWS_TEST_MONGO_URI=mongodb://host:port`` names the server; each test has databases
of its own there, which are dropped.
"""

import os
import sys
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

sys.path.insert(0, str(Path(__file__).parents[2]))  # the double is a package below tests/

REFERENCES = {"O2": -9.637, "Li1": -1.880, "Li2O1": -14.781}
JOBFLOW = """
JOB_STORE:
  docs_store: {{type: MongoStore, host: {host}, port: {port}, database: {name}_store,
    collection_name: outputs}}
  additional_stores:
    data: {{type: GridFSStore, host: {host}, port: {port}, database: {name}_store,
      collection_name: blobs}}
"""


@pytest.fixture(scope="session")
def mongo():
    """Host and port of a server; ``stop`` and ``start`` where it is the double."""
    uri = os.environ.get("VACANCY_FLOWS_TEST_MONGO_URI")
    if uri:
        host, port = parse_uri(uri)["nodelist"][0]
        yield SimpleNamespace(host=host, port=port, double=None)
        return
    from mongo_double import MongoDouble

    double = MongoDouble()
    double.start()
    yield SimpleNamespace(host="127.0.0.1", port=double.port, double=double)
    double.stop()


@dataclass
class Place:
    """Files of one LaunchPad and its JobStore, both empty at first."""

    folder: Path

    @property
    def launchpad(self):
        return self.folder / "my_launchpad.yaml"

    def open(self):
        from vacancy_flows.cluster.connection import open_cluster

        return open_cluster(self.launchpad)

    def fireworks(self, **query):
        """Fireworks on the LaunchPad, by name; without any query all of them."""
        fields = {"fw_id": 1, "name": 1, "state": 1, "spec": 1}
        return list(self.open().launchpad.fireworks.find(query, fields))

    def workflows(self):
        return {w["name"]: w for w in self.open().launchpad.workflows.find()}

    def uids(self):
        """How often each calculation is on the LaunchPad."""
        return Counter(fw["spec"]["uid"] for fw in self.fireworks(**{"spec.record": True}))

    def states(self):
        return Counter(fw["state"] for fw in self.fireworks())

    def check_whole(self, number=4):
        """Everything is done, once; nothing is left over."""
        cluster = self.open()
        failed = [
            cluster.launchpad.get_fw_by_id(fw["fw_id"]) for fw in self.fireworks(state="FIZZLED")
        ]
        assert not failed, failed[0].launches[-1].action
        assert set(self.states()) == {"COMPLETED"}, self.states()
        assert set(self.uids().values()) == {1}
        assert len(self.uids()) == number
        records = cluster.store.query({"metadata.record": True}, ["metadata.uid"])
        assert sorted(r["metadata"]["uid"] for r in records) == sorted(self.uids())
        workflows = list(cluster.launchpad.workflows.find())
        nodes = [node for workflow in workflows for node in workflow["nodes"]]
        assert sorted(nodes) == sorted(fw["fw_id"] for fw in self.fireworks())
        assert not any("locked" in workflow for workflow in workflows)


@pytest.fixture
def looked_for_at_once(monkeypatch, mongo):
    """The server is looked for again at once."""
    if mongo.double is None:
        pytest.skip("a real server is not interrupted")
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.01)
    monkeypatch.setattr("vacancy_flows.cluster.patience._PAUSE", (0.001, 0.01))


@pytest.fixture
def new_place(mongo, tmp_path):
    """Make a `Place`."""
    client, names = MongoClient(mongo.host, mongo.port), []

    def make(folder="cluster"):
        name = f"test_{uuid.uuid4().hex[:12]}"
        names.append(name)
        path = tmp_path / folder
        path.mkdir()
        text = f"host: {mongo.host}\nport: {mongo.port}\nname: {name}\n"
        (path / "my_launchpad.yaml").write_text(text)
        where = {"host": mongo.host, "port": mongo.port, "name": name}
        (path / "jobflow.yaml").write_text(JOBFLOW.format(**where))
        return Place(path)

    yield make
    for name in names:
        client.drop_database(name)
        client.drop_database(f"{name}_store")
    client.close()


@pytest.fixture
def place(new_place):
    return new_place()


@pytest.fixture
def invented(monkeypatch):
    """Relaxations that move nothing, with energies that depend on the cell; failures at will."""
    from vacancy_flows.engines.ase_relax import AseEngineRelaxMaker
    from vacancy_flows.errors import EngineError
    from vacancy_flows.schemas import Result

    state = SimpleNamespace(
        fail=lambda _: False, unconverged=lambda _: False, reason="invented", relaxed=[]
    )

    def relax(self, structure):
        formula = structure.composition.formula.replace(" ", "")
        state.relaxed.append(formula)
        if state.fail(formula):
            raise EngineError("invented failure")
        spread = float(np.square(structure.cart_coords).sum())
        converged = not state.unconverged(formula)
        return Result(
            structure=structure,
            energy=REFERENCES.get(formula, -6.0 * len(structure) + 1e-3 * spread),
            forces=[[0.0] * 3] * len(structure),
            max_force=0.0,
            converged=converged,
            reason="forces below fmax" if converged else state.reason,
        )

    monkeypatch.setattr(AseEngineRelaxMaker, "relax", relax)
    return state


@pytest.fixture
def launch(monkeypatch, tmp_path):
    """Run what is ready on a LaunchPad, in this process, to the end or for some launches."""
    import fireworks.core.rocket
    from fireworks import FWorker
    from fireworks.core.rocket_launcher import launch_rocket, rapidfire
    from jobflow import SETTINGS

    monkeypatch.setattr(fireworks.core.rocket, "ROCKET_STREAM_LOGLEVEL", "CRITICAL")
    here = tmp_path / "launches"
    here.mkdir()

    def run(place, number=0, **query):
        cluster = place.open()
        monkeypatch.setattr(SETTINGS, "JOB_STORE", cluster.store)
        with monkeypatch.context() as patch:
            patch.chdir(here)
            worker = FWorker("test", query=query)
            quiet = {"fworker": worker, "strm_lvl": "CRITICAL"}
            if number:
                for _ in range(number):
                    folder = here / uuid.uuid4().hex
                    folder.mkdir()
                    patch.chdir(folder)
                    launch_rocket(cluster.launchpad, **quiet)
            else:
                rapidfire(cluster.launchpad, m_dir=str(here), sleep_time=0.1, **quiet)
        return cluster

    return run


@pytest.fixture
def small(tools, tmp_path):
    """Write a campaign of one host and two strains (10 calculations), with changes."""

    def make(file="small.yaml", **changes):
        return tools.write(tmp_path / file, {**tools.small, "hosts": [tools.strained], **changes})

    return make


@pytest.fixture
def tiny(small, tools):
    """Write a campaign of four calculations: a host, a strained cell, two vacancies."""
    host = {**tools.strained, "strain": {"mode": "biaxial-ab", "values": [0.02]}}
    return small(hosts=[host], oxygen_reference={"scheme": "user", "mu_o": -1.92})


@pytest.fixture
def quick(monkeypatch):
    """Collect rows without tables, figures and report, which take seconds."""
    from vacancy_flows.cluster import collecting

    monkeypatch.setattr(collecting, "write_results", lambda *_: None)
