"""``build``: every structure on disk, nothing calculated, nothing of the user's overwritten."""

import csv
import json
import shlex

import numpy as np
import pytest
from pymatgen.core import Structure

from vacancy_flows.build import COLUMNS, build_campaign
from vacancy_flows.build_files import strain_folder
from vacancy_flows.engines.chgnet import ChgnetEngine
from vacancy_flows.errors import InputError
from vacancy_flows.plan import after, start
from vacancy_flows.planning import expected_calculations, plan_hosts
from vacancy_flows.records import make_record
from vacancy_flows.schemas import Result


class UnknownCost(ChgnetEngine):
    """An engine that cannot tell its cost, and must not be run by a build."""

    def seconds(self, n_atoms, kind):
        return None

    def relax_maker(self, *args, **kwargs):
        raise AssertionError("a build starts no calculation")

    static_maker = relax_maker


def table(directory):
    with (directory / "sites.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def built(example, engine, tmp_path_factory):
    directory = tmp_path_factory.mktemp("build") / "new" / "folder"
    return directory, build_campaign(example, engine, directory)


def test_every_structure_reads_back_as_cif_and_poscar(built):
    directory, summary = built
    cifs = sorted(directory.rglob("*.cif"))
    assert len(cifs) == summary.n_structures == len(list(directory.rglob("*.poscar")))
    for path in cifs[::7]:
        cif, poscar = Structure.from_file(path), Structure.from_file(path.with_suffix(".poscar"))
        assert cif.composition == poscar.composition
        assert np.allclose(cif.distance_matrix, poscar.distance_matrix, atol=1e-6)
        symbols = path.with_suffix(".poscar").read_text().splitlines()[5].split()
        assert len(symbols) == len(set(symbols))  # one group per species


def test_files_hold_what_their_names_say(built, example, engine):
    directory = built[0]
    host = plan_hosts(example, engine)[0].root
    written = Structure.from_file(directory / "Li2MnO3" / "host.poscar")
    assert np.allclose(written.lattice.matrix, host.lattice.matrix)
    assert "O-8j-1" in (directory / "Li2MnO3" / "host.cif").read_text()
    cell = directory / "Li2MnO3" / "biaxial-ab_+2.00pct"
    pristine = Structure.from_file(cell / "pristine.poscar")
    assert pristine.volume == pytest.approx(host.volume * 1.02**2, rel=1e-9)
    vacancy = Structure.from_file(cell / "O-4i-1.poscar")
    assert vacancy.composition.formula == "Li8 Mn4 O11"
    position = host[host.site_properties["label"].index("O-4i-1")].frac_coords
    assert min(site.lattice.get_all_distances(position, site.frac_coords) for site in vacancy) > 1
    assert "O-4i-1 " not in (cell / "O-4i-1.cif").read_text()


def test_all_candidates_are_written_with_their_removed_sites(built):
    directory, summary = built
    folders = sorted(path.name for path in (directory / "Li1.5MnO3").iterdir() if path.is_dir())
    assert folders == [f"ordering-{number:02d}" for number in range(11)]
    rows = [row for row in table(directory) if row["host"] == "Li1.5MnO3"]
    removed = {row["ordering"]: row["removed"] for row in rows}
    assert len(set(removed.values())) == 11
    assert all(len(labels.split()) == 2 for labels in removed.values())
    ordering = Structure.from_file(directory / "Li1.5MnO3" / "ordering-03" / "ordering.cif")
    assert ordering.composition.formula == "Li6 Mn4 O12"
    assert "only the engine ranks them" in summary.text


def test_table_has_the_columns_and_points_at_its_files(built):
    directory, _ = built
    rows = table(directory)
    assert tuple(rows[0]) == COLUMNS
    assert len({row["uid"] for row in rows}) == len(rows)
    vacancies = set()
    for row in rows:
        vacancies.add(directory / row["folder"] / f"{row['site']}.cif")
        members = row["members"].split()
        assert (members[0], len(members)) == (row["site"], int(row["multiplicity"]))
        assert row["wyckoff"] == row["site"].split("-")[1]
        assert row["n_atoms"] == ("24" if row["host"] == "Li2MnO3" else "22")
    others = {"host.cif", "ordering.cif", "pristine.cif"}
    assert vacancies == {path for path in directory.rglob("*.cif") if path.name not in others}
    assert (rows[0]["ordering"], rows[0]["removed"]) == ("", "")
    assert {row["strain"] for row in rows if row["strain_mode"] == "none"} == {"0.0"}
    # every cell has 12 oxygen atoms, in one class or another
    per_cell = {}
    for row in rows:
        per_cell[row["folder"]] = per_cell.get(row["folder"], 0) + int(row["multiplicity"])
    assert set(per_cell.values()) == {12}


def test_uids_are_those_a_run_will_have(built, example, engine):
    """Followed through the plan with made-up results, as a run does."""

    def finish(calculation):
        structure = calculation.structure
        forces = np.zeros((len(structure), 3)).tolist()
        result = Result(
            structure=structure,
            energy=-1.0,
            forces=forces,
            max_force=0.0,
            converged=True,
            reason="made up",
        )
        return make_record(calculation, result, engine)

    uids = set()
    for plan in plan_hosts(example, engine):
        for host in start(plan):
            for pristine in after(plan, finish(host)):
                uids |= {vacancy.uid for vacancy in after(plan, finish(pristine))}
    assert {row["uid"] for row in table(built[0])} == uids


def test_summary_counts_costs_and_says_what_it_is(built, example, engine):
    summary = built[1]
    plans = plan_hosts(example, engine)
    assert summary.calculations["reference"] == 3
    for kind in ("candidate", "pristine", "vacancy"):
        expected = sum(expected_calculations(plan).get(kind, 0) for plan in plans)
        assert summary.calculations[kind] == expected
    total = sum(summary.calculations.values())
    assert f"Calculations of a run: {total} " in summary.text
    assert summary.seconds is not None
    assert f"about {summary.seconds:.0f} core-seconds" in summary.text
    least = sum(n * engine.seconds(1, kind) for kind, n in summary.calculations.items())
    assert least < summary.seconds < 24 * least
    assert "estimate from cells that are not relaxed" in summary.text


def test_engine_that_cannot_tell_its_cost_says_so_and_nothing_is_run(load, tmp_path):
    summary = build_campaign(load(), UnknownCost(), tmp_path / "out")
    assert summary.seconds is None
    assert "Cost of a run: unknown for engine chgnet" in summary.text


def test_orderings_by_electrostatics_are_the_ones_kept(load, engine, tmp_path):
    host = {"delithiate": {"fraction": 0.25, "rank": "electrostatics", "keep": 2}}
    summary = build_campaign(load(host), engine, tmp_path / "out")
    assert {row["ordering"] for row in table(tmp_path / "out")} == {"0", "1"}
    assert summary.calculations["host"] == 2
    assert "by electrostatics" in summary.text


def test_orderings_of_a_relaxed_host_are_built_ones_and_that_is_said(load, engine, tmp_path):
    host = {"delithiate": {"fraction": 0.25, "from": "relaxed"}}
    summary = build_campaign(load(host), engine, tmp_path / "out")
    assert "geometry is the built one" in summary.text
    assert summary.calculations["host"] == 1
    assert len(list((tmp_path / "out" / "A").glob("ordering-*"))) == 11


@pytest.mark.parametrize(
    ("mode", "value", "folder"),
    [
        ("none", 0.0, "unstrained"),
        ("biaxial-ab", 0.02, "biaxial-ab_+2.00pct"),
        ("biaxial-ab", 0.020001, "biaxial-ab_+2.0001pct"),
        ("biaxial-ab", -0.005, "biaxial-ab_-0.50pct"),
        ("uniaxial-c*", 0.1, "uniaxial-cstar_+10.00pct"),
        ("hydrostatic", 1e-7, "hydrostatic_+0.00001pct"),
    ],
)
def test_strain_folders_are_exact_and_safe_for_shells(mode, value, folder):
    assert strain_folder(mode, value) == folder
    assert shlex.quote(folder) == folder


def test_strains_that_differ_by_little_have_folders_of_their_own(load, engine, tmp_path):
    values = [0.02, 0.020001, 0.0200001, -0.02]
    strain = {"mode": "biaxial-ab", "values": values}
    build_campaign(load(strain=strain), engine, tmp_path / "out")
    assert len(list((tmp_path / "out" / "A").glob("biaxial-ab_*/pristine.cif"))) == 4


def test_folder_with_other_files_is_refused_and_left_alone(load, engine, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="out: -o: holds other files: name an empty or a new"):
        build_campaign(load(), engine, out)
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
    with pytest.raises(InputError, match="is a file: name a folder"):
        build_campaign(load(), engine, out / "thesis.tex")
    assert (out / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("manifest", ["", "[]", "{", '{"campaign": "test"}', '{"files": []}'])
def test_manifest_that_is_not_ours_is_refused(load, engine, tmp_path, manifest):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "build.json").write_text(manifest)
    with pytest.raises(InputError, match="holds other files"):
        build_campaign(load(), engine, tmp_path / "out")


def test_build_of_another_campaign_is_refused_and_named(load, engine, tmp_path):
    build_campaign(load(name="first"), engine, tmp_path / "out")
    with pytest.raises(InputError, match="holds a build of campaign 'first'"):
        build_campaign(load(name="second"), engine, tmp_path / "out")


def test_second_build_clears_what_is_not_built_any_more_and_nothing_else(load, engine, tmp_path):
    out = tmp_path / "out"
    strain = {"mode": "biaxial-ab", "values": [0.0, 0.02, 0.04]}
    build_campaign(load(strain=strain), engine, out)
    mine = out / "A" / "biaxial-ab_+4.00pct" / "notes.txt"
    mine.write_text("mine")
    strain["values"] = [0.0]
    build_campaign(load(strain=strain), engine, out)
    assert mine.read_text() == "mine"
    assert not (out / "A" / "biaxial-ab_+2.00pct").exists()
    assert [path.name for path in mine.parent.iterdir()] == ["notes.txt"]
    assert {row["folder"] for row in table(out)} == {"A/unstrained"}


def test_manifest_cannot_reach_outside_its_folder(load, engine, tmp_path):
    out = tmp_path / "out"
    build_campaign(load(), engine, out)
    outside = tmp_path / "precious.cif"
    outside.write_text("mine")
    (out / "A" / "results.dat").write_text("mine")
    manifest = json.loads((out / "build.json").read_text())
    manifest["files"] += ["../precious.cif", str(outside), "A/results.dat"]
    (out / "build.json").write_text(json.dumps(manifest))
    build_campaign(load(), engine, out)
    assert outside.read_text() == (out / "A" / "results.dat").read_text() == "mine"


def test_bad_input_writes_nothing(load, engine, tmp_path):
    hosts = [
        {"name": "A", "structure": "Li2MnO3"},
        {"name": "B", "structure": "Li2MnO3", "delithiate": {"fraction": 0.3}},
    ]
    with pytest.raises(InputError, match=r"hosts\.1\.delithiate\.fraction"):
        build_campaign(load(hosts=hosts), engine, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_that_cannot_be_written_is_told(load, engine, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        build_campaign(load(), engine, tmp_path / "file" / "out")
