"""The project file for jobflow-remote: a campaign through its runner and SLURM.

jobflow-remote pins an older pymongo, so it is not in the tests' environment: it wants one of its
own (docs/jobflow_remote.md).
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("jobflow_remote", reason="jobflow-remote wants an environment of its own")

ROOT = Path(__file__).parents[4]
SPEC = """
name: small
engine: vasp
settings: {bader: false}
hosts: [{name: L, structure: Li2MnO3, cell: primitive}]
strain: {mode: biaxial-ab, values: [0.02]}
sites: {labels: [O-8j-1]}
oxygen_reference: {scheme: user, mu_o: -1.92}
"""
FAILED = {"FAILED", "REMOTE_ERROR"}


def project(account):
    """Fill in the project file as its page says, with a runner that looks every second."""
    text = (ROOT / "fireworks_configs/jobflow_remote/vacancy_flows.yaml").read_text()
    database = account.folder.name.replace("-", "_")
    values = {"directory": account.configuration, "nodes": 1, "ntasks": 1, "partition": "debug"}
    values |= {"walltime": "0:10:00", "mongo_host": account.mongo.host, "database": database}
    values |= {"mongo_port": account.mongo.port, "programs": Path(sys.executable).parent}
    text = re.sub(r"<([a-z_]+)>", lambda found: str(values[found[1]]), text)
    text = re.sub(r"(delay_\w+): \d+", r"\1: 1", text)
    folder = account.folder / "projects"
    folder.mkdir()
    (folder / "vacancy_flows.yaml").write_text(text)
    account.environment["JFREMOTE_PROJECTS_FOLDER"] = str(folder)
    account.environment["JFREMOTE_PROJECT"] = "vacancy_flows"
    programs = str(Path(sys.executable).parent)
    account.environment["PATH"] = f"{programs}:{account.environment['PATH']}"


def snippet():
    """The Python of the page."""
    page = (ROOT / "docs" / "jobflow_remote.md").read_text()
    return re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]


def run(account, *words):
    done = subprocess.run(
        words,
        env=account.environment,
        cwd=account.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_campaign_through_jobflow_remote_is_the_campaign_run_here(account):
    (account.folder / "campaign.yaml").write_text(SPEC)
    project(account)
    run(account, "jf", "admin", "reset", "--yes")
    run(account, sys.executable, "-c", snippet())
    runner = subprocess.Popen(["jf", "runner", "run"], env=account.environment, cwd=account.folder)
    try:
        database = account.cluster().store.docs_store._collection.database
        states, end = set(), time.monotonic() + 1800
        while states != {"COMPLETED"}:
            told = run(account, "jf", "job", "list") if states & FAILED else ""
            assert not told, told
            assert time.monotonic() < end
            time.sleep(1)
            states = set(database["jf_jobs"].distinct("state"))
    finally:
        runner.terminate()
        runner.wait()
    store = account.configuration / "jobflow.yaml"
    account.command("collect", "campaign.yaml", "-d", "collected", "--jobstore", store)
    account.command("run", "campaign.yaml", "-d", "local")
    tables = [pd.read_csv(account.folder / d / "vacancies.csv") for d in ("collected", "local")]
    pd.testing.assert_frame_equal(*tables, atol=2e-6, rtol=0)
    assert len(tables[0]) == 1
