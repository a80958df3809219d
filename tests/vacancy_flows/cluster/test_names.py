"""Campaigns of one name on one LaunchPad: each stays visible, none is mixed with another."""

# ruff: noqa: PLR0917  # fixtures

import pytest

from vacancy_flows.cluster.collecting import collect_here
from vacancy_flows.cluster.retrying import retry_here
from vacancy_flows.cluster.status import status_here
from vacancy_flows.cluster.submitting import submit_here
from vacancy_flows.database import ResultsDatabase

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")

VACANCY = "Li4Mn2O5"


@pytest.fixture
def two(tmp_path, small, tools):
    """Two files of one name: one strain each."""
    files = []
    for folder, value in (("ada", 0.01), ("bob", 0.02)):
        (tmp_path / folder).mkdir()
        host = {**tools.strained, "strain": {"mode": "uniaxial-a", "values": [value]}}
        files.append(small(f"{folder}/small.yaml", hosts=[host]))
    return files


@pytest.fixture
def as_user(monkeypatch):
    return lambda name: monkeypatch.setattr("getpass.getuser", lambda: name)


def tables(text):
    """The lines of each campaign, under its heading."""
    found, lines = {}, []
    for line in text.splitlines():
        if line.startswith("campaign "):
            lines = found.setdefault(line, [])
        else:
            lines.append(line)
    return found


def test_two_users_see_and_retry_both(
    place, two, as_user, invented, launch, tmp_path, capsys, quick
):
    for spec, user in zip(two, ("ada", "bob"), strict=True):
        as_user(user)
        submit_here(spec, place.launchpad)
    invented.fail = lambda formula: formula == VACANCY
    launch(place)
    capsys.readouterr()
    assert status_here(None, place.launchpad) == 1
    found = tables(capsys.readouterr().out)
    assert [heading.partition(", 20")[0] for heading in found] == [
        f"campaign small: {spec} ({user}" for spec, user in zip(two, ("ada", "bob"), strict=True)
    ]
    for lines, strain in zip(found.values(), ("+1 %", "+2 %"), strict=True):
        (row,) = [line for line in lines if "uniaxial-a" in line and line.startswith("P ")]
        assert strain in row
        assert row.split()[-5:] == ["0", "0", "1", "2", "0"]
        failed = [line for line in lines if line.startswith("FAILED")]
        assert len(failed) == 2
        assert all(strain in line for line in failed)

    invented.fail = lambda _: False
    retry_here(None, place.launchpad)
    assert "4 runs start again" in capsys.readouterr().out
    launch(place)
    for spec in two:
        assert status_here(spec, place.launchpad) == 0
        assert len(tables(capsys.readouterr().out)) == 1
    check_collected_apart(place, two, tmp_path)


def check_collected_apart(place, two, tmp_path):
    tables_of = []
    for spec in two:
        out = tmp_path / f"out {spec.parent.name}"
        assert collect_here(out, spec, [place.launchpad]) == 0
        tables_of.append(ResultsDatabase(out / "results.db").table())
    strains = [set(t[t.kind == "vacancy"].strain) for t in tables_of]
    assert strains == [{0.01}, {0.02}]


@pytest.mark.parametrize("apart", [False, True])
def test_collect_refuses_two_of_one_name(place, new_place, two, apart, command, tmp_path):
    places = [place, new_place("other") if apart else place]
    for spec, where in zip(two, places, strict=True):
        submit_here(spec, where.launchpad)
    words = [w for where in places for w in ("--launchpad", where.launchpad)]
    answer = command("collect", "-d", tmp_path / "out", *words)
    assert answer.status == 2
    assert "small: campaigns of one name with different settings: " in answer.err
    assert all(str(spec) in answer.err for spec in two)
    assert "`collect SPEC -d DIR`" in answer.err
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_moved_or_copied(place, small, invented, launch, tmp_path, capsys, quick):
    """Settings tell what it is; where it lies does not matter."""
    spec = small()
    submit_here(spec, place.launchpad)
    moved = spec.rename(tmp_path / "moved.yaml")
    assert status_here(moved, place.launchpad) == 0
    retry_here(moved, place.launchpad)
    submit_here(moved, place.launchpad)
    capsys.readouterr()
    assert status_here(None, place.launchpad) == 0
    (heading,) = tables(capsys.readouterr().out)
    assert str(spec) in heading
    assert str(moved) in heading
    launch(place)
    assert collect_here(tmp_path / "out", None, [place.launchpad]) == 0


def test_other_settings_of_the_same_file_replace_the_earlier(place, small, tools, capsys):
    submit_here(small(), place.launchpad)
    submit_here(small(relax={"fmax": 0.2}), place.launchpad)
    capsys.readouterr()
    status_here(None, place.launchpad)
    assert len(tables(capsys.readouterr().out)) == 1


def test_a_file_of_a_name_that_another_file_has(place, two, command):
    submit_here(two[0], place.launchpad)
    answer = command("status", two[1], "--launchpad", place.launchpad)
    assert answer.status == 2
    assert f"submitted with other settings, from {two[0]} (" in answer.err


def test_what_an_earlier_version_noted_is_read(place, two, capsys):
    """It knew one campaign of a name, and neither owner nor date."""
    submit_here(two[0], place.launchpad)
    campaigns = place.open().launchpad.db["vacancy_flows_campaigns"]
    (note,) = campaigns.find()
    old = {"_id": "small", **{key: note[key] for key in ("settings", "engine", "spec")}}
    campaigns.delete_many({})
    campaigns.insert_one(old)
    submit_here(two[1], place.launchpad)
    capsys.readouterr()
    status_here(None, place.launchpad)
    found = tables(capsys.readouterr().out)
    assert len(found) == 2
    assert f"campaign small: {two[0]}" in found
    submit_here(two[0], place.launchpad)
    assert campaigns.count_documents({}) == 2
