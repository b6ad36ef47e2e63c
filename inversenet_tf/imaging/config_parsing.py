"""Config dataclasses from what JSON files hold of them."""

import dacite


def config_from_dict(config_class, values):
    """Rebuilds a config dataclass from its dict form.

    Raises:
        ValueError: an unknown field or a wrong type.
    """
    whole_numbers_are_floats = {float: lambda v: float(v) if type(v) is int else v}
    # JSON has lists where a config has tuples.
    rules = dacite.Config(strict=True, type_hooks=whole_numbers_are_floats, cast=[tuple])
    try:
        return dacite.from_dict(config_class, values, rules)
    except dacite.DaciteError as error:
        raise ValueError(f"Expected a {config_class.__name__}. Received: {error}") from error
