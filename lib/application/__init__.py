"""The classifier in use on a camera, a video or pictures: `python -m lib.application --help`."""
