"""The networks: one file each, or one for each family."""
