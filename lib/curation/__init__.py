"""Curation: steps that score, keep or reject the images of a pool."""
