"""Which pristine cell and which references a vacancy gets, and what is refused."""

import pandas as pd
import pytest

from vacancy_flows.analysis import OxygenReference
from vacancy_flows.engines.vasp.reading import read_run
from vacancy_flows.tables import vacancy_tables


def rows(database, reference=None):
    """Vacancies with E_f, by site."""
    tables = vacancy_tables(database, reference or OxygenReference("user", mu_o=-5.0))
    return pd.concat([table for _, table in tables]).set_index("site", drop=False)


def kinds(database):
    return sorted(record.calculation.kind for record in database.records())


def test_several_pristine_cells_are_refused_and_one_can_be_named(made, make, ingest, tmp_path):
    make.vasp(
        tmp_path / "other", make.oxide, **make.hubbard(4.2), MAGMOM=[0] * 4 + [3, -3] + [0] * 6
    )
    places = (made / "pristine", made / "vacancy_6", tmp_path / "other")
    done = ingest(*places)
    assert done.status == 1
    assert "several pristine cells are possible" in done.err
    assert all(str(place / "vasprun.xml") in done.err for place in places)
    assert "--pristine DIR" in done.err
    assert kinds(done.database) == ["pristine", "pristine"]
    named = ingest(*places, pristine=[tmp_path / "other"])
    assert named.status == 0
    (record,) = (r for r in named.database.records() if r.calculation.kind == "vacancy")
    assert record.calculation.pristine_uid == read_run(tmp_path / "other").uid
    assert ingest(*places).status == 0  # what was decided stays
    turned = ingest(*places, pristine=[made / "pristine"])
    (record,) = (r for r in turned.database.records() if r.calculation.kind == "vacancy")
    assert record.calculation.pristine_uid == read_run(made / "pristine").uid


def test_settings_choose_among_pristine_cells(made, make, ingest, tmp_path):
    make.vasp(tmp_path / "u3", make.oxide, **make.hubbard(3.9))
    done = ingest(made / "pristine", made / "vacancy_6", tmp_path / "u3")
    assert done.status == 0
    assert kinds(done.database) == ["pristine", "pristine", "vacancy"]


@pytest.mark.parametrize(
    "case",
    [
        ({"ENCUT": 400}, "cutoff 400 eV against 520 eV"),
        ({"SIGMA": 0.2}, "SIGMA 0.2 eV against 0.05 eV"),
        ({"ISMEAR": 1}, "ISMEAR 1 against 0"),
        ({"mesh": (3, 3, 3)}, "k-mesh Γ 3×3×3 against Γ 2×2×2"),
        ({"ISPIN": 1}, "ISPIN 1 against 2"),
        ({"PREC": "Normal"}, "PREC normal against accurate"),
        ({"potcars": {"Mn": "Mn"}}, "POTCAR of Mn PAW_PBE Mn 01Jan2000 against PAW_PBE Mn_pv"),
    ],
)
def test_mismatches_are_refused_or_flagged(made, make, ingest, tmp_path, case):
    change, said = case
    make.vasp(tmp_path / "v", make.without(make.oxide, 6), **make.hubbard(4.2) | change)
    done = ingest(made / "pristine", tmp_path / "v")
    assert done.status == 1
    assert said in done.err
    assert "--allow-mismatch" in done.err
    assert kinds(done.database) == ["pristine"]
    allowed = ingest(made / "pristine", tmp_path / "v", allow=True)
    assert allowed.status == 0
    (row,) = rows(allowed.database).to_dict("records")
    assert row["reason"].startswith(f"flagged: {said}")
    ingest(made / "references")  # which changes nothing of it
    assert rows(allowed.database)["reason"].iloc[0].startswith("flagged: ")


def test_another_u_is_a_mismatch_and_no_u_another_scale(made, make, ingest, tmp_path):
    make.vasp(tmp_path / "u3", make.without(make.oxide, 6), **make.hubbard(3.9))
    assert "U of Mn 3.9 eV against 4.2 eV" in ingest(made / "pristine", tmp_path / "u3").err
    make.vasp(tmp_path / "pbe", make.without(make.oxide, 9))
    done = ingest(made / "pristine", tmp_path / "pbe", allow=True, database="b/results.db")
    assert done.status == 1
    assert "U of Mn 0 eV against 4.2 eV" in done.err
    assert "cannot be paired, flagged or not" in done.err
    rows(done.database)  # and the database can still be read


def test_free_cells_are_no_partners(made, make, ingest, tmp_path):
    free = {**make.hubbard(4.2), **make.relax, "ISIF": 3}
    make.vasp(tmp_path / "host", make.oxide, **free)
    alone = ingest(tmp_path / "host", database="a/results.db")
    assert kinds(alone.database) == ["host"]
    relaxed = read_run(tmp_path / "host").structure
    make.vasp(tmp_path / "v", make.without(relaxed, 6), **make.hubbard(4.2))
    done = ingest(tmp_path / "host", tmp_path / "v")
    assert "cell (fixed wanted) fixed against free" in done.err
    make.vasp(tmp_path / "pristine", relaxed, **make.hubbard(4.2))
    assert ingest(tmp_path).status == 0


def test_atoms_on_other_sites_are_no_vacancy_of_it(made, make, ingest, tmp_path):
    """Same lattice, one atom less, but an Li where there was none."""
    moved = make.without(make.oxide, 6)
    moved.translate_sites([0], [0.25, 0.25, 0.25])
    make.vasp(tmp_path / "v", moved, **make.hubbard(4.2))
    assert kinds(ingest(made / "pristine", tmp_path / "v").database) == ["pristine", "pristine"]


def test_strained_cells_have_their_own_partners(made, make, ingest, tmp_path):
    strained = make.oxide.copy()
    strained.apply_strain([0.01, 0.01, 0])
    make.vasp(tmp_path / "p", strained, **make.hubbard(4.2))
    make.vasp(tmp_path / "v", make.without(strained, 6), **make.hubbard(4.2))
    done = ingest(made / "pristine", made / "vacancy_6", tmp_path)
    assert (done.status, len(rows(done.database))) == (0, 2)


def test_vacancies_of_vacancies_need_a_word(made, make, ingest, tmp_path):
    """With an Li less it is both a vacancy of the full cell and the host of one."""
    poor = make.without(make.oxide, 0)
    make.vasp(tmp_path / "poor", poor, **make.hubbard(4.2))
    make.vasp(tmp_path / "v", make.without(poor, 5), **make.hubbard(4.2))
    done = ingest(made / "pristine", tmp_path)
    assert done.status == 1
    assert "lack an atom of other runs themselves" in done.err
    named = ingest(made / "pristine", tmp_path, pristine=[tmp_path / "poor"])
    assert (named.status, kinds(named.database)) == (0, ["pristine", "pristine", "vacancy"])
    assert rows(named.database)["removed_element"].to_list() == ["O"]


def test_oxygen_without_spin_is_no_reference(made, make, references, ingest, tmp_path):
    make.vasp(tmp_path / "o2", references["O2"], (1, 1, 1), ISPIN=1)
    done = ingest(made / "pristine", tmp_path)
    assert "O2 without spin" in done.err
    assert kinds(done.database) == ["pristine"]


def test_several_references_are_not_chosen_from(made, make, references, ingest, tmp_path):
    make.vasp(tmp_path / "o2", references["O2"], (1, 1, 1), NUPDOWN=2, EDIFF=1e-7)
    done = ingest(made, tmp_path)
    assert done.status == 1
    assert "several O2 references fit" in done.err
    again = ingest(tmp_path / "o2")  # the one that is named now
    assert again.status == 0
    chosen = set(again.database.table().query("kind == 'vacancy'")["o2_uid"])
    assert chosen == {read_run(tmp_path / "o2").uid}


def test_reference_of_another_cutoff_is_refused_or_flagged(
    made, make, references, ingest, tmp_path
):
    make.vasp(tmp_path / "o2", references["O2"], (1, 1, 1), NUPDOWN=2, ENCUT=400)
    places = (made / "pristine", made / "vacancy_6", tmp_path / "o2")
    done = ingest(*places)
    assert "cutoff 520 eV against 400 eV" in done.err
    allowed = ingest(*places, allow=True)
    assert allowed.status == 0
    said = "flagged: O2: cutoff 520 eV against 400 eV"
    assert said in rows(allowed.database)["reason"].iloc[0]
    assert said in rows(ingest(*places).database)["reason"].iloc[0]  # what was allowed stays


def test_lithia_with_a_vacancy_is_a_pristine_cell(make, references, ingest, tmp_path):
    cell = references["Li2O"] * (2, 1, 1)
    make.vasp(tmp_path / "p", cell)
    make.vasp(tmp_path / "v", make.without(cell, 4))
    assert kinds(ingest(tmp_path).database) == ["pristine", "vacancy"]
    assert kinds(ingest(tmp_path / "p").database) == ["pristine", "vacancy"]
