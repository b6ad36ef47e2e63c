"""Config fields that were renamed: their old names go on working, and say so in one line."""

import re

from absl import logging

_BY_OLD_NAME = {}  # all of them, by their old names


class Renamed:
    """An old name of a config's field, as a class attribute of its dataclass.

    Reading or writing the old name reads or writes the new one, so that a config file which uses
    it still runs; `config_parsing.config_from_dict` takes it from JSON files as well.

    Args:
        new: the field's name today.
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
        """Logs the new name, once in a process."""
        logging.log_first_n(
            logging.WARNING, "The field %s is called %s now.", 1, self.old, self.new
        )


def with_present_names_of_flags(arguments: list[str]) -> list[str]:
    """Command-line arguments with `--config.section.old=value` under the field's present name."""
    return [re.sub(r"^(--?config\.(?:\w+\.)*)(\w+)(?==|$)", _present, text) for text in arguments]


def _present(argument):
    renamed = _BY_OLD_NAME.get(argument[2])
    if renamed is None:
        return argument[0]
    renamed.say()
    return argument[1] + renamed.new


def old_names(config_class: type) -> dict[str, Renamed]:
    """The renamed fields of a config dataclass, by their old names."""
    return {name: value for name, value in vars(config_class).items() if isinstance(value, Renamed)}
