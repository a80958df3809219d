"""`fw`: FireWorks' own commands, refused in one message where they would end in a traceback."""

import subprocess
import sys

import fireworks.scripts.lpad_run
import pytest

from vacancy_flows.cluster import launch


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("lpad -l nowhere.yaml get_wflows", "fw lpad: launchpad_file 'nowhere.yaml' does not"),
        ("lpad get_fws -i many", "fw lpad: invalid literal for int() with base 10: 'many'"),
        ("lpad get_wflows -q {", "fw lpad: '{' was never closed"),
        ("rlaunch -w nowhere.yaml singleshot", "fworker_file 'nowhere.yaml' does not exist"),
        ("qlaunch -r", "fw qlaunch: say what to do: singleshot or rapidfire"),
    ],
)
def test_what_fireworks_own_commands_refuse(place, command, monkeypatch, words, told):
    monkeypatch.setattr(fireworks.scripts.lpad_run, "LAUNCHPAD_LOC", str(place.launchpad))
    answer = command("fw", *words.split())
    assert answer.status == 2
    assert told in answer.err


def test_help_is_of_the_command_it_is_asked_of(command, monkeypatch):
    asked = []
    monkeypatch.setattr(launch, "launch", lambda *words: asked.append(words) or 0)
    assert "Run a command of FireWorks" in command("fw", "--help").out
    assert "Run a command of FireWorks" in command("fw", "-h").out
    command("fw", "lpad", "--help")
    command("fw", "qlaunch", "-r", "rapidfire", "-h")
    assert asked == [("lpad", ["--help"]), ("qlaunch", ["-r", "rapidfire", "-h"])]


def test_what_others_say_to_themselves_is_not_printed():
    """FireWorks' loggers print that on their own: everything was there twice."""
    code = """
import logging, sys
from vacancy_flows.cli import main
sys.argv = ["vacancy-flows", "-v", "fw"]
try:
    main()
except SystemExit:
    for name in ("launchpad", "vacancy_flows.x"):
        logging.getLogger(name).setLevel("DEBUG")
        logging.getLogger(name).debug("said by %s", name)
        logging.getLogger(name).warning("warned by %s", name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = [line.split(": ")[1] for line in done.stderr.splitlines() if " by " in line]
    assert told == ["warned by launchpad", "said by vacancy_flows.x", "warned by vacancy_flows.x"]
