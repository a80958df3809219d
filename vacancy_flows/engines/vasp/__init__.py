"""VASP: production PBE and PBE+U with the settings of two papers.

Light to import: `sets` and `potcars`, which need pymatgen's and atomate2's VASP modules, are
loaded where they are used.
"""

from vacancy_flows.engines.vasp.settings import VaspSettings, fingerprint

__all__ = ["VaspSettings", "fingerprint"]
