"""Where the rows may go."""

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


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


def test_the_directorys_own_database_may_be_named(copy, command):
    own = copy.directory / "results.db"
    answer = command("run", copy.spec, "-d", copy.directory, "--db", own)
    assert answer.status == 0, answer.err
    assert "0 calculated, 16 were there" in answer.err
