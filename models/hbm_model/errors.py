"""The one exception for input that cannot be used; the command line prints its text as one line and exits with 2."""


class InputError(Exception):
    """Input that cannot be read or contradicts itself; the text names file, place and what was expected."""
