"""The networks, one file each or one family each."""
