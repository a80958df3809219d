"""Campaigns of the command line through the stand-in, undisturbed and with every fault once.

Energies are the stand-in's: invented. What is compared is one campaign with another.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from vacancy_flows.commands import run_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.rawstore import RawStore
from vacancy_flows.repair import repair_directory

# Forces so small that energies agree to 1e-6 eV whatever way led there, cells relaxed included.
LONG = 600  # s, where cores are shared; nothing waits longer than it must
RELAX = "relax: {fmax: 0.00001, max_steps: 100}"
SMALL = f"""
name: small
engine: vasp
hosts: [{{name: L, structure: Li2MnO3, cell: primitive}}]
strain: {{mode: biaxial-ab, values: [0.02]}}
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
GAVE_UP = "custodian gave up (Max errors per job reached: 5); vasprun.xml in "
CRASHED = "VASP crashed 2 times in "


@dataclass
class Trouble:
    """What goes wrong in a calculation, and what its row then says.

    ``errors`` are custodian's names; ``restarts`` geometry and ionic steps, None where they
    are those of a complete run; ``failure`` is what the first run says of it; ``runs`` are the
    calls of VASP beyond those of an undisturbed calculation.
    """

    fault: str
    match: str = "relax-"
    options: dict = field(default_factory=dict)
    errors: list = field(default_factory=list)
    restarts: list = field(default_factory=list)
    failure: str = ""
    runs: int = 1

    def entry(self, uid):
        return {"fault": self.fault, "match": [uid, self.match], **self.options}


KILLED_TWICE = {"options": {"times": 2}, "failure": CRASHED, "runs": 2}
SMALL_TROUBLE = {
    "host L": Trouble("walltime", options={"steps": 3}, restarts=[("CONTCAR", 3)]),
    "pristine L biaxial-ab +2 %": Trouble("zbrent", errors=["zbrent"]),
    "vacancy L biaxial-ab +2 % O-4i-1": Trouble(
        "crash", **KILLED_TWICE, restarts=[("CONTCAR", 1)] * 2
    ),
}
WHOLE_TROUBLE = {
    "reference Li": Trouble(
        "walltime", ";ISIF=2;", **KILLED_TWICE | {"runs": 3}, restarts=[("POSCAR", 0)] * 2
    ),
    "host L": Trouble("walltime", options={"steps": 3}, restarts=[("CONTCAR", 3)]),
    "candidate D without Li-2b-1": Trouble(
        "walltime", options={"steps": 0}, restarts=[("POSCAR", 0)]
    ),
    "candidate D without Li-2c-1": Trouble("zbrent", errors=["zbrent"]),
    "candidate D without Li-4h-1": Trouble("ionic", errors=["Unconverged"]),
    "pristine L biaxial-ab +2 %": Trouble("edddav", errors=["edddav"]),
    "pristine D biaxial-ab +2 %": Trouble("truncated", restarts=[("CONTCAR", None)]),
    "vacancy L unstrained O-4i-1": Trouble("electronic", errors=["Unconverged"]),
    "vacancy L unstrained O-8j-1": Trouble("crash", **KILLED_TWICE, restarts=[("CONTCAR", 1)] * 2),
    "vacancy L biaxial-ab +2 % O-4i-1": Trouble(
        "zbrent",
        options={"times": None},
        errors=["zbrent"] * 5,
        restarts=[("CONTCAR", 15)],
        failure=GAVE_UP,
        runs=5,
    ),
    "vacancy L biaxial-ab +2 % O-8j-1": Trouble("no_space", restarts=[("POSCAR", 1)]),
    "vacancy D unstrained O-4i-1": Trouble("exit_code", restarts=[("CONTCAR", None)]),
    "vacancy D unstrained O-8j-1": Trouble(
        "walltime", **KILLED_TWICE, restarts=[("CONTCAR", 2)] * 2
    ),
    "vacancy D biaxial-ab +2 % O-4i-1": Trouble("crash", "| static |"),
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """The stand-in on PATH of this process and of all it starts."""
    from standin_vasp.install import install

    with pytest.MonkeyPatch.context() as patch:
        yield install(tmp_path_factory.mktemp("machine"), patch)


@dataclass
class Campaign:
    """A campaign file and the directory it is run in."""

    spec: Path
    directory: Path
    machine: object

    def run(self, workers=1):
        return run_here(self.spec, self.directory, workers)

    def records(self):
        """Return what is stored, by title; no row and no document is there twice."""
        database = ResultsDatabase(self.directory / "results.db")
        found = list(database.records())
        raw = RawStore(self.directory)
        documents = raw.store.docs_store.query({"metadata.record": True}, ["metadata"])
        uids = sorted(document["metadata"]["uid"] for document in documents)
        raw.close()
        assert uids == sorted(record.uid for record in found)
        return {record.calculation.title: record for record in found}

    def calls(self):
        """Return how often VASP was called for each uid, and the faults that fired."""
        work = (self.directory / "work").absolute()
        runs = [r for r in self.machine.runs() if work in Path(r["directory"]).parents]
        uids = [Path(r["directory"]).relative_to(work).parts[0] for r in runs]
        return Counter(uids), Counter(r["fault"] for r in runs if r["fault"])


@pytest.fixture
def campaign(machine, tmp_path):
    machine.fail()
    return lambda text: write(text, tmp_path, machine)


@pytest.fixture(scope="module")
def small(machine, tmp_path_factory):
    """Undisturbed: a host, a strained cell, two vacancies."""
    return undisturbed(SMALL, tmp_path_factory.mktemp("small"), machine)


@pytest.fixture(scope="module")
def whole(machine, tmp_path_factory):
    """Undisturbed: references, two hosts, two strains, all sites."""
    return undisturbed(WHOLE, tmp_path_factory.mktemp("whole"), machine, workers=2)


def write(text, folder, machine):
    spec = folder / "campaign.yaml"
    spec.write_text(text)
    return Campaign(spec, folder / "out", machine)


def undisturbed(text, folder, machine, workers=1):
    machine.fail()
    found = write(text, folder, machine)
    assert found.run(workers) == 0
    return found


def check_same(found, expected):
    """Compare stored campaigns: all there, equal energies, flags, moments, charges and tables."""
    records, others = found.records(), expected.records()
    assert {t: r.uid for t, r in records.items()} == {t: r.uid for t, r in others.items()}
    for title, record in records.items():
        result, other = record.result, others[title].result
        assert result.energy == pytest.approx(other.energy, abs=1e-6), title
        assert result.converged, title
        assert limit_of(record) == limit_of(others[title]), title
        assert result.moments == pytest.approx(other.moments), title
        assert (result.charges is None) is (other.charges is None), title
        if result.charges is not None:
            assert np.allclose(result.charges, other.charges, atol=0.01), title
        assert record.calculation.operation == others[title].calculation.operation
        assert record.calculation.ordering == others[title].calculation.ordering
    tables = [pd.read_csv(c.directory / "vacancies.csv") for c in (found, expected)]
    table, other = (t.set_index("uid").sort_index() for t in tables)
    assert table.converged.all()
    assert table.index.tolist() == other.index.tolist()
    difference = table.formation_energy_eV - other.formation_energy_eV
    assert difference.abs().max() < 2e-6


def limit_of(record):
    """What its reason says of convergence, without the number of steps."""
    limit, _, steps = record.result.reason.partition(" after ")
    assert steps.endswith(" steps")
    return limit


def check_told(record, trouble):
    """Compare what a row says of its run with what was done to it."""
    told = record.result.provenance
    errors = [error for correction in told["corrections"] for error in correction["errors"]]
    restarts = [
        (entry["geometry"], steps if steps is None else entry["steps"])
        for entry, (_, steps) in zip(told["restarts"], trouble.restarts, strict=True)
    ]
    assert errors == trouble.errors
    assert bool(told["changed_tags"]) is bool(trouble.errors)
    assert restarts == trouble.restarts
    assert told["restarted"] is bool(trouble.restarts)
    assert ("went on after it broke off" in record.notes) is bool(trouble.restarts)
    assert ("custodian changed" in record.notes) is bool(trouble.errors)


def check_survives(found, expected, troubles, workers, said):
    """Run twice, disturbed and not, and compare with what was never disturbed."""
    uids = {title: record.uid for title, record in expected.records().items()}
    found.machine.fail(*(t.entry(uids[title]) for title, t in troubles.items()))
    failures = {title: t.failure for title, t in troubles.items() if t.failure}
    assert found.run(workers) == 1
    problems = [line for line in said().err.splitlines() if line.startswith("PROBLEM ")]
    assert len(problems) == len(failures)
    for title, failure in failures.items():
        (line,) = [p for p in problems if p.startswith(f"PROBLEM {title}: ")]
        assert failure in line
        assert f"{found.directory}/work/{uids[title]}/" in line
    stored = found.records()
    assert set(stored) == set(uids) - set(failures)
    calls, fired = found.calls()
    assert set(fired) == {t.fault for t in troubles.values()}

    found.machine.fail()
    assert found.run() == 0
    assert f"{len(failures)} calculated, {len(stored)} were there, 0 with problems" in said().err
    check_same(found, expected)
    again, usual = found.calls()[0], expected.calls()[0]
    assert {uid for uid in again if again[uid] > calls[uid]} == {uids[t] for t in failures}
    beyond = {title: again[uid] - usual[uid] for title, uid in uids.items()}
    assert {t: n for t, n in beyond.items() if n} == {t: d.runs for t, d in troubles.items()}
    for title, record in found.records().items():
        check_told(record, troubles.get(title, Trouble("")))
        if title in stored:  # not touched again
            assert record.created == stored[title].created


def test_a_small_campaign_survives_faults(campaign, small, capsys):
    check_survives(campaign(SMALL), small, SMALL_TROUBLE, 1, capsys.readouterr)


@pytest.mark.slow
def test_the_whole_campaign_survives_every_fault(campaign, whole, capsys):
    kinds = Counter(record.calculation.kind for record in whole.records().values())
    assert kinds == {"reference": 3, "host": 1, "candidate": 3, "pristine": 4, "vacancy": 8}
    assert sum(whole.calls()[0].values()) == 33
    capsys.readouterr()
    check_survives(campaign(WHOLE), whole, WHOLE_TROUBLE, 2, capsys.readouterr)


@pytest.mark.slow
def test_electrons_that_never_converge_mark_the_row(campaign, small, capsys):
    """It is kept, not a result, and not calculated again until the user helps them."""
    found, title = campaign(SMALL), "vacancy L biaxial-ab +2 % O-8j-1"
    uid = small.records()[title].uid
    entry = {"fault": "electronic_always", "match": [uid, "relax-"], "times": None}
    found.machine.fail(entry)
    reason = "electrons not converged in 200 steps (NELM); custodian gave up ("
    for _ in range(2):
        assert found.run() == 1
        (line,) = [s for s in capsys.readouterr().err.splitlines() if s.startswith("PROBLEM")]
        assert line.startswith(f"PROBLEM {title}: not converged ({reason}")
        assert line.endswith(" in settings.incar: it is then tried again")
        assert "max_steps" not in line
        table = pd.read_csv(found.directory / "vacancies.csv").set_index("uid")
        assert table.converged.to_dict().pop(uid) is False
        assert table.converged.sum() == 1
        assert table.reason[uid].startswith(f"vacancy: {reason}")
        assert table.notes[uid].startswith("custodian changed ")  # what first: as they poll
        found.machine.fail()
    calls, usual = found.calls()[0], small.calls()[0]
    assert {u for u in usual if calls[u] != usual[u]} == {uid}
    assert found.records().keys() == small.records().keys()
    found.spec.write_text(SMALL + "settings: {incar: {ALGO: All, KPAR: 2}}\n")
    assert found.run() == 0
    assert "1 calculated, 3 were there, 0 with problems" in capsys.readouterr().err
    table = pd.read_csv(found.directory / "vacancies.csv").set_index("uid")
    assert table.converged.all()
    assert len(table) == 2
    repair_directory(found.directory)
    assert ResultsDatabase(found.directory / "results.db").get(uid).result.converged


@pytest.mark.slow
def test_a_worker_that_is_killed_goes_on(campaign, small):
    """As at the end of a job's memory; the calculation is started again, from CONTCAR."""
    found, title = campaign(SMALL), "pristine L biaxial-ab +2 %"
    uid = small.records()[title].uid
    trouble = Trouble("walltime", options={"kill_parent": True}, restarts=[("CONTCAR", 2)])
    found.machine.fail(trouble.entry(uid))
    assert found.run(workers=2) == 0
    check_same(found, small)
    check_told(found.records()[title], trouble)
    assert found.calls()[0] == small.calls()[0] + Counter([uid])


@pytest.mark.parametrize(
    ("how", "workers"),
    [
        (signal.SIGKILL, 1),
        pytest.param(signal.SIGKILL, 2, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.slow),
    ],
)
def test_a_campaign_killed_in_the_middle_of_vasp_goes_on(campaign, small, how, workers):
    """It takes its workers along, and VASP, which custodian gives a session of its own."""
    found, title = campaign(SMALL), "vacancy L biaxial-ab +2 % O-8j-1"
    uid = small.records()[title].uid
    found.machine.fail({"fault": "hang", "match": [uid, "relax-"], "steps": 3})
    code = "import sys; from vacancy_flows.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "run", found.spec, "-d", found.directory]
    begun = subprocess.Popen([*command, "--workers", str(workers)], start_new_session=True)
    try:
        until(lambda: ionic_steps(found.directory / "work" / uid) >= 3)
        assert vasps(found.directory)
        begun.send_signal(how)
        begun.wait(LONG)
        until(lambda: not vasps(found.directory))
    finally:
        begun.kill()
    assert begun.returncode != 0
    assert title not in found.records()
    before = found.calls()[0]
    assert before[uid] == 1

    found.machine.fail()
    assert found.run() == 0
    check_same(found, small)
    record = found.records()[title]
    (entry,) = record.result.provenance["restarts"]
    assert entry["geometry"] == "CONTCAR"
    assert entry["steps"] == 3
    assert record.notes == "went on after it broke off"
    assert found.calls()[0][uid] == 3


def test_a_missing_potcar_is_told_before_anything_starts(campaign):
    found = campaign(SMALL)
    path = found.machine.potcars / "POT_GGA_PAW_PBE_54" / "Mn_pv" / "POTCAR"
    text = path.read_bytes()
    path.unlink()
    try:
        with pytest.raises(InputError, match="POTCAR Mn_pv of Mn is missing"):
            found.run()
    finally:
        path.write_bytes(text)
    assert not found.directory.exists()
    assert not found.calls()[0]


def until(condition):
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def ionic_steps(folder):
    texts = [path.read_text() for path in folder.glob("*/OSZICAR")]
    return max((text.count(" F= ") for text in texts), default=0)


def vasps(directory):
    """Processes that run below a directory: workers and VASP."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if directory in Path(process.cwd()).parents:
                found.append(process)
    return found
