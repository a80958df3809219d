"""Every way a run goes wrong: the right result, the right flag, or a message with the place."""

from pathlib import Path

import pytest
from atomate2.vasp.jobs import base
from custodian.vasp.handlers import LargeSigmaHandler, WalltimeHandler

from vacancy_flows.engines.vasp.corrections import changed_tags, handlers, summary
from vacancy_flows.errors import EngineError, InputError

# ruff: noqa: PLR0917


@pytest.mark.parametrize(
    ("fault", "errors", "changed"),
    [
        ("zbrent", ["zbrent"], {"EDIFF": [1e-6, 1e-7], "NELMIN": [5, 8]}),
        ("electronic", ["Unconverged"], {"ALGO": ["Normal", "All"], "ISEARCH": [None, 1]}),
        ("ionic", ["Unconverged"], {"IBRION": [2, 1]}),
        ("edddav", ["edddav"], {"ALGO": ["Normal", "All"], "ISEARCH": [None, 1]}),
    ],
)
def test_what_custodian_changes_is_recorded(
    relax, standin, vacancy12, plain, fault, errors, changed
):
    standin.fail({"fault": fault, "match": "relax-ions"})
    result = relax(vacancy12, engine=plain).output
    assert result.converged
    (correction,) = result.provenance["corrections"]
    assert correction["errors"] == errors
    assert result.provenance["changed_tags"] == changed
    assert result.provenance["restarted"] is False
    assert standin.fired() == [fault]


def test_steps_before_a_correction_count(relax, standin, vacancy12, plain):
    whole = relax(vacancy12, engine=plain).output
    standin.fail({"fault": "zbrent", "match": "relax-ions", "steps": 3})
    broken = relax(vacancy12, engine=plain, root="broken").output
    last = int(broken.reason.split()[-2])
    assert broken.n_steps == last + 3
    assert broken.energy == pytest.approx(whole.energy, abs=2e-3)


@pytest.mark.parametrize(
    ("fault", "steps", "geometry", "moments"),
    [
        ("walltime", 2, "CONTCAR", "INCAR"),
        ("truncated", None, "CONTCAR", "OUTCAR"),
        pytest.param("crash", 1, "CONTCAR", "INCAR", marks=pytest.mark.slow),
        pytest.param("exit_code", None, "CONTCAR", "OUTCAR", marks=pytest.mark.slow),
        pytest.param("no_space", 1, "POSCAR", "INCAR", marks=pytest.mark.slow),
    ],
)
def test_a_crash_goes_on_from_contcar(
    relax, standin, vacancy12, plain, fault, steps, geometry, moments
):
    standin.fail({"fault": fault, "match": "relax-ions"})
    result = relax(vacancy12, engine=plain).output
    assert result.converged
    assert result.provenance["restarted"] is True
    (entry,) = result.provenance["restarts"]
    assert (entry["geometry"], entry["moments"]) == (geometry, moments)
    assert entry["wavecar"] is (moments == "OUTCAR")
    assert entry["steps"] == (result.n_steps - 1 if steps is None else steps)
    assert result.moments[4:6] == [2.85, 2.85]


@pytest.mark.parametrize(
    ("fault", "kept"),
    [("truncated", "Failed to load vasprun.xml"), ("zbrent", "ZBRENT: fatal error in bracketing")],
)
def test_what_was_mended_is_told_in_its_folder_alone(
    relax, standin, vacancy12, plain, fault, kept, caplog, capfd
):
    standin.fail({"fault": fault, "match": "relax-ions"})
    done = relax(vacancy12, engine=plain)
    assert done.output.converged
    assert kept in (done.folder("vacancy") / "custodian.log").read_text()
    assert "Traceback" not in capfd.readouterr().err
    places = "custodian", "emmet"
    assert [r.name for r in caplog.records if any(p in r.pathname for p in places)] == []


def test_a_crash_that_stays_names_the_folder(relax, standin, vacancy12, tmp_path):
    standin.fail({"fault": "crash", "times": None})
    with pytest.raises(EngineError, match=rf"crashed 2 times in {tmp_path}.*see vasp.out"):
        relax(vacancy12)
    assert len(standin.runs()) == 2


def test_a_handler_that_stumbles_is_a_crash(relax, standin, vacancy12, plain, monkeypatch):
    """As over the empty CONTCAR of a run that a monitor ended before its first step."""
    real, calls = base.run_vasp, []

    def stumbling(**options):
        calls.append(options)
        if len(calls) == 1:
            Path("POSCAR").write_text("")
            Path("CONTCAR").write_text("")
            raise ValueError("Empty POSCAR")
        real(**options)

    monkeypatch.setattr(base, "run_vasp", stumbling)
    result = relax(vacancy12, engine=plain).output
    assert result.converged
    (entry,) = result.provenance["restarts"]
    assert entry["geometry"] == "input"
    monkeypatch.setattr(base, "run_vasp", lambda **_: Path("none").read_text())
    with pytest.raises(EngineError, match=r"crashed 2 times in .* \(.*No such file"):
        relax(vacancy12, engine=plain, root="again")


def test_electrons_that_never_converge_are_a_marked_result(relax, standin, vacancy12):
    standin.fail({"fault": "electronic_always", "times": None})
    result = relax(vacancy12).output
    assert result.converged is False
    assert "electrons not converged in 200 steps" in result.reason
    assert "; custodian gave up (" in result.reason  # why: what a monitor saw, as it happened
    assert result.charges is None
    assert result.provenance["bader"] == "no static: the relaxation did not converge"
    assert len({run["directory"] for run in standin.runs()}) == 1


@pytest.mark.slow
def test_ions_that_never_converge_are_a_marked_result(relax, standin, vacancy12, plain):
    standin.fail({"fault": "ionic", "times": None})
    result = relax(vacancy12, engine=plain).output
    assert result.converged is False
    assert result.reason.startswith("ions not converged: largest force")
    assert result.max_force > 0.05
    assert len(result.provenance["corrections"]) == 5
    assert result.n_steps == 5 * 60


@pytest.mark.slow
def test_no_energy_is_a_failure(relax, standin, vacancy12):
    standin.fail({"fault": "edddav", "times": None})
    with pytest.raises(EngineError, match=r"custodian gave up.*vasprun.xml in .* is truncated"):
        relax(vacancy12)


def test_a_stop_is_no_result_and_goes_on(relax, standin, vacancy12, plain, monkeypatch):
    """STOPCAR, written by the handler of the walltime or by hand."""
    write = base.write_vasp_input_set

    def and_stop(*arguments, **options):
        write(*arguments, **options)
        Path("STOPCAR").write_text("LSTOP = .TRUE.\n")

    said = r"VASP was stopped .* after 1 ionic steps: start it again"
    with monkeypatch.context() as patch:
        patch.setattr(base, "write_vasp_input_set", and_stop)
        with pytest.raises(EngineError, match=said):
            relax(vacancy12, engine=plain, root="stopped")
    again = relax(vacancy12, standin.directory.parent / "stopped", engine=plain).output
    assert again.converged
    (entry,) = again.provenance["restarts"]
    found = [entry[key] for key in ("geometry", "moments", "wavecar", "steps")]
    assert found == ["CONTCAR", "OUTCAR", True, 1]


@pytest.mark.slow
def test_the_end_of_the_walltime_stops_vasp_in_time(relax, standin, vacancy12, plain, monkeypatch):
    """custodian writes STOPCAR five minutes before what the queue allows."""
    monkeypatch.setenv("SBATCH_TIMELIMIT", "0:05:01")
    monkeypatch.setenv("CUSTODIAN_WALLTIME_START", "")
    monkeypatch.delenv("CUSTODIAN_WALLTIME_START")  # which the handler sets, for this test alone
    standin.fail({"fault": "slow", "seconds": 1.0})
    with pytest.raises(EngineError, match=r"end of its walltime.* it goes on from CONTCAR"):
        relax(vacancy12, engine=plain)
    assert len(standin.runs()) == 1


def test_a_static_that_fails_costs_only_the_charges(relax, standin, vacancy12):
    standin.fail({"fault": "crash", "match": "| static |", "times": None})
    result = relax(vacancy12).output
    assert result.converged
    assert result.charges is None
    assert result.provenance["bader"].startswith("the static failed (VASP crashed 2 times")


def test_a_result_runs_and_fails_where_its_run_failed(go, standin, vasp, vacancy12):
    """A ranking of orderings waits for every record, and FireWorks lets no orphan run."""
    standin.fail({"fault": "crash", "times": None})
    done = go(vasp.relax_maker("fixed", 0.05, 60).make(vacancy12), raise_immediately=False)
    assert done.output is None
    assert set(done.documents) == {"relax static"}
    assert done.documents["relax static"]["output"].startswith("no static")


def test_a_missing_potcar_is_told_before_vasp_runs(relax, standin, vacancy12):
    (standin.potcars / "POT_GGA_PAW_PBE_54" / "Mn_pv" / "POTCAR").unlink()
    with pytest.raises(InputError, match="POTCAR Mn_pv of Mn is missing"):
        relax(vacancy12)
    assert standin.runs() == []


def test_handlers_are_new_and_leave_smearing_alone(monkeypatch):
    first, second = handlers(), handlers()
    assert not {id(h) for h in first} & {id(h) for h in second}
    assert LargeSigmaHandler not in map(type, first)
    assert WalltimeHandler not in map(type, first)
    monkeypatch.setenv("PBS_WALLTIME", "3600")
    assert WalltimeHandler in map(type, handlers())


def test_corrections_are_summed_up():
    log = [
        {
            "corrections": [
                {
                    "errors": ["brmix"],
                    "actions": [
                        {"dict": "INCAR", "action": {"_set": {"Algo": "Fast", "ISYM": 0}}},
                        {"dict": "INCAR", "action": {"_unset": {"IMIX": 1}}},
                        {"dict": "KPOINTS", "action": {"_set": {"generation_style": "Gamma"}}},
                        {"file": "WAVECAR", "action": {"_file_delete": {"mode": "actual"}}},
                    ],
                },
                {"errors": ["Unfixable"], "actions": None},
            ]
        }
    ]
    found = summary(log)
    assert found == [
        {
            "errors": ["brmix"],
            "set": {"ALGO": "Fast", "ISYM": 0, "IMIX": None},
            "other": ["KPOINTS", "WAVECAR deleted"],
        },
        {"errors": ["Unfixable"], "set": {}, "other": []},
    ]
    asked = {"ALGO": "Normal", "ISYM": 0}
    assert changed_tags(found, asked) == {"ALGO": ["Normal", "Fast"]}
    assert summary(None) == []
