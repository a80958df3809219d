"""Thousands of vacancies of relaxed hosts onto a LaunchPad: built, converted, added.

Relaxed cells are made up (energies invented; no engine runs): a 96-atom cell of Li2MnO3
without symmetry, at as many strains as give the number of vacancies. The database is the test
double of MongoDB in a process of its own, in memory and slower than a server.

    python benchmarks/submission.py [VACANCIES] [chgnet|vasp]
"""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vacancy_flows.cluster.connection import Cluster, open_cluster
from vacancy_flows.cluster.submitting import Submission, add_campaign, prepared
from vacancy_flows.engines import Engine
from vacancy_flows.plan import after, start
from vacancy_flows.records import make_record
from vacancy_flows.schemas import Calculation, Record, Result
from vacancy_flows.structures import built_in_host

TESTS = Path(__file__).parents[1] / "tests"
SITES = 48  # O in the cell
CAMPAIGN = """
name: made-up
engine: {engine}
hosts: [{{name: H, structure: cell.vasp}}]
strain: {{mode: uniaxial-a, values: {values}}}
oxygen_reference: {{scheme: user, mu_o: -4.9}}
"""
LAUNCHPAD = "host: 127.0.0.1\nport: {port}\nname: benchmark\n"
STORE = "{{type: {type}, host: 127.0.0.1, port: {port}, database: store, collection_name: {name}}}"


def main(number: int, engine: str) -> None:
    """Print seconds and memory."""
    with tempfile.TemporaryDirectory() as name, server() as (port, ask):
        folder = Path(name)
        submission = prepared(campaign(folder, number, engine))
        cluster = open_cluster(configuration(folder, port), prepare=True)
        finish(cluster, submission)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        _, cpu_there = ask()
        begin, cpu = time.perf_counter(), time.process_time()
        adder = add_campaign(submission, cluster)
        seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
        memory_there, cpu_later = ask()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        fireworks = cluster.launchpad.fireworks.count_documents({})
        workflows = cluster.launchpad.workflows.count_documents({})
        print(f"{adder.added['vacancy']} vacancies, {fireworks} Fireworks, {workflows} workflows")
        there = cpu_later - cpu_there
        print(f"{seconds:.1f} s; CPU {cpu:.1f} s here and {there:.1f} s of the double, by turns")
        print(f"{memory:.0f} MB at most, {before:.0f} MB before; the double {memory_there:.0f} MB")
        begin = time.perf_counter()
        add_campaign(submission, cluster)
        print(f"again, nothing added: {time.perf_counter() - begin:.1f} s")


def campaign(folder: Path, number: int, engine: str) -> Path:
    """Write a campaign of one host whose sites are all different, at many strains."""
    cell = built_in_host("Li2MnO3").make_supercell((2, 1, 2))
    rng = np.random.default_rng(0)
    for index in range(len(cell)):
        cell.translate_sites([index], rng.normal(scale=0.1, size=3), frac_coords=False)
    cell.get_sorted_structure().to(folder / "cell.vasp", fmt="poscar")
    strains = np.linspace(-0.05, 0.05, -(-number // SITES)).round(6).tolist()
    path = folder / "campaign.yaml"
    path.write_text(CAMPAIGN.format(engine=engine, values=strains), encoding="utf-8")
    return path


def configuration(folder: Path, port: int) -> Path:
    """Write the files of a LaunchPad and a JobStore."""
    docs = STORE.format(type="MongoStore", port=port, name="outputs")
    data = STORE.format(type="GridFSStore", port=port, name="blobs")
    text = f"JOB_STORE:\n  docs_store: {docs}\n  additional_stores:\n    data: {data}\n"
    (folder / "jobflow.yaml").write_text(text, encoding="utf-8")
    path = folder / "my_launchpad.yaml"
    path.write_text(LAUNCHPAD.format(port=port), encoding="utf-8")
    return path


def finish(cluster: Cluster, submission: Submission) -> None:
    """Put made-up records of the host and its strained cells into the JobStore."""
    (plan,) = submission.plans
    (calculation,) = start(plan)
    host = store(cluster, calculation, submission.engine)
    for pristine in after(plan, host):
        store(cluster, pristine, submission.engine)


def store(cluster: Cluster, calculation: Calculation, engine: Engine) -> Record:
    """Store a calculation as if it had relaxed to what it began with."""
    structure = calculation.structure
    result = Result(
        structure=structure,
        energy=-6.0 * len(structure),
        forces=[[0.0] * 3] * len(structure),
        moments=structure.site_properties.get("magmom"),
        max_force=0.0,
        converged=True,
        reason="made up",
    )
    record = make_record(calculation, result, engine)
    document = {
        "uuid": calculation.uid,
        "index": 1,
        "output": record,
        "metadata": {"uid": calculation.uid, "record": True},
    }
    cluster.store.update([document], key=["uuid", "index"])
    return record


@contextlib.contextmanager
def server() -> Iterator[tuple[int, object]]:
    """Start the double; its port, and a function that asks for its memory in MB and CPU in s."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-m", "mongo_double"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:

        def ask() -> list[float]:
            process.stdin.write("\n")
            process.stdin.flush()
            return [float(word) for word in process.stdout.readline().split()]

        yield int(process.stdout.readline()), ask
        process.kill()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(int(arguments[0]) if arguments else 5000, arguments[1] if len(arguments) > 1 else "chgnet")
