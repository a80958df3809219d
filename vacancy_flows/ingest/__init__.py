"""Finished VASP runs into a results database: read, paired, checked, stored as any other row."""

from vacancy_flows.ingest.documents import FOLDER, ingested_records
from vacancy_flows.ingest.sidecar import SIDECAR, Sidecar

__all__ = ["FOLDER", "SIDECAR", "Sidecar", "ingested_records"]
