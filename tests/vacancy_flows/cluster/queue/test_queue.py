"""submit → qlaunch → SLURM → custodian → stand-in VASP → collect, on a real scheduler."""

import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from vacancy_flows.database import ResultsDatabase

sys.path.insert(0, str(Path(__file__).parents[3]))  # helpers are packages below tests/
from slurm_node import wait_until

RELAX = "relax: {fmax: 0.00001, max_steps: 100}"
SMALL = f"""
name: small
engine: vasp
settings: {{bader: false}}
hosts: [{{name: L, structure: Li2MnO3, cell: primitive}}]
strain: {{mode: biaxial-ab, values: [0.02]}}
sites: {{labels: [O-8j-1]}}
{RELAX}
oxygen_reference: {{scheme: user, mu_o: -1.92}}
"""
WHOLE = f"""
name: whole
engine: vasp
hosts:
- {{name: L, structure: Li2MnO3, cell: primitive}}
- {{name: D, structure: Li2MnO3, cell: primitive, delithiate: {{fraction: 0.25}}}}
strain: {{mode: biaxial-ab, values: [0.0, 0.02]}}
{RELAX}
oxygen_reference: {{scheme: O2}}
"""


@pytest.fixture
def spec(account):
    def write(text):
        path = account.folder / "campaign.yaml"
        path.write_text(text)
        return path

    return write


def check_same_as_local(account, spec):
    """Collect, run the campaign here, and compare the tables."""
    account.command("collect", spec, "-d", "collected")
    account.command("run", spec, "-d", "local")
    tables = [pd.read_csv(account.folder / d / "vacancies.csv") for d in ("collected", "local")]
    table, other = (t.set_index("uid").sort_index() for t in tables)
    assert len(table) > 0
    assert table.converged.all()
    assert table.index.tolist() == other.index.tolist()
    numbers = table.select_dtypes("number").columns
    words = [c for c in table.columns if c not in {*numbers, "reason", "notes"}]
    pd.testing.assert_frame_equal(table[words], other[words])
    pd.testing.assert_frame_equal(table[numbers], other[numbers], atol=2e-6, rtol=0)


def record_of(account, directory, title):
    """The stored record of a calculation."""
    found = ResultsDatabase(account.folder / directory / "results.db").records()
    return next(record for record in found if record.calculation.title == title)


def test_a_campaign_through_slurm_is_the_campaign_run_here(account, spec):
    """Cancelled in the middle of a relaxation too, which goes on from CONTCAR."""
    path = spec(SMALL)
    account.standin.fail({"fault": "slow", "match": ["relax-cell"], "seconds": 1.0})
    account.command("submit", path)
    with account.queue():
        job = account.running("host L relax free")
        account.slurm.run("scancel", job)
        account.wait_for("host L relax free", "FIZZLED")
        told = account.command("status", path, check=False)
        assert told.returncode == 1
        assert "FAILED host L: stopped by its queue" in told.stdout
        assert "1 runs start again, 0 of them were lost" in account.command("retry", path).stdout
        account.wait(150)
    assert set(account.states().values()) == {"COMPLETED"}, account.command("status").stdout
    check_same_as_local(account, path)
    check_went_on(record_of(account, "collected", "host L"))


def check_went_on(record):
    (entry,) = record.result.provenance["restarts"]
    assert entry["geometry"] == "CONTCAR"
    assert entry["steps"] >= 2


def cancel(account):
    """As a user or an administrator does, but at once."""
    job = account.running(RELAX_HOST)
    account.slurm.run("scancel", "--full", "--signal=KILL", job)


def set_down(account):
    account.running(RELAX_HOST)
    account.slurm.set_node("DOWN")
    account.wait_for(RELAX_HOST, "FIZZLED", "RUNNING")
    wait_until(lambda: not account.slurm.jobs(), 60)
    account.slurm.set_node("RESUME")


def be_gone(account):
    """The LaunchPad and the JobStore, for a minute, while VASP runs."""
    if account.mongo.double is None:
        pytest.skip("a real server is not stopped")
    account.running(RELAX_HOST)
    account.mongo.double.stop()
    time.sleep(60)
    account.mongo.double.start()


def end_walltime(account):
    account.running(RELAX_HOST)
    account.wait_for(RELAX_HOST, "FIZZLED", seconds=150)


def fill_disk(account):
    account.wait_for(RELAX_HOST, "FIZZLED", seconds=90)


RELAX_HOST = "host L relax free"
SLOW = {"fault": "slow", "match": ["relax-cell"], "seconds": 2.0}
VERY_SLOW = {**SLOW, "seconds": 15.0}
NO_SPACE = {"fault": "no_space", "match": ["relax-cell"], "times": None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("happens", "standin_does", "walltime"),
    [
        pytest.param(cancel, SLOW, "0:10:00", id="killed"),
        pytest.param(set_down, SLOW, "0:10:00", id="node down"),
        pytest.param(be_gone, SLOW, "0:10:00", id="launchpad gone"),
        pytest.param(end_walltime, VERY_SLOW, "0:03:00", id="walltime"),
        pytest.param(fill_disk, NO_SPACE, "0:10:00", id="no space"),
    ],
)
def test_whatever_happens_retry_finishes_everything_once(
    account, spec, happens, standin_does, walltime
):
    path = spec(SMALL)
    account.set_walltime(walltime, grace=100)
    account.standin.fail(standin_does)
    account.command("submit", path)
    with account.queue():
        happens(account)
    account.slurm.cancel_all()
    account.command("retry", path)
    account.standin.fail()
    account.set_walltime("0:10:00", grace=5)
    with account.queue():
        account.wait(200)
    assert set(account.states().values()) == {"COMPLETED"}, account.command("status").stdout
    check_same_as_local(account, path)
    if happens is not be_gone:
        assert record_of(account, "collected", "host L").result.provenance["restarts"]


@pytest.mark.slow
def test_two_hosts_and_two_strains_through_slurm(account, spec):
    path = spec(WHOLE)
    account.command("submit", path)
    with account.queue():
        account.wait(600)
    assert set(account.states().values()) == {"COMPLETED"}
    check_same_as_local(account, path)
