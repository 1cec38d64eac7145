"""The one exception that users meet."""


class StudyError(ValueError):
    """A user's mistake or a bad input.

    The message names the file or key, what was found, and the way out.
    """

    def _render_traceback_(self) -> list[str]:
        """Show the message alone: IPython asks an exception for its lines of text."""
        return [f"{type(self).__name__}: {self}"]
