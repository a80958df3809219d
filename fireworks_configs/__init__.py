"""Configurations for clusters, filled in by `vacancy-flows init-cluster`."""
