"""submit → qlaunch → SLURM → custodian → stand-in VASP → collect, on a real scheduler."""

import contextlib
import re
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
import pytest

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.rawstore import RawStore

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
settings: {{bader: false}}
hosts:
- {{name: L, structure: Li2MnO3, cell: primitive}}
- {{name: D, structure: Li2MnO3, cell: primitive, delithiate: {{fraction: 0.25}}}}
strain: {{mode: biaxial-ab, values: [0.0, 0.02]}}
{RELAX}
oxygen_reference: {{scheme: O2}}
"""
LONG = 1800  # s, where cores are shared; nothing waits longer than it must
HOST = "host L relax free"
ORDERINGS = ("candidate D without Li-2b-1", "candidate D without Li-2c-1")
RELAXATIONS = {"match": ["Mn2 O6", "relax-cell"], "times": None}
SLOW = {"fault": "slow", "seconds": 1.5, **RELAXATIONS}
HANG = {"fault": "hang", "steps": 3, **RELAXATIONS}
NO_SPACE = {"fault": "no_space", "match": ["| Li1 |"], "times": None}


@pytest.fixture
def spec(account):
    def write(text):
        path = account.folder / "campaign.yaml"
        path.write_text(text)
        return path

    return write


def test_a_campaign_through_slurm_and_every_trouble_is_the_campaign_run_here(account, spec):
    path = spec(WHOLE)
    with run_here(account, path):
        account.standin.fail(NO_SPACE, HANG)
        account.command("submit", path)
        with account.queue() as launcher:
            trouble(account, launcher)
        check_status(account.command("status", path, check=False))
        told = account.command("retry", path).stdout
        assert re.search(r"\d runs start again, [1-9] of them were lost", told), told
        account.standin.fail()
        account.pack()
        with account.queue(packed=2):
            account.wait()
        assert set(account.states().values()) == {"COMPLETED"}, account.command("status").stdout
    collect_twice_at_once(account, path)
    check_same_as_local(account)
    check_stored_once(account)
    check_went_on(record_of(account, "host L"))


def trouble(account, launcher):
    """A full disk, scancel, a kill, a LaunchPad that is gone, a node that is set DOWN."""
    account.wait_for("reference Li relax free", "FIZZLED")
    account.slurm.run("scancel", account.running(HOST))
    account.wait_for(f"{HOST} result", "FIZZLED")  # by the job of small runs, after the scancel
    account.slurm.kill(account.running(f"{ORDERINGS[0]} relax free"))
    account.running(f"{ORDERINGS[1]} relax free")
    if account.mongo.double is not None:
        be_gone(account, seconds=5)
    assert launcher.poll() is None
    set_down(account)


def be_gone(account, seconds):
    """The LaunchPad and the JobStore, while VASP runs."""
    account.mongo.double.stop()
    time.sleep(seconds)
    account.mongo.double.start()


def set_down(account):
    """The node, and back; its processes end later than the queue knows of their jobs."""
    assert account.slurm.processes()
    account.slurm.set_node("DOWN")
    wait_until(lambda: {*account.slurm.jobs().values()} <= {"PENDING"}, 120)
    for process in account.slurm.processes():  # a node that died has none; SLURM is slower
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not account.slurm.processes(), 120)
    account.slurm.set_node("RESUME")


def check_status(told):
    assert told.returncode == 1, told.stdout
    failed = [line for line in told.stdout.splitlines() if line.startswith("FAILED")]
    for words in (("reference Li", "No space left on device"), ("host L", "stopped by its queue")):
        assert any(all(word in line for word in words) for line in failed), told.stdout


def collect_twice_at_once(account, path):
    """One of them does it, the other says so or comes after it."""
    both = [account.start("collect", path, "-d", "collected") for _ in range(2)]
    ended = [(process.communicate(timeout=LONG), process.returncode) for process in both]
    assert 0 in {code for _, code in ended}, ended
    for (_, err), code in ended:
        assert code == 0 or (code == 2 and "is being written by" in err), err


@contextlib.contextmanager
def run_here(account, path):
    """Run the campaign here meanwhile, without any fault."""
    process = account.start("run", path, "-d", "local", STANDIN_VASP_FAULTS="")
    try:
        yield
        out, err = process.communicate(timeout=LONG)
        assert process.returncode == 0, out + err
    finally:
        process.terminate()


def check_same_as_local(account):
    tables = [pd.read_csv(account.folder / d / "vacancies.csv") for d in ("collected", "local")]
    table, other = (t.set_index("uid").sort_index() for t in tables)
    assert len(table) > 0
    assert table.converged.all()
    assert table.index.tolist() == other.index.tolist()
    numbers = table.select_dtypes("number").columns
    words = [c for c in table.columns if c not in {*numbers, "reason", "notes"}]
    pd.testing.assert_frame_equal(table[words], other[words])
    pd.testing.assert_frame_equal(table[numbers], other[numbers], atol=2e-6, rtol=0)


def check_stored_once(account):
    """In the JobStore, as raw documents and as rows; all of the local run."""
    records = account.cluster().store.query({"metadata.record": True}, ["metadata.uid"])
    uids = Counter(document["metadata"]["uid"] for document in records)
    assert set(uids.values()) == {1}
    local = {record.uid for record in stored(account, "local")}
    assert set(uids) == local
    raw = RawStore(account.folder / "collected")
    documents = raw.store.docs_store.query({"metadata.record": True}, ["metadata.uid"])
    assert Counter(document["metadata"]["uid"] for document in documents) == uids
    raw.close()
    assert Counter(record.uid for record in stored(account, "collected")) == uids


def stored(account, directory):
    return ResultsDatabase(account.folder / directory / "results.db").records()


def record_of(account, title):
    """The collected record of a calculation."""
    found = stored(account, "collected")
    return next(record for record in found if record.calculation.title == title)


def check_went_on(record):
    """From where the queue broke it off."""
    (entry,) = record.result.provenance["restarts"]
    assert entry["geometry"] == "CONTCAR"
    assert entry["steps"] >= 3


def fail_at_walltime(account):
    account.running(HOST)
    account.wait_for(HOST, "FIZZLED")


def fail_at_nothing(account):
    account.running(HOST)
    be_gone(account, seconds=60)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("happens", "standin_does", "walltime"),
    [
        pytest.param(fail_at_nothing, SLOW, "2:00:00", id="launchpad gone for a minute"),
        pytest.param(fail_at_walltime, HANG, "0:04:00", id="walltime"),
    ],
)
def test_what_takes_minutes(account, spec, happens, standin_does, walltime):
    if happens is fail_at_nothing and account.mongo.double is None:
        pytest.skip("a real server is not stopped")
    path = spec(SMALL)
    account.set_walltime(walltime, grace=100)
    account.standin.fail(standin_does)
    with run_here(account, path):
        account.command("submit", path)
        with account.queue():
            happens(account)
        account.command("retry", path)
        account.standin.fail()
        account.set_walltime("2:00:00", grace=5)
        with account.queue():
            account.wait()
    assert set(account.states().values()) == {"COMPLETED"}, account.command("status").stdout
    account.command("collect", path, "-d", "collected")
    check_same_as_local(account)
    check_stored_once(account)
    if happens is fail_at_walltime:
        check_went_on(record_of(account, "host L"))


@pytest.mark.slow
def test_two_hosts_and_two_strains_with_charges_a_job_for_each_run(account, spec):
    path = spec(WHOLE.replace("settings: {bader: false}\n", ""))
    with run_here(account, path):
        account.command("submit", path)
        with account.queue():
            account.wait(1800)
    assert set(account.states().values()) == {"COMPLETED"}
    account.command("collect", path, "-d", "collected")
    check_same_as_local(account)
    check_stored_once(account)
