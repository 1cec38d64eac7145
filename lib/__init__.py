"""The study's library: one folder or module a notebook, plus the study's own machinery."""
