"""jobflow Makers: host relaxation, strain, oxygen sites, vacancies, references."""

from vacancy_flows.flows.calculation import CalculationMaker
from vacancy_flows.flows.host import HostMaker, StrainMaker, VacancyMaker
from vacancy_flows.flows.references import CampaignMaker, OxygenReferenceMaker

__all__ = [
    "CalculationMaker",
    "CampaignMaker",
    "HostMaker",
    "OxygenReferenceMaker",
    "StrainMaker",
    "VacancyMaker",
]
