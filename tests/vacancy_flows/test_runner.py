"""Scheduling: resume, kills, one writer, failures. 12 atoms at a loose fmax throughout."""

import contextlib
import io
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import ase.db
import pandas as pd
import pytest

from vacancy_flows.campaign_file import load_campaign
from vacancy_flows.commands import open_results, run_here
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.engines.ase_relax import AseEngineRelaxMaker
from vacancy_flows.errors import EngineError
from vacancy_flows.lock import WriterLock
from vacancy_flows.planning import plan_hosts
from vacancy_flows.progress import Progress
from vacancy_flows.rawstore import RawStore
from vacancy_flows.runner import run_campaign
from vacancy_flows.structures import built_in_host, prepare_host, with_geometry

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


def go_on(spec, directory, engine):
    """Run a campaign in this process; the report and what was said."""
    said = []
    with WriterLock(directory / "results.db"):
        database = open_results(directory / "results.db")
        progress = Progress(said.append)
        report = run_campaign(load_campaign(spec), engine, database, directory, 1, progress)
    return report, said


def energies(directory):
    records = ResultsDatabase(directory / "results.db").records()
    return {record.uid: record.result.energy for record in records}


def uid_of(directory, **wanted):
    """uid of the one calculation whose description has these values."""
    table = ResultsDatabase(directory / "results.db").table()
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table.uid.item()


def forget_row(directory, uid):
    database = ase.db.connect(directory / "results.db", use_lock_file=False)
    database.delete([next(database.select(unique_id=uid)).id])


def forget(directory, uid):
    """Take row and documents of a calculation away."""
    forget_row(directory, uid)
    raw = RawStore(directory)
    raw.store.docs_store.remove_docs({"metadata.uid": uid})
    raw.close()


def documents(directory):
    """uids of the records among the raw documents, one entry per document."""
    raw = RawStore(directory)
    found = raw.store.docs_store.query({"metadata.record": True}, ["metadata"])
    uids = [document["metadata"]["uid"] for document in found]
    raw.close()
    return uids


def processes(group):
    """Living processes of a process group: pid and command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            state, _, its_group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            line = (entry / "cmdline").read_text().replace("\0", " ")
            if int(its_group) == group and state != "Z":
                found[int(entry.name)] = line
    return found


def until(condition, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    pytest.fail(f"waited {seconds} s in vain for {what}")


def rows(directory):
    """Number of rows, read as any other process may read while a run writes."""
    try:
        with contextlib.closing(sqlite3.connect(directory / "results.db", timeout=5)) as connection:
            return connection.execute("SELECT COUNT(*) FROM systems").fetchone()[0]
    except sqlite3.OperationalError:  # not there yet
        return 0


@pytest.fixture
def begun(tools, tmp_path):
    """One host of the small campaign, running with two workers in its own process group."""
    directory = tmp_path / "begun"
    spec = tools.write(tmp_path / "begun.yaml", {**tools.small, "hosts": [tools.strained]})
    command = [*tools.executable(), "run", str(spec), "-d", str(directory)]
    log = (tmp_path / "log").open("w+", encoding="utf-8")
    process = subprocess.Popen(
        [*command, "--workers", "2"],
        env=tools.environment(),
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )

    def text():
        log.seek(0)
        return log.read()

    yield SimpleNamespace(process=process, spec=spec, directory=directory, text=text)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    log.close()


pytest_linux = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="reads /proc")


def test_a_campaign_runs_to_its_end(finished, tools):
    assert finished.status == 0
    table = ResultsDatabase(finished.directory / "results.db").table()
    assert table.kind.value_counts().to_dict() == tools.kinds
    assert table.converged.all()
    csv = pd.read_csv(finished.directory / "vacancies.csv")
    assert csv.host.tolist() == ["P"] * 4 + ["D"] * 2
    assert len(documents(finished.directory)) == 16


def test_vacancies_name_their_partners(finished):
    table = ResultsDatabase(finished.directory / "results.db").table().set_index("uid")
    vacancies = table[table.kind == "vacancy"]
    assert (table.loc[vacancies.pristine_uid, "kind"] == "pristine").all()
    for kind, column in (("O2", "o2_uid"), ("Li", "li_uid"), ("Li2O", "li2o_uid")):
        assert (table.loc[vacancies[column], "reference_kind"] == kind).all()
    strains = table.loc[vacancies.pristine_uid, "strain"].to_numpy()
    assert (strains == vacancies.strain.to_numpy()).all()


def test_a_second_run_computes_nothing_and_writes_nothing(copy, chgnet, tools):
    before = tools.stored(copy.directory)
    report, said = go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 0
    assert report.failures == []
    assert len(report.uids) == 16
    assert tools.stored(copy.directory) == before
    assert not [line for line in said if line.startswith("[")]


def test_a_lost_row_is_taken_back_from_the_documents(copy, chgnet):
    before = energies(copy.directory)
    lost = uid_of(copy.directory, kind="vacancy", host="P", site="O-8j-1", strain=0.02)
    forget_row(copy.directory, lost)
    assert lost not in energies(copy.directory)
    report, _ = go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 0
    assert energies(copy.directory) == before


def test_all_rows_lost_are_taken_back(copy, chgnet, finished):
    before = energies(copy.directory)
    (copy.directory / "results.db").unlink()
    report, _ = go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 0
    assert energies(copy.directory) == before
    assert run_here(copy.spec, copy.directory, 1) == 0
    csv = (copy.directory / "vacancies.csv").read_text(encoding="utf-8")
    assert csv == (finished.directory / "vacancies.csv").read_text(encoding="utf-8")


def test_only_what_was_really_lost_is_computed_again(copy, chgnet):
    before = energies(copy.directory)
    lost = uid_of(copy.directory, kind="vacancy", host="D", site="O-4i-1")
    forget(copy.directory, lost)
    report, said = go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 1
    (line,) = [line for line in said if line.startswith("[")]
    assert line.startswith("[16/16] vacancy D unstrained O-4i-1: ")
    assert energies(copy.directory) == pytest.approx(before, abs=1e-4)


def test_the_ordering_chosen_is_the_one_of_the_stored_energies(copy, chgnet):
    """A lost pristine cell is made again on the same ordering, under the same uid."""
    lost = uid_of(copy.directory, kind="pristine", host="D")
    forget(copy.directory, lost)
    report, _ = go_on(copy.spec, copy.directory, chgnet)
    assert report.computed == 1
    assert lost in energies(copy.directory)


def test_another_strain_of_a_finished_campaign_adds_only_itself(copy, tools, tmp_path, chgnet):
    host = {**tools.strained, "strain": {"mode": "biaxial-ab", "values": [0.0, 0.01]}}
    hosts = [host, tools.small["hosts"][1]]
    spec = tools.write(tmp_path / "more.yaml", {**tools.small, "hosts": hosts})
    report, _ = go_on(spec, copy.directory, chgnet)
    assert report.computed == 3  # one pristine cell, two vacancies
    assert len(energies(copy.directory)) == 19
    assert len(report.uids) == 16


@pytest_linux
def test_kill_9_in_the_middle_and_start_again(begun, finished, tools):
    until(lambda: rows(begun.directory) >= 4, 120, "the fourth row")
    group = begun.process.pid
    assert len(processes(group)) >= 3  # the run and two workers
    os.kill(begun.process.pid, signal.SIGKILL)
    begun.process.wait()
    until(lambda: not processes(group), 15, "the workers to end with their parent")
    left = {row[1]: row for row in tools.stored(begun.directory)}
    assert 4 <= len(left) < 10

    assert run_here(begun.spec, begun.directory, 1) == 0
    after = {row[1]: row for row in tools.stored(begun.directory)}
    assert len(after) == 10
    for uid, row in left.items():
        assert after[uid][:3] == row[:3]  # id, unique_id, time of creation
        assert after[uid][17] == row[17]  # energy
    assert sorted(documents(begun.directory)) == sorted(after)  # none twice
    known = energies(finished.directory)
    assert energies(begun.directory) == pytest.approx({u: known[u] for u in after}, abs=1e-4)


@pytest_linux
def test_a_worker_that_is_killed_is_replaced(begun, finished):
    until(lambda: rows(begun.directory) >= 3, 120, "the third row")
    workers = [pid for pid, line in processes(begun.process.pid).items() if "spawn_main" in line]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    assert begun.process.wait(timeout=200) == 0, begun.text()
    assert "10 calculated, 0 with problems" in begun.text()
    # and two workers find what one finds
    known, found = energies(finished.directory), energies(begun.directory)
    assert len(found) == 10
    assert found == pytest.approx({uid: known[uid] for uid in found}, abs=1e-4)
    assert sorted(documents(begun.directory)) == sorted(found)


def test_a_lock_of_a_dead_process_is_no_lock(copy, chgnet):
    lock = copy.directory / "results.db.writer"
    lock.write_text("pid 1 on elsewhere\n", encoding="utf-8")
    (copy.directory / "results.db.lock").touch()  # ASE's own, as a kill would leave it
    report, _ = go_on(copy.spec, copy.directory, chgnet)
    assert len(report.uids) == 16


def test_a_second_writer_is_refused_with_the_pid_of_the_first(copy, command, tools):
    before = tools.stored(copy.directory)
    with WriterLock(copy.directory / "results.db"):
        answer = command("run", copy.spec, "-d", copy.directory)
    assert answer.status == 2
    assert f"results.db: is being written by pid {os.getpid()} on " in answer.err
    assert tools.stored(copy.directory) == before


def test_the_lock_is_free_after_an_error(tmp_path):
    lock = WriterLock(tmp_path / "results.db")
    with contextlib.suppress(RuntimeError), lock:
        raise RuntimeError
    with WriterLock(tmp_path / "results.db"):
        assert lock.path.read_text(encoding="utf-8").startswith(f"pid {os.getpid()} ")


@pytest.fixture
def fail_on(monkeypatch):
    """Make CHGNet raise for cells of some compositions."""

    def switch(*formulas):
        relax = AseEngineRelaxMaker.relax

        def failing(self, structure):
            if structure.composition.formula.replace(" ", "") in formulas:
                raise EngineError("invented failure")
            return relax(self, structure)

        monkeypatch.setattr(AseEngineRelaxMaker, "relax", failing)

    return switch


def test_a_vacancy_that_moved_is_not_converged(copy, monkeypatch, command):
    """Whatever the engine: here CHGNet, with one O put into the vacant site after it."""
    uid = uid_of(copy.directory, kind="vacancy", host="P", site="O-8j-1", strain=0.0)
    forget(copy.directory, uid)
    relax = AseEngineRelaxMaker.relax

    def hopping(self, structure):
        result = relax(self, structure)
        positions, labels = result.structure.frac_coords, structure.site_properties["label"]
        positions[labels.index("O-8j-2")] = structure.properties["vacancy"]["position"]
        moved = with_geometry(structure, result.structure.lattice.matrix, positions)
        return result.model_copy(update={"structure": moved})

    monkeypatch.setattr(AseEngineRelaxMaker, "relax", hopping)
    answer = command("run", copy.spec, "-d", copy.directory)
    assert answer.status == 1
    told = "the vacancy moved from O-8j-1 to O-8j-2"
    assert f"PROBLEM vacancy P unstrained O-8j-1: not converged ({told}" in answer.err
    assert "look at its cell" in answer.err
    table = pd.read_csv(copy.directory / "vacancies.csv").set_index("uid")
    assert not table.converged[uid]
    assert told in table.reason[uid]
    assert table.converged.sum() == len(table) - 1


def test_a_failure_is_named_and_the_rest_is_kept(copy, fail_on, command):
    lost = [
        uid_of(copy.directory, kind="vacancy", host="P", site="O-8j-1", strain=0.0),
        uid_of(copy.directory, kind="vacancy", host="D", site="O-8j-1"),
    ]
    for uid in lost:
        forget(copy.directory, uid)
    fail_on("Li4Mn2O5")  # P with a vacancy; D has one Li less
    answer = command("run", copy.spec, "-d", copy.directory)
    assert answer.status == 1
    assert "PROBLEM vacancy P unstrained O-8j-1: invented failure" in answer.err
    assert answer.err.count("PROBLEM") == 1
    assert "Traceback" not in answer.err + answer.out
    there = energies(copy.directory)
    assert lost[0] not in there
    assert lost[1] in there
    assert len(pd.read_csv(copy.directory / "vacancies.csv")) == 5


def test_a_failed_candidate_leaves_the_choice_to_the_others(copy, fail_on, chgnet):
    """The candidate that failed takes no part; what hangs on the choice still runs."""
    candidates = ResultsDatabase(copy.directory / "results.db").table()
    candidates = candidates[candidates.kind == "candidate"].sort_values("ordering")
    forget(copy.directory, candidates.uid.iloc[-1])
    fail_on("Li3Mn2O6")
    report, _ = go_on(copy.spec, copy.directory, chgnet)
    assert len(report.failures) == 1
    assert report.failures[0].startswith("candidate D without ")
    assert report.computed == 0
    assert len(report.uids) == 15


def test_an_unconverged_host_ends_its_branch_with_a_message(copy, tools, tmp_path, command):
    relax = {"fmax": 0.01, "max_steps": 1}
    spec = tools.write(
        tmp_path / "cut.yaml",
        {**tools.small, "name": "cut", "hosts": [tools.strained], "relax": relax},
    )
    answer = command("run", spec, "-d", copy.directory)
    assert answer.status == 1
    assert (
        "PROBLEM host P: not converged (stopped at its limit of 1 steps); what depends on it "
        "was not started; raise relax.max_steps"
    ) in answer.err
    assert "1 calculated" in answer.err  # the references were there
    table = ResultsDatabase(copy.directory / "results.db").table()
    assert len(table) == 17
    assert table[~table.converged].kind.tolist() == ["host"]


def test_an_unconverged_vacancy_is_marked_in_its_row(tools, tmp_path, copy, command):
    """Six steps are enough for the host, not for the vacancy."""
    relax = {"fmax": 0.06, "max_steps": 6}
    host = {**tools.strained, "strain": [], "sites": {"labels": ["O-8j-1"]}}
    spec = tools.write(
        tmp_path / "cut.yaml", {**tools.small, "name": "cut", "hosts": [host], "relax": relax}
    )
    answer = command("run", spec, "-d", copy.directory)
    table = pd.read_csv(copy.directory / "vacancies.csv")
    assert answer.status == 1, answer.err
    assert table.converged.tolist() == [False]
    assert "limit of 6 steps" in table.reason.item()
    assert "PROBLEM vacancy P unstrained O-8j-1: not converged" in answer.err
    assert "0 converged, 1 not converged" in answer.out


@pytest.fixture
def invented_references(plans, make_record, tmp_path, chgnet):
    """A directory whose reference energies are invented."""

    def make(**values):
        directory = tmp_path / "invented"
        directory.mkdir()
        database = ResultsDatabase(directory / "results.db")
        for calculation in plans.references:
            record = make_record(energy=values[calculation.reference_kind])
            database.add(
                [record.model_copy(update={"calculation": calculation, "engine": "chgnet"})]
            )
        return directory

    return make


def test_references_that_disagree_end_the_run_before_any_formation_energy(
    invented_references, command, finished
):
    directory = invented_references(O2=-9.637 + 1.36, Li=-1.880, Li2O=-14.781)
    answer = command("run", finished.spec, "-d", directory)
    assert answer.status == 2
    assert "oxygen_reference: the oxygen references disagree" in answer.err
    assert not (directory / "vacancies.csv").exists()
    assert len(energies(directory)) == 3  # nothing was calculated on top


def test_two_campaigns_share_what_is_the_same(copy, tools, tmp_path, command):
    before = energies(copy.directory)
    host = {**tools.strained, "name": "Q"}
    del host["strain"]
    spec = tools.write(tmp_path / "other.yaml", {**tools.small, "name": "other", "hosts": [host]})
    answer = command("run", spec, "-d", copy.directory)
    assert answer.status == 0
    assert "0 calculated, 7 were there" in answer.err
    assert energies(copy.directory) == before
    table = ResultsDatabase(copy.directory / "results.db").table()
    shared = table[table.campaign == "small;other"]
    assert shared.kind.value_counts().to_dict() == {
        "reference": 3,
        "vacancy": 2,
        "host": 1,
        "pristine": 1,
    }
    assert table[table.campaign == "small"].shape[0] == 9
    csv = pd.read_csv(copy.directory / "vacancies.csv")
    assert csv.host.tolist() == ["Q", "Q"]  # under its own name for the host
    shown = command("query", copy.directory / "results.db", "--format", "csv")
    assert shown.out.count("\n") == 1 + 6  # each calculation once


def test_two_hosts_that_share_orderings_both_have_all_their_rows(copy, tools, tmp_path, command):
    """Three ways to delithiate, ranked by the engine and, all kept, by electrostatics."""
    ranked = {"fraction": 0.25, "rank": "electrostatics", "keep": 3}
    by_engine = {**tools.small["hosts"][1], "delithiate": {"fraction": 0.25, "keep": 3}}
    by_charge = {**by_engine, "name": "E", "delithiate": ranked}
    content = {**tools.small, "name": "shared", "hosts": [by_engine, by_charge]}
    spec = tools.write(tmp_path / "shared.yaml", content)
    answer = command("run", spec, "-d", copy.directory)
    assert answer.status == 0, answer.err
    table = pd.read_csv(copy.directory / "vacancies.csv")
    uids = {host: set(part.uid) for host, part in table.groupby("host")}
    assert uids["D"] == uids["E"]
    assert len(table) == 2 * len(uids["D"])
    for _, part in table.groupby("host"):
        orderings = part.drop_duplicates("ordering").sort_values("ordering")
        assert orderings.ordering.tolist() == [0, 1, 2]
        assert orderings.ordering_energy_eV.iloc[0] == 0.0
        assert orderings.ordering_energy_eV.is_monotonic_increasing
    ranks = {host: part.set_index("uid").ordering_energy_eV for host, part in table.groupby("host")}
    assert (ranks["D"] != ranks["E"].reindex(ranks["D"].index)).any()  # each by its own ranking
    database = copy.directory / "results.db"
    shown = command("query", database, "campaign=shared,host=E", "--format", "csv").out
    assert shown.count("\n") == 1 + len(uids["E"])
    assert command("report", database, "campaign=shared", "-o", tmp_path / "page").status == 0


def test_other_settings_in_the_same_directory_replace_what_is_shown(copy, tools, tmp_path, command):
    looser = {**tools.small, "relax": {"fmax": 0.5, "max_steps": 100}}
    spec = tools.write(tmp_path / "looser.yaml", looser)
    before = pd.read_csv(copy.directory / "vacancies.csv")
    assert command("run", spec, "-d", copy.directory).status == 0
    after = pd.read_csv(copy.directory / "vacancies.csv")
    assert not set(before.uid) & set(after.uid)
    database = copy.directory / "results.db"
    shown = command("query", database, "--format", "csv").out
    assert set(pd.read_csv(io.StringIO(shown)).uid) == set(after.uid)
    assert "6 vacancies of earlier settings are not shown" in command("query", database).out
    # and back again: nothing is calculated, nothing is lost
    again = command("run", copy.spec, "-d", copy.directory)
    assert "0 calculated, 16 were there" in again.err
    shown = command("query", database, "--format", "csv").out
    assert set(pd.read_csv(io.StringIO(shown)).uid) == set(before.uid)


def test_rows_of_earlier_settings_stay_hidden_whatever_was_lost(copy, tools, tmp_path, command):
    """A row lost before the settings changed, the whole file lost, another database."""
    database = copy.directory / "results.db"
    forget_row(
        copy.directory, uid_of(copy.directory, kind="vacancy", host="P", strain=0.02, site="O-8j-1")
    )
    hosts = [{**tools.strained, "strain": []}]
    spec = tools.write(tmp_path / "changed.yaml", {**tools.small, "hosts": hosts})

    def shown(place):
        return set(pd.read_csv(io.StringIO(command("query", place, "--format", "csv").out)).uid)

    assert "0 calculated" in command("run", spec, "-d", copy.directory).err
    own = set(pd.read_csv(copy.directory / "vacancies.csv").uid)
    assert len(own) == 2
    assert shown(database) == own
    database.unlink()
    assert command("run", spec, "-d", copy.directory).status == 0
    assert shown(database) == own
    other = tmp_path / "other.db"
    assert command("run", spec, "-d", copy.directory, "--db", other).status == 0
    assert shown(other) == own
    assert "rebuilt" in command("repair", copy.directory).out
    assert shown(database) == own
    assert ResultsDatabase(database).superseded == 4


def test_repair_keeps_the_names_of_every_campaign(copy, tools, tmp_path, command):
    host = {**tools.strained, "name": "Q", "strain": []}
    spec = tools.write(tmp_path / "second.yaml", {**tools.small, "name": "b", "hosts": [host]})
    assert command("run", spec, "-d", copy.directory).status == 0
    (copy.directory / "results.db").unlink()
    assert command("repair", copy.directory).status == 0
    table = ResultsDatabase(copy.directory / "results.db").table()
    shared = table[table.campaign == "small;b"]
    assert len(shared) == 7
    answer = command("query", copy.directory / "results.db", "host=Q", "--format", "csv")
    assert set(pd.read_csv(io.StringIO(answer.out)).site) == {"O-4i-1", "O-8j-1"}


def test_a_reference_that_is_refused_does_not_replace_the_one_before(
    copy, tools, tmp_path, command
):
    reference = {"scheme": "O2", "li2o_enthalpy": -5.6}
    content = {**tools.small, "oxygen_reference": reference}
    spec = tools.write(tmp_path / "refused.yaml", content)
    before = command("query", copy.directory / "results.db", "--format", "csv").out
    assert command("run", spec, "-d", copy.directory).status == 2
    assert command("query", copy.directory / "results.db", "--format", "csv").out == before


def test_hosts_whose_strain_has_other_axes_are_hosts_of_their_own(tools, tmp_path, chgnet):
    """A file of the built-in primitive cell, whose a is not the conventional a."""
    host12 = prepare_host(built_in_host("Li2MnO3", "primitive"))
    host12.to(tmp_path / "cell.vasp", fmt="poscar")
    strain = {"mode": "uniaxial-a", "values": [0.06]}
    built = {**tools.strained, "strain": strain}
    file = {"name": "F", "structure": "cell.vasp", "strain": strain}
    content = {**tools.small, "hosts": [built, file]}
    campaign = load_campaign(tools.write(tmp_path / "axes.yaml", content))
    plans = plan_hosts(campaign, chgnet)
    assert plans[0].root_uid != plans[1].root_uid


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("", "--db: is empty"),
        ("foo://bar", "is no server this can write to"),
        ("no/such/x.db", "is in a folder that does not exist"),
        (".", "is a folder"),
        ("/dev/null", "is no ordinary file"),
        ("new/report.html", "is in a folder that does not exist"),
        ("spec", "is not a results database"),
    ],
)
def test_a_place_that_is_no_database_is_refused_before_anything_is_made(
    location, problem, finished, command, tmp_path
):
    place = finished.spec if location == "spec" else location
    answer = command("run", finished.spec, "-d", tmp_path / "new", "--db", place)
    assert answer.status == 2
    assert problem in answer.err
    assert not (tmp_path / "new").exists()
    assert not finished.spec.with_name("small.yaml.writer").exists()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("report.html", "is written by the run itself"),
        ("vacancies.csv", "is written by the run itself"),
        ("results.db.writer", "is written by the run itself"),
        ("figures/results.db", "is in a folder of the run itself"),
    ],
)
def test_a_file_of_the_run_itself_is_no_database(name, problem, copy, command):
    before = (copy.directory / "vacancies.csv").read_bytes()
    answer = command("run", copy.spec, "-d", copy.directory, "--db", copy.directory / name)
    assert answer.status == 2
    assert problem in answer.err
    assert (copy.directory / "vacancies.csv").read_bytes() == before


def test_repair_after_a_kill_shows_what_the_killed_run_had_finished(begun, command):
    directory = begun.directory
    until(lambda: rows(directory) >= 8, 120, "the first vacancies")
    begun.process.kill()
    begun.process.wait()
    finished_before = set(energies(directory))
    before = command("query", directory / "results.db", "--format", "csv").out
    assert before.count("\n") > 1
    assert command("repair", directory).status == 0
    assert command("query", directory / "results.db", "--format", "csv").out == before
    assert set(energies(directory)) == finished_before


def test_repair_keeps_what_other_directories_ran_into_the_file(copy, tools, tmp_path, command):
    host = {**tools.strained, "name": "Q", "strain": []}
    spec = tools.write(tmp_path / "other.yaml", {**tools.small, "name": "b", "hosts": [host]})
    elsewhere = tmp_path / "elsewhere"
    database = copy.directory / "results.db"
    shutil.copytree(copy.directory / "jobstore", elsewhere / "jobstore")
    assert command("run", spec, "-d", elsewhere, "--db", database).status == 0
    before = command("query", database, "campaign=b", "--format", "csv").out
    assert before.count("\n") == 3
    assert command("repair", copy.directory).status == 0
    assert command("query", database, "campaign=b", "--format", "csv").out == before


def test_a_refused_reference_hides_no_row_of_earlier_settings(copy, tools, tmp_path, command):
    reference = {"scheme": "Li2O", "li2o_enthalpy": -5.6}
    relax = {"fmax": 0.25, "max_steps": 100}
    content = {**tools.small, "relax": relax, "oxygen_reference": reference}
    spec = tools.write(tmp_path / "refused.yaml", content)
    before = command("query", copy.directory / "results.db", "--format", "csv").out
    assert command("run", spec, "-d", copy.directory).status == 2
    assert command("query", copy.directory / "results.db", "--format", "csv").out == before


def test_hidden_rows_are_announced_only_where_there_are_some(copy, tools, tmp_path, command):
    (copy.directory / "results.db").unlink()
    assert "not shown" not in command("run", copy.spec, "-d", copy.directory).err
    fewer = {**tools.small, "hosts": [tools.small["hosts"][1]]}
    spec = tools.write(tmp_path / "fewer.yaml", fewer)
    said = command("run", spec, "-d", copy.directory).err
    assert "7 calculations of earlier settings of campaign small are kept, but not shown" in said


def test_the_directorys_own_database_may_be_named(copy, command):
    own = copy.directory / "results.db"
    answer = command("run", copy.spec, "-d", copy.directory, "--db", own)
    assert answer.status == 0, answer.err
    assert "0 calculated, 16 were there" in answer.err


def test_a_run_without_any_vacancy_leaves_no_table_of_earlier_settings(
    copy, tools, tmp_path, command
):
    stopped = {**tools.small, "relax": {"fmax": 1e-4, "max_steps": 1}}
    spec = tools.write(tmp_path / "stopped.yaml", stopped)
    answer = command("run", spec, "-d", copy.directory)
    assert answer.status == 1
    assert pd.read_csv(copy.directory / "vacancies.csv").empty
    assert not (copy.directory / "report.html").exists()
    assert not list((copy.directory / "figures").glob("*.png"))
    assert "no vacancy was finished" in answer.err


def test_own_mu_o_needs_no_references(tools, tmp_path, finished, command):
    host = {**tools.strained, "strain": [], "sites": {"labels": ["O-8j-1"]}}
    content = {**tools.small, "name": "own", "hosts": [host]}
    content["oxygen_reference"] = {"scheme": "user", "mu_o": -5.0}
    spec = tools.write(tmp_path / "own.yaml", content)
    answer = command("run", spec, "-d", tmp_path / "out")
    assert answer.status == 0, answer.err
    table = ResultsDatabase(tmp_path / "out" / "results.db").table()
    assert sorted(table.kind) == ["host", "pristine", "vacancy"]
    row = pd.read_csv(tmp_path / "out" / "vacancies.csv").iloc[0]
    assert (row.oxygen_scheme, row.mu_o_eV) == ("user", -5.0)
    parts = row.e_vacancy_eV - row.e_pristine_eV - 5.0
    assert row.formation_energy_eV == pytest.approx(parts, abs=3e-6)
    # the same calculations as with references: no reference enters a uid
    known = energies(finished.directory)
    found = energies(tmp_path / "out")
    assert found == pytest.approx({uid: known[uid] for uid in found}, abs=1e-4)


def test_dry_run_writes_nothing_and_counts(command, finished, tmp_path):
    answer = command("run", finished.spec, "-d", tmp_path / "out", "--dry-run")
    assert answer.status == 0
    assert "about 16 calculations" in answer.out
    assert "3 reference" in answer.out
    assert not (tmp_path / "out").exists()


def test_progress_counts_to_the_end(copy, chgnet):
    for site in ("O-8j-1", "O-4i-1"):
        forget(copy.directory, uid_of(copy.directory, kind="vacancy", host="D", site=site))
    _, said = go_on(copy.spec, copy.directory, chgnet)
    assert said[0] == ("campaign small: engine chgnet, energy scale mp2020, about 16 calculations")
    assert [line.split("]")[0] for line in said if line[0] == "["] == ["[15/16", "[16/16"]


def test_a_directory_can_be_moved(copy, tmp_path, chgnet):
    shutil.move(copy.directory, tmp_path / "moved")
    report, _ = go_on(copy.spec, tmp_path / "moved", chgnet)
    assert report.computed == 0
