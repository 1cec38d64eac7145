"""The classifier in use: faces found, followed and named in a camera's, a video's or a folder's frames. `python -m lib.application --help`."""
