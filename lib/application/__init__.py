"""The classifier in use: faces found, followed and named in frames of a camera, video or folder. `python -m lib.application --help`."""
