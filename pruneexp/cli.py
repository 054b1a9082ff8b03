"""The command line: ``python -m pruneexp [overrides]``.

The whole grid is composed and checked first, so that a mistake is reported in one sentence before anything has run;
then a launcher runs the jobs, and at last the report is written.
"""

import sys

from pruneexp.system.collecting import not_at_the_end, paused
from pruneexp.system.ending import told_at_the_end
from pruneexp.system.output import open_descriptors, steady_output
from pruneexp.system.surroundings import check_surroundings, check_words
from pruneexp.system.threads import spin_less


def main() -> None:
    """Do what the command line asks for; exit code 2 for a user's mistake, 1 if cells are missing, 143 and 130 for a signal."""
    open_descriptors()
    spin_less()
    with told_at_the_end("pruneexp"), steady_output():
        check_surroundings()
        check_words(sys.argv[1:])
        sys.exit(_main(sys.argv[1:]))


def _main(words: list[str]) -> int:
    from pruneexp import completion

    if any(word.partition("=")[0] in completion.WORDS for word in words):
        print(completion.answer(words, sys.argv[0]))
        return 0
    with paused():
        from pruneexp.commandline import OF_HYDRA, CommandLine, hand_over

    if any(word.partition("=")[0] in OF_HYDRA for word in words):
        hand_over()
        return 0
    line = CommandLine.of(words)
    if line.shows:
        print(line.text())
        return 0
    with paused():
        from pruneexp.launchers.task import spelled
        from pruneexp.program import do

    done = do(line.overrides, line.source, spelled(words))
    if done.grids[0].jobs[0].options.mode != "run":
        not_at_the_end()
    return done.code
