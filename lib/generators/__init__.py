"""Generators: one file each, one contract: labels and seeds in, a face set out."""
