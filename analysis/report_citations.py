"""What a report rests on: papers and codes, chosen by what was used."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from vacancy_flows.analysis.oxygen import OxygenReference


class Citation(NamedTuple):
    """What for, the text of the citation, and its DOI (empty where it has none)."""

    what: str
    text: str
    doi: str = ""


CITATIONS: Mapping[str, Citation] = {
    "paper-a": Citation(
        "formula of E_f and the figure of E_f against strain",
        "Liu et al., Nature 606, 305 (2022)",
        "10.1038/s41586-022-04689-y",
    ),
    "paper-b": Citation(
        "mu_O from the experimental enthalpy of Li2O",
        "the paper on vacancies at domain boundaries of Li3NiCoMnO6 (tilt and twin boundaries)",
    ),
    "paper-c": Citation(
        "oxygen released by Li-rich layered oxides",
        "Csernica et al., Nature Energy 6, 642 (2021)",
        "10.1038/s41560-021-00832-7",
    ),
    "chgnet": Citation(
        "energies and forces (CHGNet)",
        "Deng et al., Nature Machine Intelligence 5, 1031 (2023)",
        "10.1038/s42256-023-00716-3",
    ),
    "mp2020": Citation(
        "MP2020 corrections inside the energies",
        "Wang et al., Scientific Reports 11, 15496 (2021)",
        "10.1038/s41598-021-94550-5",
    ),
    "pbe": Citation(
        "PBE functional",
        "Perdew, Burke and Ernzerhof, Physical Review Letters 77, 3865 (1996)",
        "10.1103/PhysRevLett.77.3865",
    ),
    "pbe+u": Citation(
        "Hubbard U",
        "Dudarev et al., Physical Review B 57, 1505 (1998)",
        "10.1103/PhysRevB.57.1505",
    ),
    "r2scan": Citation(
        "r2SCAN functional",
        "Furness et al., Journal of Physical Chemistry Letters 11, 8208 (2020)",
        "10.1021/acs.jpclett.0c02405",
    ),
    "overbinding": Citation(
        "0.68 eV per O atom for the overbinding of O2",
        "Wang, Maxisch and Ceder, Physical Review B 73, 195107 (2006)",
        "10.1103/PhysRevB.73.195107",
    ),
    "li2o": Citation(
        "enthalpy of formation of Li2O (unless another value is named)",
        "Wagman et al., Journal of Physical and Chemical Reference Data 11, Suppl. 2 (1982)",
    ),
    "shomate": Citation(
        "thermal term of O2 gas",
        "Chase, NIST-JANAF Thermochemical Tables, 4th ed., Journal of Physical and Chemical "
        "Reference Data, Monograph 9 (1998)",
    ),
    "vasp": Citation(
        "VASP",
        "Kresse and Furthmüller, Physical Review B 54, 11169 (1996)",
        "10.1103/PhysRevB.54.11169",
    ),
    "gpaw": Citation(
        "GPAW",
        "Mortensen et al., Journal of Chemical Physics 160, 092503 (2024)",
        "10.1063/5.0182685",
    ),
    "pymatgen": Citation(
        "pymatgen",
        "Ong et al., Computational Materials Science 68, 314 (2013)",
        "10.1016/j.commatsci.2012.10.028",
    ),
    "ase": Citation(
        "ASE",
        "Larsen et al., Journal of Physics: Condensed Matter 29, 273002 (2017)",
        "10.1088/1361-648X/aa680e",
    ),
    "atomate2": Citation(
        "atomate2", "Ganose et al., Digital Discovery 4, 1944 (2025)", "10.1039/D5DD00019J"
    ),
    "jobflow": Citation(
        "jobflow",
        "Rosen et al., Journal of Open Source Software 9, 5995 (2024)",
        "10.21105/joss.05995",
    ),
    "spglib": Citation(
        "spglib",
        "Togo, Shinohara and Tanaka, Science and Technology of Advanced Materials: Methods 4, "
        "2384822 (2024)",
        "10.1080/27660400.2024.2384822",
    ),
}
"""By key, in the order they are listed."""


def citations(
    tables: Iterable[tuple[pd.DataFrame, OxygenReference]],
    provenance: Mapping[str, object],
    more: Sequence[str] = (),
) -> list[Citation]:
    """Choose what to cite.

    Parameters
    ----------
    tables : iterable of (pandas.DataFrame, OxygenReference)
        Vacancies and the reference they were made with.
    provenance : Mapping
        Of the report; the names under "versions" are the codes used.
    more : Sequence[str]
        Further keys of `CITATIONS`.

    Returns
    -------
    list of Citation
        In the order of `CITATIONS`.

    Raises
    ------
    ValueError
        If a key of `more` is unknown.
    """
    unknown = [key for key in more if key not in CITATIONS]
    if unknown:
        raise ValueError(
            f"no such citation: {', '.join(unknown)}; known are {', '.join(CITATIONS)}"
        )
    used = {"paper-a", *more}
    for table, reference in tables:
        scales = {str(scale) for scale in table["energy_scale"].dropna().unique()}
        used |= {str(engine).removesuffix("-r2scan") for engine in table["engine"].dropna()}
        used |= scales | ({"pbe"} if "pbe+u" in scales else set())
        used |= _of_reference(reference, scales)
    for heading, content in provenance.items():
        if heading.lower() == "versions" and isinstance(content, Mapping):
            used |= {str(name).lower() for name in content}
    return [citation for key, citation in CITATIONS.items() if key in used]


def _of_reference(reference: OxygenReference, scales: set[str]) -> set[str]:
    """Return what mu_O rests on; a user's own rests on the user."""
    if reference.scheme == "user":
        return set()
    used = {"shomate"} if reference.temperature else set()
    if reference.scheme == "Li2O":
        return used | {"paper-b", "li2o"}
    return used | ({"overbinding"} if scales & {"pbe", "pbe+u"} else set())


def citations_html(chosen: Sequence[Citation]) -> str:
    """Return a list with links to doi.org, the only links out of the report."""
    items = []
    for what, text, doi in chosen:
        link = f' <a href="https://doi.org/{doi}">doi:{doi}</a>' if doi else ""
        items.append(f"<li>{html.escape(what)}: {html.escape(text)}.{link}</li>")
    return f"<ol>{''.join(items)}</ol>"
