"""Synthetic POTCARs: headers that pymatgen can read, and nothing that VASP could use.

Cutoffs, valence electrons and masses are facts about the potentials of release 54; the data
block is one invented number. Real POTCARs are licensed and never stand here.

Tests below this folder have the fixture ``potcars``; from elsewhere take ``write_potcars`` by
this file's path (``runpy.run_path``), because tests are no package.
"""

from pathlib import Path

RELEASES = ("POT_GGA_PAW_PBE", "POT_GGA_PAW_PBE_52", "POT_GGA_PAW_PBE_54", "POT_PAW_PBE_64")

# symbol: ENMAX (eV), ZVAL, mass
POTENTIALS = {
    "Li": (140.0, 1, 7.01),
    "Li_sv": (499.034, 3, 7.01),
    "Mn": (269.864, 7, 54.938),
    "Mn_pv": (269.864, 13, 54.938),
    "Ni": (269.532, 10, 58.69),
    "Ni_pv": (367.986, 16, 58.69),
    "Co": (267.968, 9, 58.933),
    "O": (400.0, 6, 16.0),
    "O_s": (282.853, 6, 16.0),
}

TEMPLATE = """  PAW_PBE {symbol} 01Jan2000
   {electrons:.10f}
 parameters from PSCTR are:
   VRHFIN ={element}: synthetic
   LEXCH  = PE
   EATOM  =     1.0000 eV,    0.1000 Ry

   TITEL  = PAW_PBE {symbol} 01Jan2000
   COPYR  = SYNTHETIC, invented for tests; not a potential
   LULTRA =        F    use ultrasoft PP ?
   IUNSCR =        1    unscreen: 0-lin 1-nonlin 2-no
   RPACOR =    2.000    partial core radius
   POMASS = {mass:8.3f}; ZVAL   = {electrons:8.3f}    mass and valenz
   RCORE  =    2.000    outmost cutoff radius
   RWIGS  =    2.000; RWIGS  =    1.058    wigner-seitz radius (au A)
   ENMAX  = {enmax:8.3f}; ENMIN  = {enmin:8.3f} eV
   LCOR   =        T    correct aug charges
   LPAW   =        T    paw PP
   EAUG   =  500.000
 END of PSCTR-controll parameters
 local part SYNTHETIC
   1.0
 End of Dataset
"""


def potcar_text(symbol: str, enmax: float | None = None) -> str:
    """One synthetic POTCAR as text; ENMAX in eV."""
    cutoff, electrons, mass = POTENTIALS[symbol]
    cutoff = cutoff if enmax is None else enmax
    return TEMPLATE.format(
        symbol=symbol,
        element=symbol.split("_", maxsplit=1)[0],
        electrons=electrons,
        mass=mass,
        enmax=cutoff,
        enmin=0.75 * cutoff,
    )


def write_potcars(directory: Path, enmax: dict[str, float] | None = None) -> None:
    """Write all symbols in the folders pymatgen looks into for PBE, PBE_52, PBE_54 and PBE_64.

    Parameters
    ----------
    directory
        What PMG_VASP_PSP_DIR is set to (the environment variable for another process;
        ``monkeypatch.setitem(pymatgen.core.SETTINGS, ...)`` in this one, which reads it once).
    enmax
        ENMAX in eV of some symbols, instead of the table's.
    """
    for release in RELEASES:
        for symbol in POTENTIALS:
            path = directory / release / symbol / "POTCAR"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(potcar_text(symbol, (enmax or {}).get(symbol)), encoding="ascii")
