"""JSON files: written whole or not at all, and read with errors that name the file."""

import json
import math
import reprlib

from inversenet_tf.imaging.files.atomic import written_aside
from inversenet_tf.imaging.files.paths import check_regular


def write_json(path, content):
    """Writes `content` as JSON, whole or not at all."""
    text = json.dumps(_finite(content), indent=2, allow_nan=False)
    with written_aside(path) as partial:
        partial.write_text(text + "\n")


def _finite(content):
    """JSON knows no infinity and no NaN: they are written as text, "inf" and "nan"."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return str(content)
    return content


def read_json(path):
    """The dict in a JSON file.

    Raises:
        ValueError: there is none, or it holds something else.
    """
    try:
        check_regular(path)
        content = json.loads(path.read_text())
    # No file, no JSON, no text, or nested without end.
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"Expected JSON in {path}. Received: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"Expected a JSON object in {path}. Received: {reprlib.repr(content)}"  # of any length
        )
    return content


def read_field(path, name, kind):
    """One field of a JSON file.

    Args:
        path: of the file.
        name: of the field.
        kind: type of its value.

    Raises:
        ValueError: there is no such field, or one of another type.
    """
    value = read_json(path).get(name)
    if not isinstance(value, kind):
        raise ValueError(
            f"Expected {name}, of type {kind.__name__}, in {path}. Received: {reprlib.repr(value)}"
        )
    return value
