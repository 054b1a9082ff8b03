"""Systematic sampling's passes over its line, compiled: with many millions of weights it is the memory that they wait for.

The line is shuffled by Fisher and Yates's swaps, those of `numpy.random.Generator.shuffle` to the last, with the generator left as numpy
leaves it. They are drawn some ten thousand at a time before they are done: no word that may yet be rejected then stands between two of
them, and the processor fetches the entries of many at once, where numpy's loop waits for each. What is found on the line is
brought back by the same swaps in reverse, so that no entry has to carry its index along.
"""

import numba
import numpy as np

from pruneexp.errors import UserError

WORDS = 2**16  # drawn at a time, which the cache holds
MOST = 2**32  # entries for which numpy draws words of 32 bits


def mark(
    probabilities: np.ndarray, undecided: np.ndarray, count: int, rng: np.random.Generator, chosen: np.ndarray
) -> None:
    """Choose those of the undecided edges that contain one of Madow's points u, u + 1, ... on a line of them in random order.

    Args:
        probabilities: float64 [n].
        undecided: bool [n]: on the line, which is scaled to the length `count`.
        count: how many to choose.
        rng: shuffles the line and, where `count` is above 0, draws u.
        chosen: bool [n], set to whether they are chosen for the undecided.

    Raises:
        UserError: more than 2^32 are undecided.
    """
    line = np.empty(np.count_nonzero(undecided))
    if len(line) > MOST:
        raise UserError(f"systematic sampling draws from {MOST} weights at most, got {len(line)}: use sampling=paper.")
    _lay(probabilities, undecided, line)
    partners = shuffle(line, rng)
    if count > 0:
        met = np.empty(len(line), dtype=bool)
        _meet(line, float(count), rng.random(), met)
        _back(met, partners)
        _settle(undecided, met, chosen)


def shuffle(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``rng.shuffle(values)``, values [n] of at most 2^32; with whom each was swapped, the last first, uint32 [n]."""
    partners = np.empty(len(values), dtype=np.uint32)
    last = len(values) - 1
    while last > 0:
        last = _swap(values, rng.integers(2**32, size=min(last, WORDS), dtype=np.uint32), last, partners)
    return partners


@numba.njit(cache=True)
def _lay(probabilities, undecided, line):  # type: ignore[no-untyped-def]
    """The undecided edges' probabilities in their order."""
    at = 0
    for k in range(len(undecided)):
        if undecided[k]:
            line[at] = probabilities[k]
            at += 1


@numba.njit(cache=True)
def _swap(values, words, last, partners):  # type: ignore[no-untyped-def]
    """Swap values[last], values[last - 1], ..., as many as the words are good for, and tell which is next.

    numpy's rule: as many of a word's lowest bits as `last` has; where they exceed it, those of the next word.
    """
    left, mask = last, 1
    while mask < last:
        mask = 2 * mask + 1
    for word in words:
        partner = np.int64(word) & mask
        partners[left] = partner
        left -= partner <= left
        if left <= mask >> 1:
            mask >>= 1
    for k in range(last, left, -1):
        partner = partners[k]
        values[k], values[partner] = values[partner], values[k]
    return left


@numba.njit(cache=True)
def _meet(line, count, first, met):  # type: ignore[no-untyped-def]
    """Which entries contain a point. The last one's end is `count` whatever rounding says; sums are those of `np.cumsum`."""
    end = 0.0
    for part in line:
        end += part
    scale, end, points = count / end, 0.0, 0.0
    for k in range(len(line)):
        before, end = points, end + line[k]
        points = min(np.floor(end * scale + first), count) if k < len(line) - 1 else count
        met[k] = points > before


@numba.njit(cache=True)
def _back(values, partners):  # type: ignore[no-untyped-def]
    """Undo `shuffle`."""
    for k in range(1, len(values)):
        partner = partners[k]
        values[k], values[partner] = values[partner], values[k]


@numba.njit(cache=True)
def _settle(undecided, met, chosen):  # type: ignore[no-untyped-def]
    """What was found on the line, put where its entries came from."""
    at = 0
    for k in range(len(undecided)):
        if undecided[k]:
            chosen[k] = met[at]
            at += 1
