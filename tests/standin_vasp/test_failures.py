"""The program alone where it fails: refused inputs, faults on demand, killed callers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pymatgen.io.vasp import Vasprun

pytestmark = pytest.mark.filterwarnings(
    "ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning",
    "ignore:Please use INCAR KSPACING:DeprecationWarning",
)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"NSW": "many"}, "Error reading item 'NSW' from file INCAR.\nError code was IERR= 5"),
        ({"LWAVE": 3}, "Error reading item 'LWAVE'"),
        ({"ISIF": 7}, "no ISIF = 7"),
        ({"IBRION": 0}, "no IBRION = 0"),
        ({"MAGMOM": [1, 1]}, "Error reading item 'MAGMOM'"),
        ({"LDAU": True, "LDAUU": [1, 2, 3]}, "Error reading item 'LDAUU'"),
    ],
)
def test_refuses_inputs(call, lithia, tags, said):
    _, done = call(lithia, **tags)
    assert done.returncode == 1
    assert said in done.stdout


def test_empty_poscar_is_refused(call, lithia):
    """Such as an empty CONTCAR that was copied."""
    directory, _ = call(lithia)
    (directory / "POSCAR").write_text("")
    _, done = call()
    assert (done.returncode, "POSCAR ends too early" in done.stdout) == (1, True)


@pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.outputs.UnconvergedVASPWarning")
def test_unconverged_energy_is_wrong(call, standin, lithia):
    standin.fail("electronic")
    energies, converged = [], []
    for _ in range(2):
        run = Vasprun(call(lithia)[0] / "vasprun.xml")
        energies.append(run.final_energy)
        converged.append(run.converged_electronic)
    assert converged == [False, True]
    assert energies[0] - energies[1] == pytest.approx(0.05, abs=1e-6)


def test_potcar_must_be_there_and_fit(call, lithia):
    directory, _ = call(lithia, NSW=0)
    text = (directory / "POTCAR").read_text()
    (directory / "POTCAR").write_text(text.split("End of Dataset")[0])
    _, done = call(NSW=0)
    assert (done.returncode, "POTCAR is of ['Li']" in done.stdout) == (1, True)
    (directory / "POTCAR").unlink()
    _, done = call(NSW=0)
    assert (done.returncode, "POTCAR is missing" in done.stdout) == (1, True)


def test_faults_fire_as_often_as_told(call, standin, lithia):
    standin.fail(
        {"fault": "exit_code", "match": ["static", ";ENCUT=520;"], "skip": 1, "times": 2},
        {"fault": "crash", "match": "relax-cell"},
    )
    codes = [call(lithia, NSW=0)[1].returncode for _ in range(4)]
    assert codes == [0, 1, 1, 0]
    assert call(lithia)[1].returncode == 0  # relax-ions
    assert [call(lithia, ISIF=3)[1].returncode for _ in range(2)] == [174, 0]
    assert standin.fired() == ["exit_code", "exit_code", "crash"]
    assert len(standin.runs()) == 7


def test_unknown_fault_is_refused(standin):
    with pytest.raises(ValueError, match="zbrant"):
        standin.fail("zbrant")


def test_kill_parent_takes_the_caller_along(call, standin, lithia, tmp_path):
    directory, _ = call(lithia, NSW=0)
    standin.fail({"fault": "walltime", "kill_parent": True})
    code = f"import subprocess, time; subprocess.run([{str(standin.executable)!r}]); time.sleep(9)"
    done = subprocess.run([sys.executable, "-c", code], cwd=directory, check=False)
    assert done.returncode == -9
    assert (directory / "CONTCAR").read_text() == ""


def test_starts_fast(call, standin, lithia):
    """Below 0.5 s on an idle machine; here only that nothing heavy is imported."""
    directory, _ = call(lithia, NSW=0)
    code = "import runpy, sys, json\ntry: runpy.run_module('standin_vasp', run_name='__main__')\n"
    code += "except SystemExit: json.dump(sorted(sys.modules), open('modules.json', 'w'))"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], cwd=directory, env=environment, check=True)
    loaded = json.loads((directory / "modules.json").read_text())
    assert not {"pymatgen", "ase", "scipy", "monty"} & set(loaded)
