"""Parents that nothing is built upon: unconverged, cut off, foreign, or without moments."""

import shutil

import pytest

from vacancy_flows.errors import InputError
from vacancy_flows.ingest import SIDECAR

HOST = "P/host"
PRISTINE = "P/unstrained/pristine"
STRAINED = "P/biaxial-ab_+2.00pct/pristine"
OTHERS = [f"P/biaxial-ab_+2.00pct/{site}" for site in ("O-4i-1", "O-8j-1")]


def cut(folder):
    path = folder / "vasprun.xml"
    path.write_bytes(path.read_bytes()[:-2000])


def of_another_cell(folder):
    shutil.copy(folder.parents[1] / "biaxial-ab_+2.00pct" / "pristine" / "vasprun.xml", folder)


@pytest.mark.parametrize(
    ("change", "said", "wrong"),
    [
        (lambda folder: (folder / "vasprun.xml").unlink(), "has not run", False),
        (cut, "has a vasprun.xml that is truncated: the run was killed, or is still", False),
        (lambda folder: (folder / "OUTCAR").unlink(), "has no final moments: put its", True),
        (of_another_cell, "holds another run (another cell", True),
    ],
)
def test_one_of_two_strains_waits(copied, build, change, said, wrong):
    directory = copied(2)
    change(directory / PRISTINE)
    done = build()
    assert done.folders == OTHERS
    (waiting,) = done.waiting
    assert waiting.startswith("vacancies of pristine P unstrained: ")
    assert f"{PRISTINE} {said}" in waiting
    assert len(done.problems) == wrong
    assert build().folders == []


def test_an_unconverged_parent_is_named(copied, build, vasp, command, by_hand):
    directory = copied(2)
    (directory / STRAINED / "vasprun.xml").unlink()
    vasp(directory, fault="ionic")
    done = build()
    assert done.folders == ["P/unstrained/O-4i-1", "P/unstrained/O-8j-1"]
    (problem,) = done.problems
    assert f"{STRAINED} is not converged (ions not converged" in problem
    assert done.waiting == [f"vacancies of pristine P biaxial-ab +2 %: {problem}"]
    told = command("build", by_hand.spec, "--inputs", "-o", directory)
    assert told.status == 1
    assert told.err == f"PROBLEM {problem}\n"


def test_nothing_is_left_to_do_but_to_mend(copied, build):
    directory = copied(1)
    (directory / HOST / "OUTCAR").unlink()
    for name in ("Li-free", "Li2O-free"):
        shutil.rmtree(directory / "references" / name)
    done = build(oxygen_reference={"scheme": "user", "mu_o": -5.0})
    assert done.text.endswith("nothing can be run before what is named above is mended")


def test_a_converged_run_goes_before_another_one(copied, build):
    directory = copied(2)
    shutil.copytree(directory / PRISTINE, directory / "P" / "a-first-try")
    cut(directory / "P" / "a-first-try")
    assert len(build().folders) == 4


def test_a_sidecar_that_cannot_be_read_is_told(copied, build):
    directory = copied(2)
    (directory / PRISTINE / SIDECAR).write_text("{}")
    with pytest.raises(InputError, match=f"{PRISTINE} hold other files"):
        build()


def test_references_that_disagree_end_it(copied, build, tmp_path):
    copied(2)
    with pytest.raises(InputError, match=r"oxygen_reference: .*eV"):
        build("new", source="out", oxygen_reference={"li2o_enthalpy": -5.5})
    assert not (tmp_path / "new").exists()
