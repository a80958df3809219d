"""`vacancy-flows ingest` as a user types it."""

import pytest


def test_real_runs(real, command):
    done = command("ingest", real.bulk, real.vacancy, "--db", "results.db")
    assert (done.status, done.err) == (0, "")
    assert "13.30566578 eV" in done.out
    shown = command("query", "results.db", "removed_element=N", "--format", "csv", "--mu-o", "-5")
    assert "GaN,Ga16N15,vasp,pbesol,custom,,N-2b-" in shown.out
    more = command("ingest", real.oxygen, "--db", "results.db")
    assert more.status == 1
    assert "functional PBEsol against HSE06, cutoff 420 eV against 620 eV" in more.err
    report = command("report", "results.db", "-o", "page", "--mu-o", "-5")
    assert report.status == 0, report.err


def test_oxide_with_a_mu_o_of_ones_own(made, command):
    done = command("ingest", made, "--db", "new/results.db", "--mu-o", "-5")
    assert done.status == 0, done.err
    assert "3 references, 2 vacancies" in done.out
    assert "(mu_O = -5.000 eV)" in done.out
    shown = command("query", "new/results.db", "formation_energy_eV>-100", "--mu-o", "-4")
    assert shown.status == 0, shown.err
    assert shown.out.count("pbe+u") >= 2


def test_names_what_decides(made, make, command, tmp_path):
    make.vasp(tmp_path / "other", make.oxide, **make.hubbard(4.2), EDIFF=1e-7)
    places = (made / "pristine", made / "vacancy_6", tmp_path / "other")
    assert command("ingest", *places, "--db", "results.db").status == 1
    named = command("ingest", *places, "--db", "results.db", "--pristine", tmp_path / "other")
    assert (named.status, named.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere", "--db", "r.db"), "nowhere: DIR: does not exist"),
        ((".", "--db", "r.db"), "holds no vasprun.xml"),
        ((".",), "--db"),
        (("--db", "r.db"), "DIR"),
        ((".", "--db", ""), "is empty"),
        ((".", "--db", "postgresql://host/db"), "name a file"),
        ((".", "--db", "r.db", "--mu-o", "nan"), "--mu-o"),
    ],
)
def test_wrong_input(command, arguments, said):
    done = command("ingest", *arguments)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err


def test_database_that_is_a_folder(made, command):
    done = command("ingest", made / "pristine", "--db", ".")
    assert (done.status, "--db" in done.err) == (2, True)
