"""The one exception that users meet, and the kind of it about files that are damaged."""

import errno

MOST_SHOWN = 200  # characters of a value in a message


class StudyError(ValueError):
    """A user's mistake or a bad input.

    The message names the file or key, what was found, and the way out.
    """

    def _render_traceback_(self) -> list[str]:
        """Show the message alone: IPython asks an exception for its lines of text."""
        return [f"{type(self).__name__}: {self}"]


class DamagedFile(StudyError):
    """A file that does not hold what was written into it: cut off, or changed since.

    Whoever can make the file anew sets it aside and does so; see `lib.study.kept`.
    """


class UnwritableFile(StudyError):
    """A file that could not be written: the disk is full, or the place is not to be written to."""


# Their names, as an executed notebook has them: what they say is for users and says it all.
FOR_USERS = tuple(kind.__name__ for kind in (StudyError, DamagedFile, UnwritableFile))


def sentence(error: Exception) -> str:
    """Put an error of ours, or of the system about a file, into words for users."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    about = f"{error.filename}: " if error.filename else ""
    ways_out = {
        errno.ENOSPC: "free some space and run again, finished work is kept",
        errno.EDQUOT: "free some space and run again, finished work is kept",
        errno.EROFS: "give a folder that can be written to: --output",
        errno.EACCES: "give a folder that can be written to: --output, or change its permissions",
        errno.EPERM: "give a folder that can be written to: --output, or change its permissions",
        errno.ENOTDIR: "give a folder: --output",
        errno.EEXIST: "give a folder: --output",
    }
    way_out = ways_out.get(error.errno, "put that right and run again, finished work is kept")
    return f"{about}{error.strerror.lower()}; {way_out}"


def shortened(value, most: int = MOST_SHOWN) -> str:
    """Show a value in a message, its end left out where it has more than so many characters."""
    try:
        text = str(value)
    except ValueError:  # Python writes no number of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= most else f"{text[: most - 3]}..."
