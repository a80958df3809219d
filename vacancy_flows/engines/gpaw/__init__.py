"""GPAW: open PBE and PBE+U with plane waves.

Mortensen et al., J. Chem. Phys. 160, 092503 (2024), doi 10.1063/5.0182685. Light to import:
GPAW itself is loaded where it is used.
"""

from vacancy_flows.engines.gpaw.settings import GpawSettings, fingerprint

__all__ = ["GpawSettings", "fingerprint"]
