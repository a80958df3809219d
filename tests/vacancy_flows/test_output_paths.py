"""Where results may go: refused at once, with status 2, or they can be written there."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from vacancy_flows.errors import InputError
from vacancy_flows.lock import WriterLock
from vacancy_flows.output_paths import check_path, make_directory


def refused(answer, *parts):
    assert answer.status == 2, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    assert answer.err.startswith("vacancy-flows: ")
    for part in parts:
        assert str(part) in answer.err


@pytest.fixture
def spec(tools, tmp_path):
    content = tools.small | {"hosts": [tools.small["hosts"][0]]}
    return tools.write(tmp_path / "campaign.yaml", content)


@pytest.fixture
def never(monkeypatch):
    """Fail where anything would be calculated."""

    def run(*args, **options):
        raise AssertionError

    monkeypatch.setattr("vacancy_flows.commands.run_campaign", run)


def under(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


@pytest.mark.parametrize(
    "name",
    [
        *("results.db", "results.db.writer", "vacancies.csv", "strain_predictions.csv"),
        *("report.html", "jobstore/campaigns.json", "jobstore/db/documents.collection"),
    ],
)
def test_a_folder_in_the_place_of_a_file(command, spec, tmp_path, never, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    before = under(tmp_path)
    refused(command("run", spec, "-d", "out"), f"out/{name}: -d: is in the way", "move it away")
    assert under(tmp_path) == before


@pytest.mark.parametrize("name", ["jobstore", "jobstore/db", "figures"])
def test_a_file_in_the_place_of_a_folder(command, spec, tmp_path, never, name):
    path = tmp_path / "out" / name
    path.parent.mkdir(parents=True)
    path.touch()
    before = under(tmp_path)
    refused(command("run", spec, "-d", "out"), f"out/{name}: -d: is in the way", "move it away")
    assert under(tmp_path) == before


def test_a_link_to_nowhere_is_in_the_way(tmp_path):
    (tmp_path / "results.db").symlink_to(tmp_path / "gone" / "results.db")
    with pytest.raises(InputError, match=r"results\.db: -d: is in the way"):
        make_directory(tmp_path, "-d", ["results.db"])


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc")
@pytest.mark.parametrize("place", ["/proc", "/proc/vacancies"])
def test_a_place_that_takes_no_files(command, spec, never, place):
    refused(command("run", spec, "-d", place), f"{place}: -d: ", "name another folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_what_may_not_be_written_to(tmp_path):
    folder = tmp_path / "out"
    (folder / "jobstore").mkdir(parents=True)
    (folder / "results.db").touch(mode=0o444)
    with pytest.raises(InputError, match=r"results\.db: -d: may not be written to"):
        make_directory(folder, "-d", ["results.db"])
    (folder / "jobstore").chmod(0o555)
    with pytest.raises(InputError, match="jobstore: -d: no file can be made in it"):
        make_directory(folder, "-d", (), ["jobstore"])
    folder.chmod(0o555)
    with pytest.raises(InputError, match="out: -d: no file can be made in it"):
        make_directory(folder, "-d")
    folder.chmod(0o755)


def test_a_refused_write_is_told(monkeypatch, tmp_path):
    """What permissions do not tell: root in a read-only file system, a quota."""

    def refuse(*args, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    with pytest.raises(InputError, match=r"-d: no file can be made in it \(Read-only file system"):
        make_directory(tmp_path, "-d")


def test_a_good_place_is_left_as_it_was(tmp_path):
    for name in ("results.db", "jobstore", "deep/er"):
        make_directory(tmp_path / "out" / "deep", "-d", ["results.db"], ["jobstore"])
        check_path(tmp_path / name, "-d")
    assert under(tmp_path) == ["out", "out/deep"]


COMMANDS = [
    ("run", "campaign.yaml", "-d"),
    ("run", "campaign.yaml", "--dry-run", "-d"),
    ("build", "campaign.yaml", "-o"),
    ("report", "results.db", "-o"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_empty_name_is_not_the_current_folder(command, spec, tmp_path, never, words):
    before = under(tmp_path)
    refused(command(*words, ""), f"{words[-1]}: is empty: name a path")
    assert under(tmp_path) == before


def test_repair_of_an_empty_name(command):
    refused(command("repair", ""), "DIRECTORY: is empty")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_name_that_is_not_utf8(tools, spec, tmp_path, words):
    """Through the shell: the message itself must survive the name."""
    before = under(tmp_path)
    done = subprocess.run(
        [*tools.executable(), *words, os.fsdecode(b"a\xff")],
        cwd=tmp_path,
        env=tools.environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode() == (
        f"vacancy-flows: a\\udcff: {words[-1]}: is not UTF-8, and reports could not name it: "
        "use another name\n"
    )
    assert under(tmp_path) == before


def test_a_database_whose_name_a_report_could_not_hold(command):
    answer = command("report", os.fsdecode(b"a\xff.db"), "-o", "out")
    refused(answer, "DATABASE: is not UTF-8")


def test_a_report_over_a_file_names_the_option(command, copy, spec):
    answer = command("report", copy.directory / "results.db", "-o", spec)
    refused(answer, f"{spec}: -o: is a file, not a directory")


def test_a_build_into_a_place_where_something_is_in_the_way(command, spec, tmp_path):
    assert command("build", spec, "-o", "out").status == 0
    for name in ("sites.csv", "P/unstrained/pristine.cif"):
        (tmp_path / "out" / name).unlink()
        (tmp_path / "out" / name).mkdir()
        before = under(tmp_path)
        refused(command("build", spec, "-o", "out"), f"out/{name}: -o: is in the way")
        assert under(tmp_path) == before
        (tmp_path / "out" / name).rmdir()
    assert command("build", spec, "-o", "out").status == 0


@pytest.mark.parametrize("content", [b"garbage" * 100, b"", b"SQLite format 3\0" + bytes(100)])
@pytest.mark.parametrize("words", [("run", "campaign.yaml", "-d", "out"), ("repair", "out")])
@pytest.mark.usefixtures("spec", "never")
def test_a_jobstore_of_something_else(command, tmp_path, content, words):
    path = tmp_path / "out" / "jobstore" / "db" / "documents.collection"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    before = under(tmp_path)
    refused(
        command(*words),
        "out/jobstore/db/documents.collection: holds no documents that can be read",
        "move it away; results.db holds the finished calculations",
    )
    assert under(tmp_path) == before
    assert path.read_bytes() == content


def test_documents_that_another_process_begins_to_write_are_no_other_file(
    command, finished, tmp_path
):
    """Its file is empty for a moment."""
    path = tmp_path / "out" / "jobstore" / "db" / "documents.collection"
    path.parent.mkdir(parents=True)
    with WriterLock(tmp_path / "out" / "results.db"):
        path.touch()
        answer = command("run", finished.spec, "-d", tmp_path / "out")
    assert answer.status == 2
    assert "is being written by pid" in answer.err


def test_a_busy_jobstore_is_not_taken_for_a_damaged_one(monkeypatch, copy):
    from vacancy_flows.rawstore import has_documents

    path = copy.directory / "jobstore" / "db" / "documents.collection"
    monkeypatch.setattr(sqlite3, "connect", lambda name: _connect(name, timeout=0))
    with _connect(path, isolation_level=None) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            has_documents(copy.directory)
    holder.close()


_connect = sqlite3.connect
