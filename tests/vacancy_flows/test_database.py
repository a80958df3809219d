"""The results database: one row per calculation, and readers' questions."""

import json
import sqlite3

import ase.db
import pytest
from ase.build import molecule

from vacancy_flows.analysis import CALCULATION_COLUMNS, oxygen_thermal_term
from vacancy_flows.database import ResultsDatabase
from vacancy_flows.errors import InputError
from vacancy_flows.lock import WriterLock
from vacancy_flows.reading import query_database
from vacancy_flows.repair import repair_directory
from vacancy_flows.uses import Use

# invented, but such that both routes to mu_O agree: mu_O = -5.0 and -5.0028
INVENTED = {"O2": -10.0, "Li": -2.0, "Li2O": -15.2}
UIDS = {kind: f"u{kind}" for kind in INVENTED}


@pytest.fixture
def database(tmp_path):
    return ResultsDatabase(tmp_path / "results.db")


@pytest.fixture
def invented(make_record):
    """References, one pristine cell and one vacancy with E_f = 2 eV on mu_O = -5."""

    def make(campaign="invented", vacancy="uvacancy"):
        references = [
            make_record(
                f"u{kind}",
                "reference",
                2 * energy,
                reference_kind=kind,
                campaign=campaign,
                host="",
                operation={"reference": kind, "units": 2},
            )
            for kind, energy in INVENTED.items()
        ]
        pristine = make_record("upristine", "pristine", -30.0, campaign=campaign)
        found = make_record(
            vacancy,
            "vacancy",
            -23.0,
            campaign=campaign,
            pristine_uid="upristine",
            reference_uids=UIDS,
            removed_element="O",
            site="O-8j-1",
        )
        return [*references, pristine, found]

    return make


def rows(path, **options):
    names = ("oxygen_scheme", "mu_o", "temperature", "pressure")
    every = {name: options.get(name) for name in names}
    return json.loads(query_database(path, "", "json", every))["rows"]


def test_a_record_is_stored_once(database, make_record):
    assert database.add([make_record("u1"), make_record("u2")]) == 2
    assert database.add([make_record("u1", energy=-99.0)]) == 0
    assert len(database) == 2
    assert database.uids() == {"u1", "u2"}
    assert database.get("u1").result.energy == -20.0  # what was there is kept
    assert database.get("u3") is None


def test_the_file_itself_refuses_a_uid_twice(database, make_record):
    database.add([make_record("u1")])
    with sqlite3.connect(database.path) as connection:
        names = "unique_id, numbers, positions, cell"
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            connection.execute(
                f"INSERT INTO systems ({names}) SELECT {names} FROM systems"  # noqa: S608
            )


def test_nothing_is_stored_of_records_that_fail_halfway(database, make_record):
    def records():
        yield make_record("u1")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.add(records())
    assert len(database) == 0


def test_reading_an_unwritten_database_makes_no_file(database):
    assert database.get("u1") is None
    assert database.uids() == set()
    assert database.campaigns == {}
    assert not database.path.exists()


def test_a_second_campaign_is_named_in_the_row_it_shares(database, make_record):
    database.add([make_record("u1")])
    ranked = {"ordering": 2, "ordering_energy": 0.0125}
    database.add([make_record("u1", campaign="other", host="Q", **ranked)])
    (row,) = database._db.select()
    assert row.campaign == "invented;other"
    assert row.host == "H"
    (uses,) = database.table().uses
    assert uses == [Use("invented", "H"), Use("other", "Q", 2, 0.0125)]


def test_use_of_what_is_said_already_writes_nothing(database, make_record):
    database.add([make_record("u1")])
    before = database.path.read_bytes()
    database.use([make_record("u1")])
    (row,) = database._db.select()
    assert row.campaign == "invented"
    assert database.path.read_bytes() == before


def test_open_of_nothing(tmp_path):
    with pytest.raises(InputError, match="no such results database"):
        ResultsDatabase.open(tmp_path / "missing.db")
    with pytest.raises(InputError, match="no such results database"):
        ResultsDatabase.open(tmp_path)
    assert not (tmp_path / "missing.db").exists()


@pytest.mark.parametrize(
    "content", [b"x", b"garbage" * 1000, b"\x00" * 4096, b"name: a campaign file\n"]
)
def test_open_of_something_else(tmp_path, content):
    path = tmp_path / "results.db"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a results database"):
        ResultsDatabase.open(path)
    assert path.read_bytes() == content


def test_open_of_another_sqlite_file(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(InputError, match="is not a results database"):
        ResultsDatabase.open(path)
    assert path.read_bytes() == before  # and it was not made into one


def test_open_of_a_truncated_database(copy):
    path = copy.directory / "results.db"
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(InputError):
        query_database(path, "", "csv", {})


def test_an_empty_file_is_a_database_killed_before_its_first_row(tmp_path, make_record):
    path = tmp_path / "results.db"
    path.touch()
    database = ResultsDatabase.open(path)
    assert len(database) == 0
    assert "no rows" in query_database(path, "", "table", {})
    assert path.read_bytes() == b""  # a reader writes nothing
    assert database.add([make_record()]) == 1


def test_table_has_the_columns_the_analysis_reads(database, invented):
    database.add(invented())
    table = database.table()
    assert list(table.columns[: len(CALCULATION_COLUMNS)]) == list(CALCULATION_COLUMNS)
    energies = table[table.kind == "reference"].set_index("reference_kind").energy_eV
    assert energies.to_dict() == INVENTED  # per unit, though two were in the cell
    assert database.table(["uvacancy"]).uid.tolist() == ["uvacancy"]


def test_campaigns_are_described_side_by_side(database, make_record):
    database.add([make_record()])
    database.describe_campaign("a", {"engine": "chgnet"})
    database.describe_campaign("b", {"engine": "chgnet-r2scan"})
    database.describe_campaign("a", {"engine": "vasp"})
    again = ResultsDatabase.open(database.path)
    assert again.campaigns == {"a": {"engine": "vasp"}, "b": {"engine": "chgnet-r2scan"}}


def test_formation_energy_of_invented_energies(database, invented):
    database.add(invented())
    (row,) = rows(database.path)
    assert row["formation_energy_eV"] == pytest.approx(-23.0 + 30.0 - 5.0)
    assert row["oxygen_scheme"] == "O2"
    assert row["converged"] is True


def test_each_row_has_the_reference_of_its_campaign(database, invented):
    database.add(invented("first", "u1"))
    database.add([invented("second", "u2")[-1]])
    user = {"oxygen_reference": {"scheme": "user", "mu_o": -4.0}}
    database.describe_campaign("second", user)
    found = {row["uid"]: row for row in rows(database.path)}
    assert found["u1"]["formation_energy_eV"] == pytest.approx(2.0)
    assert found["u2"]["formation_energy_eV"] == pytest.approx(3.0)
    assert found["u2"]["oxygen_scheme"] == "user"
    # one reference for all rows where the reader names one
    assert {row["mu_o_eV"] for row in rows(database.path, mu_o=-4.5)} == {-4.5}


def test_a_shared_row_is_found_under_each_of_its_names(database, invented, make_record):
    database.add(invented("first", "u1"))
    database.add([make_record("u1", campaign="second", host="Q", ordering=3, ordering_energy=0.2)])
    user = {"oxygen_reference": {"scheme": "user", "mu_o": -4.0}}
    database.describe_campaign("second", user)

    def found(selection):
        answer = json.loads(query_database(database.path, selection, "json", {}))["rows"]
        return [(r["host"], r["ordering"], r["campaign"], r["mu_o_eV"]) for r in answer]

    assert found("campaign=first") == [("H", None, "first", -5.0)]
    assert found("campaign=second") == [("Q", 3, "second", -4.0)]
    assert found("host=Q,ordering>2,ordering_energy_eV<0.3") == [("Q", 3, "second", -4.0)]
    assert found("host=H") == [("H", None, "first", -5.0)]
    assert found("campaign!=first,ordering=3") == [("Q", 3, "second", -4.0)]
    assert found("ordering=0") == []
    # with one reference for all it is one row that names both
    assert [row["campaign"] for row in rows(database.path, mu_o=-4.5)] == ["first;second"]


def test_rows_of_earlier_settings_are_hidden_until_used_again(database, invented, make_record):
    database.add([*invented("first", "u1"), make_record("u2", campaign="second")])
    database.use([make_record("u2", campaign="first")])
    database.supersede("first")
    table = database.table().set_index("uid")
    assert table.loc["u1", "uses"] == []
    assert table.loc["u2", "uses"] == [Use("second", "H")]
    assert database.superseded == 1
    hidden = query_database(database.path, "", "table", {"mu_o": -4.0})
    assert "1 vacancies of earlier settings are not shown: select superseded=True" in hidden
    assert [row["uid"] for row in rows(database.path, mu_o=-4.0)] == ["u2"]
    old = query_database(database.path, "superseded=True", "json", {"mu_o": -4.0})
    assert [(r["uid"], r["host"]) for r in json.loads(old)["rows"]] == [("u1", "H")]
    database.use([make_record("u1", campaign="first", host="H2")])
    assert database.superseded == 0
    assert {r["uid"]: r["host"] for r in rows(database.path, mu_o=-4.0)} == {"u1": "H2", "u2": "H"}


def test_one_campaigns_refused_reference_leaves_the_others_readable(database, invented):
    database.add(invented("good", "u1"))
    database.add([invented("bad", "u2")[-1]])
    enthalpy = {"oxygen_reference": {"scheme": "O2", "li2o_enthalpy": -5.6}}
    database.describe_campaign("bad", enthalpy)
    found = {row["uid"]: row for row in rows(database.path)}
    assert found["u1"]["formation_energy_eV"] == pytest.approx(2.0)
    assert found["u2"]["formation_energy_eV"] is None
    assert found["u2"]["converged"] is False
    assert "the oxygen references disagree" in found["u2"]["reason"]


def test_an_option_changes_what_it_names_and_nothing_else(database, invented):
    database.add(invented("cold", "u1"))
    database.add([invented("li2o", "u2")[-1], invented("own", "u3")[-1]])
    li2o = {"scheme": "Li2O", "pressure": 0.21}
    database.describe_campaign("li2o", {"oxygen_reference": li2o})
    database.describe_campaign("own", {"oxygen_reference": {"scheme": "user", "mu_o": -4.0}})
    before = {row["uid"]: row for row in rows(database.path)}
    found = {row["uid"]: row for row in rows(database.path, temperature=500.0)}
    asked = [(r["oxygen_scheme"], r["temperature_K"], r["pressure_bar"]) for r in found.values()]
    assert asked == [("O2", 500.0, 1.0), ("Li2O", 500.0, 0.21), ("user", 500.0, 1.0)]
    change = {uid: found[uid]["mu_o_eV"] - before[uid]["mu_o_eV"] for uid in found}
    assert change["u1"] == pytest.approx(oxygen_thermal_term(500.0, 1.0, "298K"))
    assert change["u2"] == pytest.approx(oxygen_thermal_term(500.0, 0.21, "298K"))
    assert change["u3"] == 0.0  # T and p are labels of a user's own mu_O


def test_calculations_are_found_under_each_of_their_names(database, invented, make_record):
    database.add(invented("first", "u1"))
    database.add([make_record("upristine", "pristine", campaign="second", host="Q")])
    found = query_database(database.path, "kind=pristine,host=Q", "json", {})
    (row,) = json.loads(found)["rows"]
    assert (row["uid"], row["host"], row["campaign"]) == ("upristine", "Q", "second")
    everything = query_database(database.path, "kind=pristine", "json", {})
    (row,) = json.loads(everything)["rows"]
    assert (row["host"], row["campaign"]) == ("H", "first;second")


def test_kind_vacancy_may_be_joined_with_derived_columns(database, invented):
    database.add(invented())
    found = query_database(database.path, "kind=vacancy,formation_energy_eV<3", "json", {})
    assert [row["formation_energy_eV"] for row in json.loads(found)["rows"]] == [2.0]


def test_an_ase_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.db"
    with ase.db.connect(path) as other:
        other.write(molecule("H2O"), relaxed=True)
    before = path.read_bytes()
    with pytest.raises(InputError, match="not of vacancy-flows"):
        ResultsDatabase.open(path)
    assert path.read_bytes() == before


def test_an_unconverged_partner_makes_a_row_unconverged(database, invented, make_record):
    records = [record for record in invented() if record.calculation.kind != "pristine"]
    bad = {"converged": False, "reason": "stopped at its limit of 1 steps"}
    database.add([*records, make_record("upristine", "pristine", -30.0, result=bad)])
    (row,) = rows(database.path)
    assert row["converged"] is False
    assert "limit of 1 steps" in row["reason"]


def test_repair_rebuilds_an_equal_database(copy, finished):
    path = copy.directory / "results.db"
    path.write_bytes(b"ruined")
    text = repair_directory(copy.directory)
    assert "16 calculations rebuilt" in text
    old, new = (
        ResultsDatabase.open(d / "results.db") for d in (finished.directory, copy.directory)
    )
    before = {record.uid: record for record in old.records()}
    after = {record.uid: record for record in new.records()}
    assert before.keys() == after.keys()
    for uid, record in before.items():
        assert after[uid].result == record.result
        assert after[uid].choice == record.choice
        assert after[uid].calculation.operation == record.calculation.operation
    assert (copy.directory / "results.db.old").read_bytes() == b"ruined"


def test_repair_of_a_good_database_keeps_the_campaigns(copy):
    path = copy.directory / "results.db"
    before = ResultsDatabase.open(path).campaigns
    repair_directory(copy.directory)
    assert ResultsDatabase.open(path).campaigns == before


def test_repair_without_documents_is_refused(tmp_path):
    with pytest.raises(InputError, match="nothing to repair from"):
        repair_directory(tmp_path)
    assert not list(tmp_path.iterdir())


def test_repair_waits_for_no_writer(copy):
    before = (copy.directory / "results.db").read_bytes()
    with (
        WriterLock(copy.directory / "results.db"),
        pytest.raises(InputError, match="is being written by pid"),
    ):
        repair_directory(copy.directory)
    assert (copy.directory / "results.db").read_bytes() == before
