"""Rebuilds config dataclasses from the dicts that JSON files hold."""

import dataclasses
from typing import Any

import dacite

from inversenet_tf.imaging.renamed import old_names


def config_from_dict(config_class: type, values: dict[str, Any]) -> Any:
    """Rebuilds a config dataclass from its dict form; fields may also have their former names.

    Raises:
        ValueError: an unknown field or a wrong type.
    """
    if not isinstance(values, dict):
        raise ValueError(f"Expected the fields of a {config_class.__name__}. Received: {values!r}")
    whole_numbers_are_floats = {float: lambda v: float(v) if type(v) is int else v}
    # JSON has lists where a config has tuples.
    rules = dacite.Config(strict=True, type_hooks=whole_numbers_are_floats, cast=[tuple])
    try:
        return dacite.from_dict(config_class, with_present_names(config_class, values), rules)
    # dacite lets these through: a non-list for a tuple, and a number too large for a float.
    except (dacite.DaciteError, TypeError, OverflowError) as error:
        raise ValueError(f"Expected a {config_class.__name__}. Received: {error}") from error


def valid_config(config_class: type, values: dict[str, Any], where: Any) -> Any:
    """Rebuilds a config and checks its values: a file may have been edited or come from elsewhere.

    Args:
        config_class: a dataclass with a method `validate`.
        values: its dict form.
        where: the file, for the error message.

    Raises:
        ValueError: an unknown field, a wrong type, or a value that `validate` refuses.
    """
    config = config_from_dict(config_class, values)
    try:
        config.validate()
    except ValueError as error:
        raise ValueError(f"Cannot use the config in {where}: {error}") from error
    return config


def with_present_names(config_class: type, values: dict[str, Any]) -> dict[str, Any]:
    """Returns the dict form of a config with every renamed field under its present name."""
    sections = {field.name: field.type for field in dataclasses.fields(config_class)}
    renamed = old_names(config_class)
    result = {}
    for name, value in values.items():
        if name in renamed:
            renamed[name].say()
            name = renamed[name].new
        if isinstance(value, dict) and dataclasses.is_dataclass(sections.get(name)):
            value = with_present_names(sections[name], value)
        result[name] = value
    return result
