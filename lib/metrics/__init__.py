"""Scores, distances, statistics and claims."""
