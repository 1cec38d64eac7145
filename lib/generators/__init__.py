"""Generators of synthetic faces, one file each, behind one contract."""
