"""How long something takes, in words."""

UNITS = (
    ("min", 60.0, 3600.0),
    ("hour", 3600.0, 2 * 86400.0),
    ("day", 86400.0, 60 * 86400.0),
)  # from so many seconds, below so many
MONTH, YEAR = 30.44 * 86400, 365.25 * 86400


def in_words(seconds: float) -> str:
    """The time in the unit that suits it, with two significant digits; of seconds whole ones.

    >>> [in_words(seconds) for seconds in (0.2, 42, 600, 5400, 1e6, 3.7e7, 5e8)]
    ['1 s', '42 s', '10 min', '1.5 hours', '12 days', '14 months', '16 years']
    """
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    for unit, size, end in (*UNITS, ("month", MONTH, 2 * YEAR)):
        if seconds < end:
            return _in(seconds / size, unit)
    return _in(seconds / YEAR, "year")


def _in(number: float, unit: str) -> str:
    text = f"{float(f'{number:.2g}'):,g}"
    return f"{text} {unit}{'' if unit == 'min' or text == '1' else 's'}"
