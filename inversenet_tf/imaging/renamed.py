"""Renamed config fields: the old names still work, and log the new name once."""

import re

from absl import logging

_BY_OLD_NAME = {}  # all of them, by their old names


class Renamed:
    """A config field's old name, as a class attribute of its dataclass.

    Reading or writing the old name reads or writes the new one, so that config files which use it
    still run; `config_parsing.config_from_dict` accepts it in JSON files as well.

    Args:
        new: the field's present name.
    """

    def __init__(self, new: str):
        self.new = new

    def __set_name__(self, owner, name):
        self.old = name
        _BY_OLD_NAME[name] = self

    def __get__(self, config, owner=None):
        if config is None:
            return self
        self.say()
        return getattr(config, self.new)

    def __set__(self, config, value):
        self.say()
        setattr(config, self.new, value)

    def say(self):
        """Logs the new name, once per process."""
        logging.log_first_n(
            logging.WARNING, "The field %s is now called %s.", 1, self.old, self.new
        )


def with_present_names_of_flags(arguments: list[str]) -> list[str]:
    """Replaces old field names in command-line arguments such as `--config.section.old=value`."""
    return [re.sub(r"^(--?config\.(?:\w+\.)*)(\w+)(?==|$)", _present, text) for text in arguments]


def _present(argument):
    renamed = _BY_OLD_NAME.get(argument[2])
    if renamed is None:
        return argument[0]
    renamed.say()
    return argument[1] + renamed.new


def old_names(config_class: type) -> dict[str, Renamed]:
    """Returns the renamed fields of a config dataclass by their old names."""
    return {name: value for name, value in vars(config_class).items() if isinstance(value, Renamed)}
