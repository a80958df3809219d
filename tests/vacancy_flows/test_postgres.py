"""The results database on a real PostgreSQL server, from Debian's packages, on loopback."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.location import shown, writer_lock
from vacancy_flows.reading import query_database

sys.path.insert(0, str(Path(__file__).parents[1]))  # a helper lies in tests/
from free_ports import free_ports

pytest.importorskip("psycopg2", reason="the extra `postgres` is not installed")


def program(name):
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if found is None:
        pytest.skip(f"no PostgreSQL server here: {name} is not installed")
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """URL of an empty database on a server that lives as long as these tests."""
    initdb, control = program("initdb"), program("pg_ctl")
    folder = Path(tempfile.mkdtemp(prefix="vacancy-flows-pg-", dir="/tmp"))  # not under root's
    folder.chmod(0o755)
    as_owner = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]
    (port,) = free_ports(1)
    data, log = folder / "data", folder / "log"
    start = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    make = [initdb, "-D", str(data), "-A", "trust", "-U", "tester"]
    begin = [control, "-D", str(data), "-l", str(log), "-t", "600", "-w", "-o", start, "start"]
    try:
        for command in ([*make, "--no-sync", "--locale=C", "-E", "UTF8"], begin):
            subprocess.run([*as_owner, *command], check=True, capture_output=True, cwd=folder)
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
        subprocess.run(
            [*as_owner, control, "-D", str(data), "-m", "immediate", "stop"],
            check=True,
            capture_output=True,
            cwd=folder,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def chain(finished):
    """Records of a finished campaign."""
    return list(ResultsDatabase.open(finished.directory / "results.db").records())


def test_rows_come_back_from_a_server_as_from_a_file(server, chain, tmp_path):
    records = chain
    there, here = ResultsDatabase(server), ResultsDatabase(tmp_path / "results.db")
    assert there.add(records) == here.add(records) == len(records)
    assert there.add(records) == 0
    assert there.uids() == here.uids()
    for record in records:
        assert there.get(record.uid) == here.get(record.uid)
    columns = ["uid", "kind", "energy_eV", "strain", "site", "converged"]
    assert there.table()[columns].equals(here.table()[columns])


@pytest.mark.parametrize(
    "selection", ["", "strain=0", "site=O-8j-1", "strain>0.01,energy_scale=mp2020", "host=nothing"]
)
def test_a_selection_gives_the_same_rows(server, chain, tmp_path, selection):
    records = chain
    ResultsDatabase(server).add(records)
    ResultsDatabase(tmp_path / "results.db").add(records)
    options = {"mu_o": -4.8}
    assert query_database(server, selection, "csv", options) == query_database(
        tmp_path / "results.db", selection, "csv", options
    )


def test_a_campaign_runs_into_a_server(server, copy, finished, command):
    """The documents of the file's campaign are there: no calculation is done again."""
    url = server.replace("/postgres", "/template1")  # another, empty database
    answer = command("run", copy.spec, "-d", copy.directory, "--db", url)
    assert answer.status == 0, answer.err
    assert "0 calculated, 16 were there" in answer.err
    csv = (copy.directory / "vacancies.csv").read_text(encoding="utf-8")
    assert csv == (finished.directory / "vacancies.csv").read_text(encoding="utf-8")
    changed = command("query", url, "superseded=True").out
    assert "no rows" in changed
    dry = command("run", copy.spec, "-d", copy.directory, "--db", url, "--dry-run")
    assert "16 of them finished" in dry.out
    ResultsDatabase(url).supersede("small")
    assert ResultsDatabase(url).superseded == 6
    host = command("query", url, "host=P,superseded=True", "--format", "csv").out
    assert host.count("\n") == 1 + 4


def test_one_writer_at_a_time(server):
    held = writer_lock(server)
    held.__enter__()
    with pytest.raises(InputError, match="another process"), writer_lock(server):
        pass
    held.__exit__(None, None, None)
    with writer_lock(server):
        pass


def test_a_server_that_does_not_answer_is_named_before_anything_is_written(
    finished, command, tmp_path
):
    url = "postgresql://tester@127.0.0.1:1/postgres"
    answer = command("run", finished.spec, "-d", tmp_path / "new", "--db", url)
    assert answer.status == 2
    assert "127.0.0.1:1/postgres: cannot be used" in answer.err
    assert not (tmp_path / "new").exists()


def test_no_password_is_printed(server):
    url = server.replace("tester@", "tester:secret@").replace("/postgres", "/absent")
    with pytest.raises(InputError) as error:
        ResultsDatabase.open(url)
    assert "secret" not in str(error.value)
    assert "absent" in str(error.value)
    assert shown(url) == url.replace(":secret", "")
