"""Paths, parameters, records and execution: what makes a study repeatable."""
