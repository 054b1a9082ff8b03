"""Numbers of results in sentences: each carries what it stands for, and what carries nothing is found.

On a page a number is followed by a comment with a reference (`scripts.references`): ``72 ± 12<!-- {quickstart: masker=sparsify;
density=0.02 -> accuracy} -->`` (of quoted words their number is meant); results/targets.yaml has the reference in the number's place.
Other numbers are no results, and their section says so: ``<!-- settings: 30 s; ten minutes -->`` names some (in results/targets.yaml an
entry's `settings`), ``<!-- no results: REASON -->`` is about all up to ``<!-- end -->`` or the next heading. Names (ResNet-20, Table 8,
2023), sizes (64 x 576), code and what `scripts.results_page` puts between comments are never results.
"""

import re
import sys
from collections.abc import Iterable

from scripts.references import REFERENCE, Sources

# a figure as reports print it: a number, with its interval, or several seeds' own
NUMBER = r"[-−]?(?:\d(?:[\d,]*\d)?(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?"
PRINTED = rf"(?:{NUMBER} ± {NUMBER}|{NUMBER} \[{NUMBER}, {NUMBER}\]|(?:\d+\.\d\d, )*{NUMBER})"
CLAIM = re.compile(rf"(?P<figure>{PRINTED})?<!--\s*\{{(?P<words>[^{{}}]+)\}}\s*-->")
WORDS = "four five six seven eight nine ten eleven twelve fifteen sixteen twenty thirty sixty hundred thousand million"
BARE = re.compile(rf"(?<![\w.,/])(?<![A-Za-z]-)(?:{NUMBER}|(?i:{WORDS.replace(' ', '|')})\b)")
SETTINGS = re.compile(r"<!--\s*settings:(.*?)-->", re.DOTALL)
NAMES = re.compile(
    r"(?:[Tt]ables?|[Ff]igures?|[Ss]ections?) \[?\d+\]?(?:(?:, | and | to |-)\[?\d+\]?)*"  # Tables 4, 11 and 12
    r"|\b20[0-2]\d\b"  # a year
    r"|\b\d+ ?x ?\d+\b|\bU\(\d, \d\)"  # a size, a distribution
)
NO_SENTENCES = re.compile(
    r"^```.*?^```$|`[^`]*`"  # code
    r"|<!-- (?:table: \S+|no results:.*?) -->.*?(?:<!-- end -->|(?=^#)|\Z)"
    r"|(?<=\])\([^)]*\)|https?://\S+",  # where a link leads
    re.DOTALL | re.MULTILINE,
)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


def filled(text: str, sources: Sources) -> str:
    """The page with each claimed number as its source has it.

    Raises:
        SystemExit: a reference stands for nothing, or behind no number.
    """

    def now(found: re.Match[str]) -> str:
        if found["figure"] is None:
            sys.exit(f"there is no number in front of {found[0]}")
        figure = sources.figure(found["words"])
        if found["words"].endswith('"'):
            figure = "".join(re.findall(NUMBER, figure)[:1])
        return figure + found[0].removeprefix(found["figure"])

    return CLAIM.sub(now, text)


def unclaimed(page: str) -> list[str]:
    """The numbers of a page's sentences that carry no reference and are no settings, each with its section and the words around it."""
    found = []
    for section in re.split(r"^(?=#)", CLAIM.sub("", NO_SENTENCES.sub("", page)), flags=re.MULTILINE):
        settings = [name.strip() for told in SETTINGS.findall(section) for name in told.split(";")]
        title, _, text = COMMENT.sub("", section).partition("\n")
        found += [f"{title.strip('# ')}: {number}" for number in bare(text, settings)]
    return found


def bare(text: str, settings: Iterable[str] = ()) -> list[str]:
    """The numbers in sentences that are neither references nor names nor among the settings, each with the words around it.

    A setting that is nowhere in the sentences is told too: what it named is gone.
    """
    text = " ".join(NO_SENTENCES.sub("", REFERENCE.sub("", text)).split())
    stale = []
    for setting in sorted(settings, key=len, reverse=True):
        text, count = re.subn(rf"(?<![\w.,]){re.escape(' '.join(setting.split()))}(?!\w)", "", text)
        stale += [] if count else [f"no {setting!r} is said, which is named as a setting"]
    text = NAMES.sub("", text)
    return [*(f"...{text[max(0, m.start() - 30) : m.end() + 20]}..." for m in BARE.finditer(text)), *stale]
