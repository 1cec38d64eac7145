"""Emotion classifiers: models, recipes, training, runs, export."""
