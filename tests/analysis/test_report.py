"""The report: self-contained, complete, escaped, small, and working in a browser."""

import base64
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from vacancy_flows.analysis import OxygenReference, formation_table
from vacancy_flows.analysis.report import ReportCell, ReportFigure, ReportSection, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PROVENANCE = {
    "versions": {"pymatgen": "2026.1.1", "jobflow": "0.3.0", "weights": "0.3.0"},
    "fingerprints": ["chgnet: weights 0.3.0"],
    "dates": "2026-11-20",
}
SCRIPT = "<script>alert('host')</script>"


class Page(HTMLParser):
    """What a report is made of: rows with their cells, addresses, elements, text."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.addresses, self.tags, self.columns, self.text = [], [], [], [], ""
        self.sorted = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.addresses += [(tag, found[key]) for key in ("src", "href") if key in found]
        if tag == "th" and "data-name" in found:
            self.columns.append(found["data-name"])
            self.sorted |= {found["data-name"]: found["aria-sort"]} if "aria-sort" in found else {}
        elif tag == "tr" and "data-uid" in found:
            self.rows.append({"attributes": found, "numbers": {}, "cells": 0, "text": ""})
        elif tag == "td" and self.rows:
            row = self.rows[-1]
            if "data-v" in found:
                row["numbers"][self.columns[row["cells"]]] = float(found["data-v"])
            row["cells"] += 1

    def handle_data(self, data):
        self.text += data
        if self.rows:
            self.rows[-1]["text"] += data


def cell(atoms=12):
    rng = np.random.default_rng(0)
    species = ["Li"] * (atoms // 3) + ["Mn"] * (atoms // 6) + ["O"] * (atoms // 2 - 1)
    return ReportCell(np.eye(3) * 6, species, rng.random((len(species), 3)), (0.25, 0.5, 0.999999))


def report(tmp_path, table, **more):
    section = ReportSection("made-up campaign", table, OxygenReference())
    settings = {"title": "Made-up", "sections": [section], "cells": {}, "provenance": PROVENANCE}
    return write_report(tmp_path / "report.html", **(settings | more))


def read(path):
    return Page(path.read_text(encoding="utf-8"))


def made_up(count):
    """Return as many made-up vacancies; none of these numbers was calculated."""
    rng = np.random.default_rng(1)
    row = np.arange(count)
    e_f = rng.normal(2.0, 0.4, count)
    return pd.DataFrame(
        {
            "uid": [f"u{i:016x}" for i in row],
            "host": [f"made-up-{i % 3}" for i in row],
            "formula": "Li32Mn16O47",
            "engine": "chgnet",
            "energy_scale": "mp2020",
            "strain_mode": np.where(row % 5 == 0, "none", "biaxial-ab"),
            "strain": (row % 5) * 0.01,
            "site": [f"O-4i-{i // 15 + 1}" for i in row],
            "wyckoff": "4i",
            "multiplicity": 4,
            "coordination": 6,
            "n_atoms": 96,
            "e_pristine_eV": -650.0,
            "e_vacancy_eV": -650.0 + e_f + 4.8185,
            "mu_o_eV": -4.8185,
            "oxygen_scheme": "O2",
            "temperature_K": 0.0,
            "pressure_bar": 1.0,
            "formation_energy_eV": e_f,
            "converged": row % 50 != 7,
            "ordering": pd.array([None] * count, dtype="Int64"),
            "ordering_energy_eV": np.nan,
            "removed_element": "O",
            "max_force_eV_A": 0.009,
            "reason": np.where(row % 50 != 7, "", "vacancy: stopped at 500 steps"),
            "campaign": "made-up",
        }
    )


def test_nothing_is_loaded_from_anywhere(table, tmp_path):
    figure = tmp_path / "more.png"
    figure.write_bytes(base64.b64decode("iVBORw0KGgo="))
    section = ReportSection("a", table, OxygenReference(), [ReportFigure(figure, "A map")])
    path = report(tmp_path, table, sections=[section])
    page, text = read(path), path.read_text(encoding="utf-8")
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    for tag, address in page.addresses:
        assert address.startswith(
            {"img": "data:image/", "a": ("#", "https://doi.org/10.")}[tag]  # nothing else has one
        )
    assert page.tags.count("img") == 2
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|innerHTML", text)


def test_every_row_is_there_with_its_full_number(table, tmp_path):
    page = read(report(tmp_path, table))
    assert [row["attributes"]["data-uid"] for row in page.rows] == list(table["uid"])
    shown = [row["numbers"]["formation_energy_eV"] for row in page.rows]
    assert shown == pytest.approx(list(table["formation_energy_eV"]), abs=1e-8)
    assert {row["cells"] for row in page.rows} == {len(page.columns)}


def test_unconverged_rows_are_marked_with_the_reason(table, tmp_path):
    page = read(report(tmp_path, table))
    marked = [r["attributes"]["data-uid"] for r in page.rows if "class" in r["attributes"]]
    assert marked == list(table.loc[~table["converged"], "uid"])
    assert len(marked) == 1
    assert "vacancy: stopped at 500 steps" in page.text
    assert "1 of 24 rows are not converged" in page.text


def test_unconverged_rows_enter_no_range(table, tmp_path):
    table.loc[~table["converged"], "formation_energy_eV"] = -99.0
    text = read(report(tmp_path, table)).text
    summary = text[text.index("Calculations converged") : text.index("As text")]
    assert "-99" not in summary
    assert "1.40 to 2.69 eV" in summary


def test_reference_scale_and_caveats_are_stated(table, tmp_path):
    text = read(report(tmp_path, table)).text
    for part in (
        "O2 (½E(O2), no shift), no thermal term on mp2020",
        "−4.819 eV",
        "energy scale mp2020",
        "22, 24",
        "All vacancies are neutral",
        "underestimates E_f by about 0.7 eV",
        "Compare numbers of equal N only",
        "chgnet: weights 0.3.0",
        "2026.1.1",
        "2026-11-20",
    ):
        assert part in text


def test_what_was_used_is_cited_and_nothing_else(table, campaign, tmp_path):
    text = read(report(tmp_path, table)).text
    for used in ("Nature 606, 305", "Machine Intelligence 5, 1031", "11, 15496", "68, 314", "5995"):
        assert used in text
    for unused in ("Monograph 9", "73, 195107", "092503", "Suppl. 2", "642 (2021)", "Larsen"):
        assert unused not in text
    warm = OxygenReference("Li2O", temperature=300)
    section = ReportSection("b", formation_table(campaign, warm), warm, cites=["paper-c"])
    text = read(report(tmp_path, table, sections=[section])).text
    for used in ("Monograph 9", "Suppl. 2", "642 (2021)"):
        assert used in text


def test_unknown_citation_is_refused(table, tmp_path):
    section = ReportSection("a", table, OxygenReference(), cites=["paper-z"])
    with pytest.raises(ValueError, match=r"no such citation: paper-z; known are paper-a"):
        report(tmp_path, table, sections=[section])
    assert not list(tmp_path.iterdir())


def test_no_text_of_a_user_becomes_markup(table, tmp_path):
    plain = read(report(tmp_path, table)).tags.count("script")
    for column in ("host", "site", "reason", "uid", "formula"):
        table[column] = SCRIPT + table[column].astype(str)
    table.loc[0, "reason"] = '" onclick="alert(1)'
    cells = {uid: cell() for uid in table["uid"]}
    hostile = {"versions": {SCRIPT: SCRIPT}, SCRIPT: [SCRIPT], "dates": SCRIPT}
    section = ReportSection(SCRIPT, table, OxygenReference())
    path = report(
        tmp_path, table, title=SCRIPT, sections=[section], cells=cells, provenance=hostile
    )
    page = read(path)
    assert page.tags.count("script") == plain
    assert "<script>alert" not in path.read_text(encoding="utf-8")
    assert all(set(row["attributes"]) <= {"class", "data-uid", "data-title"} for row in page.rows)
    assert page.rows[0]["attributes"]["data-uid"] == table["uid"][0]


def test_sections_become_a_column_and_name_their_reference(table, campaign, tmp_path):
    li2o = OxygenReference("Li2O")
    sections = [
        ReportSection("by O2", table, OxygenReference()),
        ReportSection("by Li2O", formation_table(campaign, li2o), li2o),
    ]
    page = read(report(tmp_path, table, sections=sections))
    assert page.columns[0] == "section"
    assert len(page.rows) == 2 * len(table)
    assert "by Li2O: Li2O (ΔH = -6.1972 eV), no thermal term on mp2020." in page.text


def test_another_reference_than_the_table_s_is_refused(table, tmp_path):
    section = ReportSection("a", table, OxygenReference("Li2O"))
    with pytest.raises(ValueError, match="oxygen_scheme O2, not Li2O"):
        report(tmp_path, table, sections=[section])


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(table, tmp_path, rows):
    page = read(report(tmp_path, table.head(rows)))
    assert len(page.rows) == rows
    assert ("No vacancies." in page.text) == (rows == 0)


def test_no_section(table, tmp_path):
    assert "No vacancies." in read(report(tmp_path, table, sections=[])).text


def test_rows_without_energy_or_strain(table, tmp_path):
    table.loc[0, ["formation_energy_eV", "mu_o_eV", "strain"]] = np.nan
    table.loc[0, "strain_mode"] = "custom"
    page = read(report(tmp_path, table))
    assert "formation_energy_eV" not in page.rows[0]["numbers"]
    assert page.rows[0]["attributes"]["data-title"].endswith("custom · no E_f")
    assert "nan" not in page.rows[0]["text"].lower()


def test_figures_of_unknown_formats_are_refused(table, tmp_path):
    figure = ReportFigure(tmp_path / "map.pdf", "A map")
    section = ReportSection("a", table, OxygenReference(), [figure])
    with pytest.raises(ValueError, match=r"map\.pdf: the report takes SVG, PNG and JPEG"):
        report(tmp_path, table, sections=[section])


def test_cell_from_a_structure():
    structure = Structure(Lattice.cubic(4.2), ["Li", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    taken = ReportCell.from_structure(structure, [0.5, 0, 0])
    assert taken.species == ["Li", "O"]
    assert np.asarray(taken.lattice)[0, 0] == 4.2


def test_cell_with_too_few_coordinates_is_refused():
    with pytest.raises(ValueError, match="2 x 3 coordinates"):
        ReportCell(np.eye(3), ["Li", "O"], [[0, 0, 0]])


def test_same_data_give_the_same_file(table, tmp_path):
    cells = {uid: cell() for uid in table["uid"]}
    first = report(tmp_path, table, cells=cells).read_bytes()
    assert report(tmp_path, table, cells=cells).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_500_rows_of_96_atoms_stay_small(tmp_path):
    rows = made_up(500)
    path = report(tmp_path, rows, cells={uid: cell(96) for uid in rows["uid"]})
    assert path.stat().st_size < 3_000_000
    assert len(read(path).rows) == 500


def in_browser(path, tmp_path, address=""):
    """Return the page as a headless browser has it after its scripts ran."""
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --dump-dom "
        "--disable-background-networking --disable-component-update --disable-sync "
        "--virtual-time-budget=2000 --enable-logging=stderr --v=0"
    )
    done = subprocess.run(
        [
            str(CHROMIUM),
            *options.split(),
            f"--user-data-dir={tmp_path / 'profile'}",
            f"{path.as_uri()}{address}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "CONSOLE" not in done.stderr  # no error of ours, no load refused by the policy
    assert done.returncode == 0, done.stderr[-500:]
    return Page(done.stdout), done.stdout


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def visible(page):
    return [row for row in page.rows if "hidden" not in row["attributes"]]


@needs_browser
@pytest.mark.parametrize("sign", ["", "-"])
def test_deep_link_sorts(table, tmp_path, sign):
    table.loc[3, "formation_energy_eV"] = np.nan
    path = report(tmp_path, table, cells={uid: cell() for uid in table["uid"]})
    page, _ = in_browser(path, tmp_path, f"#sort={sign}formation_energy_eV")
    assert len(page.rows) == len(table)
    shown = [row["numbers"].get("formation_energy_eV") for row in page.rows]
    assert shown[-1] is None  # without a number: last in both directions
    numbers = shown[:-1]
    assert numbers == sorted(numbers, reverse=bool(sign))
    assert page.sorted == {"formation_energy_eV": "descending" if sign else "ascending"}
    assert "24 of 24 rows" in page.text


@needs_browser
def test_deep_link_filters_and_chooses_a_row(table, tmp_path):
    path = report(tmp_path, table, cells={uid: cell() for uid in table["uid"]})
    uid = table["uid"][9]
    link = f"#host=Li1.5MnO3&formation_energy_eV=1.5..1.7&q=o-8j&row={uid}"
    page, text = in_browser(path, tmp_path, link)
    good = table["formation_energy_eV"].between(1.5, 1.7) & (table["host"] == "Li1.5MnO3")
    wanted = table.loc[good & (table["site"] == "O-8j-1"), "uid"]
    assert 0 < len(wanted) < len(table)
    assert [row["attributes"]["data-uid"] for row in visible(page)] == list(wanted)
    assert f"{len(wanted)} of 24 rows" in page.text
    current = [row for row in page.rows if row["attributes"].get("aria-current") == "true"]
    assert [row["attributes"]["data-uid"] for row in current] == [uid]
    assert "vacancy (V_O)" in text  # the legend of the cell drawn


@needs_browser
def test_hostile_host_runs_no_script(table, tmp_path):
    table["host"] = "<img src=x onerror=\"document.title='owned'\">" + table["host"]
    path = report(tmp_path, table, cells={uid: cell() for uid in table["uid"]})
    _, text = in_browser(path, tmp_path, "#sort=host")
    assert "<title>Made-up</title>" in text


@needs_browser
def test_viewer_finds_the_neighbours_pymatgen_finds(table, tmp_path):
    hexagonal = Lattice.from_parameters(2.9, 2.9, 14.2, 90, 90, 120)  # skewed, shorter than 2 x 2.6
    species = ["Li"] * 3 + ["Co"] * 3 + ["O"] * 5
    z = [0.5, 0.8333, 0.1667, 0, 0.3333, 0.6667, 0.26, 0.74, 0.5933, 0.0733, 0.9267]
    thirds = [(0, 0), (2 / 3, 1 / 3), (1 / 3, 2 / 3)]
    xy = [thirds[i] for i in (0, 1, 2, 0, 1, 2, 0, 0, 1, 2, 1)]
    coordinates = [[*p, height] for p, height in zip(xy, z, strict=True)]
    structure = Structure(hexagonal, species, coordinates)
    uid = table["uid"][0]
    path = report(
        tmp_path, table, cells={uid: ReportCell.from_structure(structure, (1 / 3, 2 / 3, 0.4067))}
    )
    text = path.read_text(encoding="utf-8")
    probe = (
        "<script>document.title = build(JSON.parse(document.getElementById('cell-data')"
        f".textContent)['{uid}']).atoms.filter((a) => a.f.every((x) => x >= 0 && x < 1))"
        ".map((a) => a.element + a.near.length + ':'"
        " + a.near.reduce((s, n) => s + n.length, 0).toFixed(1)).join(' ')</script></body>"
    )
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    path.write_text(policy.sub("", text).replace("</body>", probe), encoding="utf-8")
    _, dom = in_browser(path, tmp_path)
    anions = Structure(hexagonal, ["O"] * 6, [*coordinates[6:], [1 / 3, 2 / 3, 0.4067]])
    cations = structure[:6]
    expected = []
    for i, site in enumerate([*structure, anions[5]]):
        others = anions if i < 6 else Structure.from_sites(cations)
        near = others.get_sites_in_sphere(site.coords, 2.6)
        name = site.specie.symbol if i < 11 else "V"
        expected.append(f"{name}{len(near)}:{sum(n.nn_distance for n in near):.1f}")
    assert sum(int(re.search(r"\d+", name)[0]) for name in expected) > 60
    assert f"<title>{' '.join(expected)}</title>" in dom
