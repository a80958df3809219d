"""Each fault fires custodian's handler for real; what custodian then does is stated here."""

import gzip

import numpy as np
import pytest
from custodian.custodian import (
    MaxCorrectionsPerJobError,
    NonRecoverableError,
    ReturnCodeError,
    ValidationError,
)
from pymatgen.io.vasp import Incar, Poscar, Vasprun

pytestmark = pytest.mark.filterwarnings(
    "ignore::pymatgen.io.vasp.inputs.UnknownPotcarWarning",
    "ignore::pymatgen.io.vasp.sets.BadInputSetWarning",
    "ignore::pymatgen.io.vasp.outputs.UnconvergedVASPWarning",
)


def look_at_the_end(monkeypatch):
    from standin_vasp.install import look_at_the_end as look

    look(monkeypatch)


def corrections(done):
    """Handler and changes of INCAR, one pair for each correction."""
    found = []
    for entry in done.document.custodian[0].corrections:
        changes = {}
        for action in entry["actions"]:
            changes |= action["action"].get("_set", {}) if action.get("dict") == "INCAR" else {}
        found.append((entry["handler"]["@class"], changes))
    return found


def started_from(done):
    """Largest move (Å) of an atom from the first POSCAR to that of the last attempt."""
    structures = [
        Poscar.from_file(done.directory / f"POSCAR{s}.gz").structure for s in (".orig", "")
    ]
    shift = structures[1].frac_coords - structures[0].frac_coords
    shift -= np.round(shift)
    return np.abs(shift @ structures[0].lattice.matrix).max()


@pytest.fixture
def undisturbed(manganate):
    from standin_vasp.inputs import Poscar as Inputs
    from standin_vasp.potential import get_potential
    from standin_vasp.relax import Settings, ionic_steps

    species = [site.specie.symbol for site in manganate]
    moments = np.array([0.0] * 4 + [2.85, -3.8] + [0.0] * 6)
    poscar = Inputs("", manganate.lattice.matrix, species, [1] * 12, manganate.frac_coords)
    steps = list(ionic_steps(poscar, get_potential(species, moments)[1], Settings(99, 2, -0.01)))
    return steps[-1].point.energy


def test_zbrent(run, relax, manganate, standin, undisturbed):
    standin.fail("zbrent")
    done = run(relax(ISIF=2), manganate)
    assert corrections(done) == [("VaspErrorHandler", {"EDIFF": 1e-6, "NELMIN": 8})]
    assert 0.01 < started_from(done) < 0.2  # from CONTCAR
    assert done.document.output.energy == pytest.approx(undisturbed, abs=2e-4)
    assert standin.fired() == ["zbrent"]


def test_zbrent_twice_changes_the_optimizer(run, relax, manganate, standin):
    standin.fail({"fault": "zbrent", "times": 2})
    done = run(relax(ISIF=2), manganate)
    assert corrections(done)[1] == ("VaspErrorHandler", {"EDIFF": 1e-7, "IBRION": 1})


def test_counts_of_errors_outlive_a_job(run, relax, manganate, standin):
    """atomate2 has one set of handlers for a process: the next job's first ZBRENT is a second."""
    standin.fail({"fault": "zbrent"}, {"fault": "zbrent", "skip": 1})
    first, second = (corrections(run(relax(ISIF=2), manganate))[0][1] for _ in range(2))
    assert "IBRION" not in first
    assert second["IBRION"] == 1


def test_edddav(run, relax, manganate, standin, undisturbed):
    standin.fail("edddav")
    done = run(relax(ISIF=2), manganate)
    ((handler, changes),) = corrections(done)
    assert handler == "VaspErrorHandler"
    assert (changes["ALGO"], changes["ISEARCH"]) == ("All", 1)
    assert started_from(done) == 0.0  # CONTCAR was still empty
    # ALGO = All: the last ionic step's own e_0_energy is zero
    assert done.document.calcs_reversed[0].output.ionic_steps[-1].e_0_energy == 0.0
    assert done.document.output.energy == pytest.approx(undisturbed, abs=2e-4)


def test_electronic_steps_run_out(run, relax, manganate, standin):
    standin.fail("electronic")
    done = run(relax(ISIF=2), manganate)
    assert corrections(done) == [("UnconvergedErrorHandler", {"ALGO": "All", "ISEARCH": 1})]
    assert done.document.state.value == "successful"


def test_electronic_steps_run_out_always(run, relax, manganate, standin, monkeypatch):
    """More than ten such ionic steps: two handlers, two corrections of one run."""
    look_at_the_end(monkeypatch)
    standin.fail("electronic_always")
    done = run(relax(ISIF=3, EDIFFG=-0.001), manganate)
    handlers = [name for name, _ in corrections(done)]
    assert handlers == ["UnconvergedErrorHandler", "NonConvergingErrorHandler"]
    assert corrections(done)[1][1]["AMIX"] == 0.1


def test_ionic_steps_run_out(run, relax, manganate, standin):
    standin.fail("ionic")
    done = run(relax(ISIF=2, NSW=30), manganate)
    assert corrections(done) == [("UnconvergedErrorHandler", {"IBRION": 1})]
    assert started_from(done) > 0.001  # from CONTCAR


def test_large_sigma(run, relax, lithia, monkeypatch):
    look_at_the_end(monkeypatch)  # at once, a monitor would read the OUTCAR of the run before
    done = run(relax(SIGMA=0.6), lithia)
    ((handler, changes),) = corrections(done)
    assert handler == "LargeSigmaHandler"
    assert changes["SIGMA"] < 0.36


@pytest.mark.parametrize("steps", [3, 0])
def test_walltime_kill(run, relax, manganate, standin, steps):
    standin.fail({"fault": "walltime", "steps": steps})
    with pytest.raises(ValidationError, match="VasprunXMLValidator"):
        run(relax(ISIF=2), manganate)
    directory = run.directory()
    assert bool((directory / "CONTCAR").read_text()) == bool(steps)
    assert "</modeling>" not in (directory / "vasprun.xml").read_text()
    if steps:
        Poscar.from_file(directory / "CONTCAR")
        vasprun = Vasprun(directory / "vasprun.xml", exception_on_bad_xml=False)
        assert len(vasprun.ionic_steps) == steps
    assert "General timing" not in (directory / "OUTCAR").read_text()


def test_static_that_is_killed_leaves_an_empty_contcar(run, static, lithia, standin):
    standin.fail("walltime")
    with pytest.raises(ValidationError):
        run(static(), lithia)
    assert (run.directory() / "CONTCAR").read_text() == ""


@pytest.mark.parametrize("fault", ["truncated", "crash", "no_space"])
def test_broken_vasprun(run, relax, manganate, standin, fault):
    standin.fail(fault)
    with pytest.raises(ValidationError, match="VasprunXMLValidator"):
        run(relax(ISIF=2), manganate)
    directory = run.directory()
    assert "</modeling>" not in (directory / "vasprun.xml").read_text()
    assert ("General timing" in (directory / "OUTCAR").read_text()) == (fault == "truncated")
    expected = {"truncated": "", "crash": "SIGSEGV", "no_space": "No space left on device"}
    assert expected[fault] in (directory / "std_err.txt").read_text()
    assert bool((directory / "CONTCAR").read_text()) == (fault != "no_space")


def test_exit_code(run, static, lithia, standin):
    standin.fail("exit_code")
    with pytest.raises(ReturnCodeError, match="return code is 1"):
        run(static(), lithia)


def test_retries_exhausted(run, relax, manganate, standin):
    standin.fail({"fault": "zbrent", "times": None})
    with pytest.raises(MaxCorrectionsPerJobError, match="5"):
        run(relax(ISIF=2), manganate)
    assert standin.fired() == ["zbrent"] * 5
    assert Incar.from_file(run.directory() / "INCAR")["EDIFF"] == pytest.approx(1e-8)


@pytest.mark.parametrize(
    "text", ["internal error in SET_CORE_WF", "Error reading item 'NSW' from file INCAR."]
)
def test_what_cannot_be_corrected(run, static, lithia, standin, text):
    standin.fail({"fault": "message", "text": text})
    with pytest.raises(NonRecoverableError), pytest.warns(UserWarning, match="POTCAR|typo"):
        run(static(), lithia)
    assert standin.fired() == ["message"]


def test_stopcar_looks_successful(run, relax, manganate, standin):
    """A soft stop leaves fewer than NSW steps, which every reader takes as converged."""
    standin.fail({"fault": "slow", "seconds": 0.7})
    maker = relax(ISIF=2)
    maker.run_vasp_kwargs = {"wall_time": 302}  # 300 s of buffer: STOPCAR after two seconds
    done = run(maker, manganate)
    assert done.document.state.value == "successful"
    assert done.document.analysis.max_force > 0.01
    with gzip.open(done.directory / "OUTCAR.gz", "rt") as file:
        assert "soft stop encountered!  aborting job" in file.read()
    assert done.document.custodian[0].corrections[0]["handler"]["@class"] == "WalltimeHandler"


def test_hanging_job(run, relax, manganate, standin, monkeypatch):
    from custodian.vasp.handlers import FrozenJobErrorHandler

    check, correct = FrozenJobErrorHandler.check, FrozenJobErrorHandler.correct

    def check_what_hangs(self, directory="./"):
        return check(self, directory) if standin.fired() else None  # it may start slowly

    def correct_once(self, directory="./"):
        self.timeout = 600  # the next run is not stuck
        return correct(self, directory)

    monkeypatch.setattr(FrozenJobErrorHandler, "check", check_what_hangs)
    monkeypatch.setattr(FrozenJobErrorHandler, "correct", correct_once)
    standin.fail("hang")
    maker = relax(ISIF=2, ALGO="Fast")
    maker.run_vasp_kwargs = {"handlers": [FrozenJobErrorHandler(timeout=1)]}
    assert corrections(run(maker, manganate)) == [("FrozenJobErrorHandler", {"ALGO": "Normal"})]
