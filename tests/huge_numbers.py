"""Configs of which one whole number is the largest that there is."""

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

from inversenet_tf.imaging.checks import MOST


def whole_numbers(config: Any, prefix: str = "") -> Iterator[str]:
    """The names of all fields of a config that hold whole numbers, as "network.width"."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from whole_numbers(value, f"{prefix}{field.name}.")
        elif type(value) is int:
            yield f"{prefix}{field.name}"


def with_value(config: Any, field: str, value: Any = MOST) -> Any:
    """A copy of a config with another value of one field."""
    config = copy.deepcopy(config)
    *sections, name = field.split(".")
    section = config
    for part in sections:
        section = getattr(section, part)
    setattr(section, name, value)
    return config
