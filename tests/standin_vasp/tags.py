"""INCAR tags by type, and the defaults that readers of vasprun.xml look for."""

Value = str | bool | int | float | list[float]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TEXTS = _words("SYSTEM PREC ALGO GGA METAGGA LREAL PRECFOCK")
LOGICALS = _words("""
    LASPH LDAU LWAVE LCHARG LAECHG LVTOT LVHAR LELF LHFCALC LUSE_VDW ADDGRID LPLANE LMIXTAU
    LNONCOLLINEAR LSORBIT KGAMMA LORBITALREAL LDIPOL LMONO
""")
INTEGERS = _words("""
    ISTART ICHARG ISPIN NELM NELMIN NELMDL IBRION NSW ISIF ISYM ISMEAR LORBIT NBANDS IALGO ISEARCH
    NCORE NPAR KPAR NSIM LMAXMIX NEDOS IMIX IVDW NWRITE LDAUTYPE LDAUPRINT NGX NGY NGZ NGXF NGYF
    NGZF NBLOCK KBLOCK IDIPOL
""")
NUMBERS = _words("""
    ENCUT ENAUG EDIFF EDIFFG SIGMA NUPDOWN NELECT POTIM SYMPREC AMIX BMIX AMIN AMIX_MAG BMIX_MAG
    TIME KSPACING HFSCREEN AEXX PSTRESS EMIN EMAX SMASS
""")
LISTS = {"MAGMOM": "", "LDAUU": "", "LDAUJ": "", "LDAUL": "int", "ROPT": "", "DIPOL": ""}

DEFAULTS: dict[str, Value] = {
    "PREC": "normal",
    "ALGO": "Normal",
    "GGA": "--",
    "METAGGA": "--",
    "ISPIN": 1,
    "ISTART": 0,
    "ICHARG": 2,
    "NELM": 60,
    "NELMIN": 2,
    "EDIFF": 1e-4,
    "ISMEAR": 1,
    "SIGMA": 0.2,
    "LASPH": False,
    "ISIF": 2,
    "ISYM": 2,
    "SYMPREC": 1e-5,
    "POTIM": 0.5,
    "NUPDOWN": -1.0,
    "KSPACING": 0.5,
    "KGAMMA": True,
    "LMAXMIX": 2,
    "LORBIT": 0,
    "NEDOS": 301,
    "LWAVE": True,
    "LCHARG": True,
    "LDAU": False,
    "LHFCALC": False,
    "AEXX": 0.0,
    "HFSCREEN": 0.0,
    "LUSE_VDW": False,
    "LNONCOLLINEAR": False,
    "LSORBIT": False,
    "LEPSILON": False,
    "LCHIMAG": False,
}
