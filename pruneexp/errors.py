"""The one exception that stands for a mistake the user can put right."""


class UserError(Exception):
    """What was wrong, which values are allowed and how to fix it, in one sentence.

    The command line prints the sentence and exits with code 2; from Python it is an ordinary exception.
    """
