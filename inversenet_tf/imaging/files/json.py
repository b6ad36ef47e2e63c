"""JSON files: written whole or not at all, and read with errors that name the file."""

import json
import math
import reprlib

from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.paths import check_regular

NUMBER = (int, float)


def write_json(path, content):
    """Writes `content` as JSON, whole or not at all."""
    text = json.dumps(_finite(content), indent=2, allow_nan=False)
    with written_aside(path) as partial:
        partial.write_text(text + "\n")


def _finite(content):
    """Replaces infinities and NaN, which JSON does not have, by text such as "inf" and "nan"."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return str(content)
    return content


def read_json(path):
    """Returns the dict in a JSON file.

    Raises:
        ValueError: the file is missing, is not JSON or holds something other than an object.
    """
    try:
        check_regular(path)
        content = json.loads(path.read_text())
    # A missing file, something other than JSON or text, or endless nesting.
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON in {path}. Received: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"Expected a JSON object in {path}. Received: {reprlib.repr(content)}"  # of any length
        )
    return content


def read_field(path, name, kind):
    """Returns one field of a JSON file.

    Args:
        path: of the file.
        name: of the field.
        kind: type of its value.

    Raises:
        ValueError: as `read_json`, or the field is missing or of another type.
    """
    content = read_json(path)
    check_fields(content, {name: kind}, path)
    return content[name]


def check_fields(content, kinds, where, prefix=""):
    """Checks the fields of a JSON file, which may have been edited or come from elsewhere.

    Args:
        content: what the file holds, or a part of it.
        kinds: {name: type of its value, `NUMBER`, or a nested dict of the same form}; other fields
            are ignored.
        where: the file, for the error message.
        prefix: names of the enclosing sections, each followed by a dot.

    Raises:
        ValueError: a field is missing or of another type.
    """
    for name, kind in kinds.items():
        value = content.get(name) if isinstance(content, dict) else None
        if isinstance(kind, dict):
            check_fields(value, kind, where, f"{prefix}{name}.")
        elif not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            named = "float" if kind is NUMBER else kind.__name__
            raise ValueError(
                f"Expected {prefix}{name}, of type {named}, in {where}. Received: "
                f"{reprlib.repr(value)}"
            )
