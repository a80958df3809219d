"""kill -9 of the run and of a worker; one writer at a time."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from vacancy_flows.commands import run_here
from vacancy_flows.lock import WriterLock

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")
pytest_linux = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="reads /proc")
LONG = 600  # s, where cores are shared; nothing waits longer than it must


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


@pytest_linux
def test_kill_9_in_the_middle_and_start_again(runs, begun, finished, tools):
    runs.until(lambda: runs.rows(begun.directory) >= 4, LONG, "the fourth row")
    group = begun.process.pid
    assert len(runs.processes(group)) >= 3  # the run and two workers
    os.kill(begun.process.pid, signal.SIGKILL)
    begun.process.wait()
    runs.until(lambda: not runs.processes(group), LONG, "the workers to end with their parent")
    left = {row[1]: row for row in tools.stored(begun.directory)}
    assert 4 <= len(left) < 10

    assert run_here(begun.spec, begun.directory, 1) == 0
    after = {row[1]: row for row in tools.stored(begun.directory)}
    assert len(after) == 10
    for uid, row in left.items():
        assert after[uid][:3] == row[:3]  # id, unique_id, time of creation
        assert after[uid][17] == row[17]  # energy
    assert sorted(runs.documents(begun.directory)) == sorted(after)  # none twice
    known = runs.energies(finished.directory)
    assert runs.energies(begun.directory) == pytest.approx({u: known[u] for u in after}, abs=1e-4)


@pytest_linux
def test_a_worker_that_is_killed_is_replaced(runs, begun, finished):
    runs.until(lambda: runs.rows(begun.directory) >= 3, LONG, "the third row")
    workers = [
        pid for pid, line in runs.processes(begun.process.pid).items() if "spawn_main" in line
    ]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    assert begun.process.wait(timeout=LONG) == 0, begun.text()
    assert "10 calculated, 0 with problems" in begun.text()
    # and two workers find what one finds
    known, found = runs.energies(finished.directory), runs.energies(begun.directory)
    assert len(found) == 10
    assert found == pytest.approx({uid: known[uid] for uid in found}, abs=1e-4)
    assert sorted(runs.documents(begun.directory)) == sorted(found)


def test_a_lock_of_a_dead_process_is_no_lock(runs, copy, chgnet):
    lock = copy.directory / "results.db.writer"
    lock.write_text("pid 1 on elsewhere\n", encoding="utf-8")
    (copy.directory / "results.db.lock").touch()  # ASE's own, as a kill would leave it
    report, _ = runs.go_on(copy.spec, copy.directory, chgnet)
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


def test_repair_after_a_kill_shows_what_the_killed_run_had_finished(runs, begun, command):
    directory = begun.directory
    runs.until(lambda: runs.rows(directory) >= 8, LONG, "the first vacancies")
    begun.process.kill()
    begun.process.wait()
    finished_before = set(runs.energies(directory))
    before = command("query", directory / "results.db", "--format", "csv").out.splitlines()
    assert len(before) > 1
    documents = runs.documents(directory)  # of one more, if the kill came before its row
    assert finished_before <= set(documents)
    assert command("repair", directory).status == 0
    after = command("query", directory / "results.db", "--format", "csv").out.splitlines()
    assert set(before) <= set(after)
    assert sorted(runs.energies(directory)) == sorted(documents)
