"""jobflow Makers: host relaxation, strain, oxygen sites, vacancies, references."""
