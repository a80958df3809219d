"""Campaigns that take seconds (12 atoms, CHGNet at loose fmax), and hand-made records."""

import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from filelock import FileLock
from pymatgen.core import Lattice, Structure
from ruamel.yaml import YAML

from vacancy_flows import cli as command_line
from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.commands import run_here
from vacancy_flows.engines import get_engine
from vacancy_flows.planning import plan_hosts, plan_references
from vacancy_flows.schemas import Calculation, Record, Result

ROOT = Path(__file__).parents[2]
RELAX = {"fmax": 0.3, "max_steps": 100}
# 12 atoms, two strains: 3 references, 1 host, 2 pristine cells, 2 x 2 vacancies
STRAINED = {
    "name": "P",
    "structure": "Li2MnO3",
    "cell": "primitive",
    "strain": {"mode": "biaxial-ab", "values": [0.0, 0.02]},
}
# 12 atoms less one Li: 3 candidates, 1 pristine cell, 2 vacancies
DELITHIATED = {
    "name": "D",
    "structure": "Li2MnO3",
    "cell": "primitive",
    "delithiate": {"fraction": 0.25},
}
SMALL = {"name": "small", "engine": "chgnet", "hosts": [STRAINED, DELITHIATED], "relax": RELAX}
KINDS = {"reference": 3, "host": 1, "candidate": 3, "pristine": 3, "vacancy": 6}


def write(path, content):
    """Write a campaign file."""
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(content, file)
    return path


def executable():
    """The installed command, as a user calls it."""
    name = shutil.which("vacancy-flows", path=sysconfig.get_path("scripts"))
    code = "from vacancy_flows.cli import main; main()"
    return [name] if name else [sys.executable, "-c", code]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}


def stored(directory):
    """Every row of results.db as SQLite holds it, times of writing included."""
    with sqlite3.connect(directory / "results.db") as connection:
        return connection.execute("SELECT * FROM systems ORDER BY unique_id").fetchall()


def run_to_end(spec, directory, workers=2):
    command = [*executable(), "run", str(spec), "-d", str(directory), "--workers", str(workers)]
    return subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=600, check=False
    )


@pytest.fixture(scope="session")
def tools():
    """Helpers that are shared between files: what conftest defines above."""
    return SimpleNamespace(
        environment=environment,
        executable=executable,
        kinds=KINDS,
        relax=RELAX,
        root=ROOT,
        run_to_end=run_to_end,
        small=SMALL,
        strained=STRAINED,
        stored=stored,
        write=write,
    )


@pytest.fixture(scope="session")
def chgnet():
    return get_engine("chgnet")


@pytest.fixture(scope="session")
def engine(chgnet):
    return chgnet


@pytest.fixture(scope="session")
def example():
    """The example campaign as its file describes it."""
    return load_campaign(ROOT / "examples" / "li2mno3_tensile.yaml")


@pytest.fixture
def campaign_file(tmp_path):
    """Write a good campaign of one host, with some keys changed or (None) left out."""

    def make(host=None, *, text=None, **changes):
        path = tmp_path / "campaign.yaml"
        if text is not None:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            return path
        good = {"name": "test", "engine": "chgnet"}
        good["hosts"] = [{"name": "A", "structure": "Li2MnO3"} | (host or {})]
        content = {key: value for key, value in (good | changes).items() if value is not None}
        return write(path, content)

    return make


@pytest.fixture
def load(campaign_file):
    """Write a campaign as `campaign_file` does, and read it."""

    def read(host=None, **changes):
        return load_campaign(campaign_file(host, **changes))

    return read


@pytest.fixture(scope="session")
def host12():
    """The 12-atom cell as built, labelled."""
    from vacancy_flows.structures import built_in_host, prepare_host

    return prepare_host(built_in_host("Li2MnO3", "primitive"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The small campaign, run to its end in this process. Never write into it: `copy`."""
    folder = tmp_path_factory.getbasetemp() / "finished"
    if "PYTEST_XDIST_WORKER" in os.environ:  # once for all workers: theirs lies one folder deeper
        folder = tmp_path_factory.getbasetemp().parent / "finished"
    folder.mkdir(exist_ok=True)
    spec, done = folder / "small.yaml", folder / "status"
    with FileLock(folder / "lock"):
        if not done.exists():
            write(spec, SMALL)
            done.write_text(str(run_here(spec, folder / "out", 1)))
    return SimpleNamespace(spec=spec, directory=folder / "out", status=int(done.read_text()))


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished small campaign, to write into."""
    directory = tmp_path / "copy"
    shutil.copytree(finished.directory, directory)
    return SimpleNamespace(spec=finished.spec, directory=directory)


@pytest.fixture(scope="session")
def plans(finished, chgnet):
    """Campaign, plans and references of the small campaign."""
    campaign = load_campaign(finished.spec)
    found = {plan.host: plan for plan in plan_hosts(campaign, chgnet)}
    return SimpleNamespace(
        campaign=campaign, hosts=found, references=plan_references(campaign, chgnet)
    )


@pytest.fixture(scope="session")
def example_run(tmp_path_factory):
    """examples/li2mno3_tensile.yaml through the command line, two workers (about 80 s)."""
    directory = tmp_path_factory.mktemp("example")
    done = run_to_end(ROOT / "examples" / "li2mno3_tensile.yaml", directory)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(directory / "vacancies.csv", keep_default_na=False, na_values=[""])
    return SimpleNamespace(directory=directory, out=done.stdout, err=done.stderr, table=table)


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Run the command line in this process, ``main`` included; an own empty directory."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        texts = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["vacancy-flows", *texts])
        runner = CliRunner()
        with runner.isolation() as streams:
            try:
                command_line.main()
                status = 0
            except SystemExit as end:
                status = end.code or 0
            out, err = streams[0].getvalue().decode(), streams[1].getvalue().decode()
        return SimpleNamespace(status=status, out=out, err=err)

    return run


@pytest.fixture
def make_record():
    """Make a record by hand; energies, forces, stresses and moments are invented."""

    def make(uid="u0", kind="vacancy", energy=-20.0, **more):
        structure = Structure(
            Lattice([[3.1, 0.0, 0.0], [0.4, 4.2, 0.0], [-0.7, 0.3, 5.3]]),
            ["Li", "Mn", "O"],
            # outside [0, 1): a relaxation does not wrap, and neither may a store
            [[-0.02, 0.1, 1.3], [0.5, 0.51, 0.49], [0.25, -0.25, 0.75]],
            site_properties={
                "label": ["Li-2b-1", "Mn-4g-1", "O-8j-2"],
                "selective_dynamics": [[True] * 3, [True] * 3, [False] * 3],
            },
            properties={"axes": [[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]},
        )
        result = {
            "structure": structure,
            "energy": energy,
            "forces": np.linspace(-0.01, 0.012, 9).reshape(3, 3).tolist(),
            "stress": [[0.01, 0.002, 0.003], [0.002, -0.02, 0.004], [0.003, 0.004, 0.03]],
            "moments": [0.0, 3.1, -0.05],
            "max_force": 0.0207,
            "converged": True,
            "reason": "forces below fmax",
            "provenance": {"code": "invented"},
        }
        result |= more.pop("result", {})
        calculation = {
            "uid": uid,
            "kind": kind,
            "parent_uid": "uparent",
            "operation": {"vacancy": "O-8j-1", "relax": {"cell": "fixed", "fmax": 0.01}},
            "structure": structure,
            "cell": "fixed",
            "fmax": 0.01,
            "max_steps": 500,
            "campaign": "invented",
            "host": "H",
            "n_atoms": 4,
        }
        settings = {"engine": "chgnet", "energy_scale": "mp2020", "fingerprint": {"code": "x"}}
        settings |= more.pop("record", {})
        return Record(
            calculation=Calculation(**(calculation | more)), result=Result(**result), **settings
        )

    return make
