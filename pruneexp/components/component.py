"""Configured components: what a group's file and the command line say of a scorer, masker, model ..., checked before it is made."""

import functools
import hashlib
import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pruneexp.components import foreign
from pruneexp.components.mending import told
from pruneexp.components.options import (
    CALLED_IN_ORDER,
    HYDRA,
    MADE_AT_ONCE,
    About,
    Option,
    called_with,
    check_options,
    offered_to,
    options_of,
)
from pruneexp.components.values import Count, Label, Line, allowed, content_of, is_plain, shown, value_of
from pruneexp.errors import UserError, unknown


@dataclass(frozen=True)
class Component:
    """A configured component, checked.

    Attributes:
        target: the function or class.
        options: as given, each of its declared type; a component among them is one too.
        about: what it says of itself; of one from outside pruneexp that says nothing, its name alone.
        label: the name in its file.
        named_in: the module of its ``_target_``.
        partial: whether what it configures is the function itself, called later with what only its user has, as Hydra's ``_partial_``.
        stated: the version that its file states, where it is from outside pruneexp.
        contents: of the options that say where data lies, the digest of what lies there.
    """

    target: Any
    options: dict[str, Any]
    about: About
    label: str
    named_in: str
    partial: bool
    stated: int | None = None
    contents: dict[str, str] = field(default_factory=dict)

    def identity(self) -> dict[str, Any]:
        """Name, version and the options that differ from the signature's defaults, as plain JSON; of data its content, not its place or
        what people call it.

        Raises:
            UserError: it is from outside pruneexp, and no file defines it.
        """
        found: dict[str, Any] = {"name": self.about.name, "version": self.about.version}
        if not foreign.is_ours(self.target):
            stated = None if self.stated is None else f"{self.named_in} version {self.stated}"
            found["code"] = stated or foreign.fingerprint(self.target, self.named_in)
        if self.contents:
            found["content"] = self.contents
        declared = options_of(self.target, self.about.kind)
        told = {*self.contents, "name"} if self.contents else set()
        options = {name: plain_json(value) for name, value in self.options.items() if name not in told}
        for name in options.keys() - {name for name, one in declared.items() if one.hint is not Any}:
            options[name] = without_hint(options[name])
        changed = {
            name: value
            for name, value in options.items()
            if name not in declared or declared[name].required or value != plain_json(declared[name].default)
        }
        return found | ({"options": changed} if changed else {})

    def value(self, name: str) -> Any:
        """One option's value, the signature's default where it is not given, None where there is no such option."""
        declared = options_of(self.target, self.about.kind)
        return self.options[name] if name in self.options else declared[name].default if name in declared else None

    def resolved(self) -> dict[str, Any]:
        """The name and every option's value, the signature's default where it is not given; a component among them likewise.
        Of data its content, not its place."""
        declared = options_of(self.target, self.about.kind)
        values = {name: one.default for name, one in declared.items() if not one.required} | self.options
        told = {name: value.resolved() if isinstance(value, Component) else value for name, value in values.items()}
        return {"name": self.label} | told | self.contents

    def make(self, **arguments: Any) -> Any:
        """What it configures: the function with its options, or what the function or class returns.

        Args:
            arguments: that the program supplies at once, in place of an option of that name.

        Raises:
            UserError: what it raises, or, where it is from outside pruneexp, that it raises.
        """
        options = {
            name: value.make() if isinstance(value, Component) else value for name, value in self.options.items()
        }
        if self.partial:
            return functools.partial(self.target, **options | arguments)
        if foreign.is_ours(self.target):
            return self.target(**options | arguments)
        with told(f"{self.about.kind}={self.named_in}.{getattr(self.target, '__name__', self.label)}"):
            return self.target(**options | arguments)

    @property
    def asks(self) -> tuple[str, ...]:
        """Which of the arguments that the program has for it it takes, in the order of its signature."""
        return offered_to(self.target, self.about.kind)

    def call(self, **offered: Any) -> Any:
        """What it returns for those of the program's arguments that its signature names."""
        return self.make()(**{name: offered[name] for name in self.asks if name in offered})

    def short(self) -> str:
        """For the key's readable part: the label that is an option of its own, or the name with the values it cannot do without; of data
        that its content tells, the name alone."""
        if self.contents:
            return self.about.name
        if "name" in self.options:
            return str(self.options["name"])
        declared = options_of(self.target, self.about.kind)
        values = (self.options[name] for name, one in declared.items() if one.required)
        needed = "_".join(
            value.about.name if isinstance(value, Component) else str(plain_json(value)) for value in values
        )
        short = self.about.name + ("_" if needed[:1].isalpha() else "") + needed
        return re.sub(r"[^\w.+-]+", "_", short)[:64]


def configured(group: str, node: Any, kind: str | None = None) -> Component:
    """A component's configuration, checked; nothing is made.

    Args:
        group: where it stands, for the sentences: ``scorer``, ``dataset.source``.
        node: name, _target_, options; plain.
        kind: what it is, the group unless given.

    Raises:
        UserError: it names nothing that can be imported, or its options are not what it takes.
    """
    kind = kind or group
    if not isinstance(node, Mapping) or not isinstance(node.get("_target_"), str):
        got = node.get("_target_") if isinstance(node, Mapping) else node
        raise UserError(
            f"{group} must be a component, with _target_ the dotted name of a function or class, got {shown(got)}."
        )
    target = locate(group, node["_target_"])
    about = getattr(target, "about", None) or About(kind, getattr(target, "__qualname__", str(node["_target_"])))
    if about.kind != kind:
        raise UserError(f"{group} must be a {kind}, and _target_={node['_target_']} is a {about.kind}.")
    partial = _partial(group, node.get("_partial_", False), target, kind)
    given = {str(name): value for name, value in node.items() if name not in HYDRA}
    declared = options_of(target, kind)
    label, stated = about.name if kind == "source" else given.get("name", about.name), None
    if kind != "source":
        label = value_of(f"{group}.name", Label, label)
        if "name" not in declared:
            given.pop("name", None)
        for told, hint in told_in_tables(kind).items():
            if told not in declared:
                value_of(f"{group}.{told}", hint, given.pop(told, label))
    if "version" in given and "version" not in declared and not foreign.is_ours(target):
        stated = value_of(f"{group}.version", Count, given.pop("version"))
    inner = _inner(group, given, declared)
    left = check_options(group, target, kind, {name: given[name] for name in given.keys() - inner.keys()}, set(inner))
    if about.together is not None:
        about.together(**{name: left.get(name, option.default) for name, option in declared.items()})
    options = {name: inner.get(name, left.get(name)) for name in given}
    places = {name: place for name, one in declared.items() if name in left and (place := content_of(one.hint))}
    contents = {name: place.digest(left[name]) for name, place in places.items()}
    return Component(target, options, about, str(label), node["_target_"].rpartition(".")[0], partial, stated, contents)


def told_in_tables(kind: str) -> dict[str, Any]:
    """What a preset's file may say of itself for reports alone, and what that must be: the name for figures, a note below tables that
    show it, and the model that a model's paper compares it with."""
    return {"title": Line, "note": Line} | ({"unpruned": Label} if kind == "model" else {})


def _partial(group: str, said: Any, target: Any, kind: str) -> bool:
    """Whether what is configured is called later; raises UserError where the configuration says otherwise."""
    if not isinstance(said, bool):
        raise UserError(f"{group}._partial_ must be true or false, got {shown(said)}.")
    called = called_with(target, kind)
    if said != bool(called) and (called or kind in MADE_AT_ONCE):
        with_what = f"the program calls it, with {', '.join(called)}" if called else "the program takes what it returns"
        raise UserError(f"{group}._partial_ must be {'true' if called else 'false'}: {with_what}.")
    return said


def _inner(group: str, given: Mapping[str, Any], declared: Mapping[str, Option]) -> dict[str, Component]:
    """The components among a component's options."""
    inner = {
        name: configured(f"{group}.{name}", value, name)
        for name, value in given.items()
        if isinstance(value, Mapping) and "_target_" in value
    }
    for name in inner:
        if name not in declared:
            raise UserError(unknown("option", name, declared, f"{group}."))
        if is_plain(declared[name].hint):
            raise UserError(f"{group}.{name} must be {allowed(declared[name].hint)}, got a component.")
    return inner


def dotted(where: str, target: Any) -> tuple[str, str]:
    """The module and the name of a dotted path; raises UserError where it is none."""
    module, _, name = target.rpartition(".") if isinstance(target, str) else ("", "", "")
    if not module or not all(part.isidentifier() for part in (*module.split("."), name)) or len(target) > 200:
        raise UserError(f"{where}._target_ must be the dotted name of a function or class, got {shown(target)}.")
    return module, name


def locate(where: str, target: str) -> Any:
    """The function or class that a dotted path names.

    Raises:
        UserError: there is none, it cannot be imported, or does not take what the program calls it with.
    """
    module, name = dotted(where, target)
    with told(f"{where}._target_={target}"):
        try:
            home = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise  # the module is there, and what it imports is not
            raise UserError(f"{where}._target_={target} names nothing that can be imported: {error}.") from error
    if not hasattr(home, name):
        raise UserError(f"{where}._target_={target} names nothing that can be imported: {module} has no {name}.")
    found = getattr(home, name)
    if not callable(found):
        raise UserError(f"{where}._target_={target} is neither a function nor a class.")
    if foreign.is_pythons(found):
        raise UserError(
            f"{where}._target_={target} is Python's own: name a function or class of pruneexp, or of yours."
        )
    try:
        parameters = inspect.signature(found).parameters
    except ValueError as error:  # of what is written in C
        raise UserError(
            f"{where}._target_={target} does not say which arguments it takes: write a function around it."
        ) from error
    if inspect.iscoroutinefunction(found) or inspect.isgeneratorfunction(found):
        raise UserError(f"{where}._target_={target} gives nothing when it is called: return what it makes.")
    lacking = [name for name in CALLED_IN_ORDER.get(where, ()) if name not in parameters]
    if lacking and not any(one.kind is one.VAR_POSITIONAL for one in parameters.values()):
        raise UserError(
            f"{where}._target_={target} is called with {', '.join(CALLED_IN_ORDER[where])}: name them in its signature, it lacks"
            f" {', '.join(lacking)}."
        )
    return found


def plain_json(value: Any) -> Any:
    """A value as canonical JSON has it: components by their identity, tuples as lists, no negative zero; of an absolute path, which
    differs from machine to machine and may name a person, the digest."""
    if isinstance(value, Component):
        return value.identity()
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value.startswith("/"):
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return value + 0.0 if isinstance(value, float) else value


def without_hint(value: Any) -> Any:
    """What an option without an annotation is worth in a key: 1.0 is 1."""
    if isinstance(value, list):
        return [without_hint(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
