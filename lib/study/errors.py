"""The one exception that users meet."""


class StudyError(ValueError):
    """A user's mistake or a bad input.

    The message names the file or key, what was found, and the way out.
    """
