"""A key is kept as long as names, versions and defaults are: none may change unnoticed."""

import json
import re
import shlex
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from pruneexp.cell import GROUPS, ROOT
from pruneexp.components.options import About
from pruneexp.records.record import problem
from pruneexp.sweep import expand
from pruneexp.system.shipped import conf_dir
from tests.identity.pins import in_conf, pinned, today

RECORDS = Path(__file__).resolve().parents[2] / "results" / "records"
# options that experiments or presets set, and did not when the first records were made
SET_SINCE = ("batchnorm_init", "round_counts")


@pytest.mark.parametrize("name", sorted(pinned()))
def test_a_changed_default_needs_a_new_version(name: str) -> None:
    if name not in today():
        pytest.fail(
            f"{name} is gone, and records may name it: bring it back, or raise the version of what replaces it and delete its pin."
        )
    now = today()[name]
    for option, default in pinned()[name].items():
        assert option in now, (
            f"{name} no longer has the option {option}: raise its version, then `python -m tests.identity.pins`."
        )
        assert now[option] == default, (
            f"{name}: the default of {option} was {default!r} and is {now[option]!r}, so that old keys would name another cell:"
            " raise the version in its @component(...), then `python -m tests.identity.pins`."
        )


def test_every_component_that_a_committed_record_names_is_pinned() -> None:
    named = {
        f"{group} {told['name']} {told['version']}"
        for _, record in committed()
        for group, told in record["description"].items()
        if isinstance(told, dict) and "code" not in told
    }
    assert len(named) > 20
    missing = named - pinned().keys()
    assert not missing, f"not pinned: {sorted(missing)}; `python -m tests.identity.pins` adds them."


def test_every_component_says_what_it_is() -> None:
    for file, found in in_conf():
        assert isinstance(getattr(found.target, "about", None), About), (
            f"{file}: decorate its function with @component(...)"
        )


def test_two_components_never_share_a_name() -> None:
    seen: dict[tuple[str, str], Any] = {}
    for file, found in in_conf():
        assert seen.setdefault((found.about.kind, found.about.name), found.target) is found.target, file


def test_a_file_restates_no_default() -> None:
    for file, found in in_conf():
        group = file.partition("/")[0]
        if group in GROUPS:
            label = {"name"} if found.contents else set()  # which has no default
            restated = found.options.keys() - found.contents.keys() - label - found.identity().get("options", {}).keys()
            assert not restated, f"conf/{file}.yaml restates the defaults of {sorted(restated)}: delete the lines"


def committed() -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.stem, json.loads(line))
        for path in sorted(RECORDS.glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


def test_every_committed_record_is_sound() -> None:
    assert [(name, why) for name, record in committed() if (why := problem(record))] == []


def as_then(record: dict[str, Any]) -> list[str]:
    """The words of a record's command in today's names, and of the options that its experiment sets by now those that it did not set then.

    What topology_tables8_9 was before it froze biases is topology_tables8_9_text now.
    """
    words = shlex.split(record["command"])[3:]
    if "biases" not in record["description"]:
        words = [re.sub(r"^(\+experiment=topology_tables8_9)$", r"\1_text", word) for word in words]
    said = {word.partition("=")[0] for word in words} | record["description"].keys()
    return words + [f"{name}={ROOT[name]}" for name in SET_SINCE if name not in said]


def test_every_committed_record_has_the_key_of_its_own_command() -> None:
    keys: dict[tuple[str, ...], set[str]] = {}
    wrong = []
    for name, record in committed():
        weights, words = record["description"].get("weights", "none"), as_then(record)
        same = weights, *words
        if same not in keys:
            with mock.patch("pruneexp.jobs.identity.fingerprint", return_value=weights):
                grid = expand(words)
                keys[same] = {cell.key for slot in grid.slots for cell in slot.cells}
        if record["key"] not in keys[same]:
            wrong.append((name, record["key"]))
    assert wrong == []


def test_the_configurations_folder_is_the_checkouts() -> None:
    assert (conf_dir() / "config.yaml").is_file()
