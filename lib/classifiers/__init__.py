"""Classifiers: networks, recipes, their training, and the runs of a study."""
