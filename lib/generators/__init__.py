"""Generators: a file each, one contract: class labels and seeds in, a face set out."""
