"""What a job asks to be measured of its cells besides what every record says."""

from collections.abc import Mapping
from typing import Any

from pruneexp.components.component import Component
from pruneexp.components.values import shown
from pruneexp.errors import UserError
from pruneexp.records.record import shown_of


def measured(measurements: Mapping[str, Component], **offered: Any) -> dict[str, Any]:
    """The fields that the measurements add to a record.

    Args:
        measurements: by name, made in the order of their names.
        offered: what they may take, by argument: network, masks, trainee, input_shape, device.

    Raises:
        UserError: one does not give the field that it says it provides.
    """
    fields: dict[str, Any] = {}
    for name in sorted(measurements):
        field, found = provided(measurements[name]), measurements[name].call(**offered)
        if not isinstance(found, Mapping) or not _has(found, field):
            raise UserError(f"measurement.{name} must give the field {field} of the record, and gave {shown(found)}.")
        first = field.partition(".")[0]
        allowed = {first, f"{first}_layers"}
        if not found.keys() <= allowed or not all(map(_numbers, found.values())):
            raise UserError(
                f"measurement.{name} may give numbers under {' and '.join(sorted(allowed))} alone, and gave {shown(found)}."
            )
        fields |= found
    return with_names(fields) if fields else {}


def with_names(fields: dict[str, Any], record: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The fields with ``measurements``, the names of those that tables show: not those by layer; a record's earlier ones too."""
    names = {name for name in fields if not name.endswith("_layers")} | set(shown_of(record or {}))
    return {**fields, "measurements": sorted(names - {"measurements"})}


def is_measured(record: Mapping[str, Any], measurements: Mapping[str, Component]) -> bool:
    """Whether a record has what the measurements give; they are no part of a cell's key: a finished cell gets them later."""
    return all(_has(record, provided(one)) for one in measurements.values())


def provided(measurement: Component) -> str:
    """The field, dotted where it is nested, that tells that a measurement was made."""
    return measurement.about.provides or measurement.about.name


def _numbers(value: Any) -> bool:
    """Whether it is a number or none, or numbers by name."""
    if isinstance(value, Mapping):
        return all(map(_numbers, value.values()))
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _has(fields: Mapping[str, Any], name: str) -> bool:
    first, _, rest = name.partition(".")
    return first in fields and (not rest or (isinstance(fields[first], Mapping) and _has(fields[first], rest)))
