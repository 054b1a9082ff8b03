"""What ``where=`` says, as far as it can be understood before there are rows."""

import ast

from pruneexp.errors import UserError, first_line


def check_where(where: str) -> None:
    """Raise UserError where the comparison is none by its grammar: names, and values of which it is true, are known with the rows.

    pandas' own words, names in backticks and variables with @, are left to pandas.
    """
    if "`" in where or "@" in where:
        return
    try:
        ast.parse(where, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(
            f"where={where!r} cannot be understood ({first_line(error)}): it compares columns, as in \"masker == 'greedy' and"
            ' asked_density < 0.1".'
        ) from error
