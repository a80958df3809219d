"""A campaign whose settings have changed: rows of before are kept and hidden."""

import io

import pandas as pd
import pytest

from vacancy_flows.database import ResultsDatabase

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")


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


def test_rows_of_earlier_settings_stay_hidden_whatever_was_lost(
    runs, copy, tools, tmp_path, command
):
    """A row lost before the settings changed, the whole file lost, another database."""
    database = copy.directory / "results.db"
    runs.forget_row(
        copy.directory,
        runs.uid_of(copy.directory, kind="vacancy", host="P", strain=0.02, site="O-8j-1"),
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


def test_a_reference_that_is_refused_does_not_replace_the_one_before(
    copy, tools, tmp_path, command
):
    reference = {"scheme": "O2", "li2o_enthalpy": -5.6}
    content = {**tools.small, "oxygen_reference": reference}
    spec = tools.write(tmp_path / "refused.yaml", content)
    before = command("query", copy.directory / "results.db", "--format", "csv").out
    assert command("run", spec, "-d", copy.directory).status == 2
    assert command("query", copy.directory / "results.db", "--format", "csv").out == before


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
