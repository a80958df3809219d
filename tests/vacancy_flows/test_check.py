"""`vacancy-flows check`: what this machine can run."""

import importlib.util

import pytest

from vacancy_flows import check
from vacancy_flows.engines import ENGINES


def test_every_engine_is_looked_for(command):
    answer = command("check")
    assert answer.status == 0, answer.err
    for name in (*ENGINES, "bader", "PostgreSQL", "FireWorks"):
        assert name in answer.out
    assert "yes engine chgnet  " in answer.out
    assert "energy scale mp2020" in answer.out


def test_what_is_missing_is_named_with_its_remedy(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(check, "find_spec", lambda n: None if n == "psycopg2" else real(n))
    monkeypatch.setenv("PATH", "")
    found = {finding.name: finding for finding in check.check_machine()}
    assert not found["PostgreSQL"].usable
    assert found["PostgreSQL"].detail == "pip install 'vacancy-flows[postgres]'"
    assert not found["bader"].usable
    assert "our own weights" in found["bader"].detail


def test_bader_on_the_path_is_found(monkeypatch, tmp_path):
    program = tmp_path / "bader"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {finding.name: finding for finding in check.check_machine()}
    assert found["bader"] == ("bader", True, str(program))


def test_a_campaign_that_can_run_is_counted(command, finished):
    answer = command("check", finished.spec)
    assert answer.status == 0
    assert "about 16 calculations" in answer.out


@pytest.mark.parametrize("words", [["check"], ["run", "-d", "out"]])
def test_a_campaign_whose_engine_cannot_run_here_is_refused(command, campaign_file, words):
    spec = campaign_file(settings={"device": "cuda:7"})
    answer = command(*words, spec)
    assert answer.status == 2
    assert f"{spec}: " in answer.err
    assert "cuda:7" in answer.err
