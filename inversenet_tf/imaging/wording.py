"""Words for numbers."""


def counted(count: int, noun: str) -> str:
    """A number with its noun, as `1 image` or `2 images`.

    Args:
        count: of what there is.
        noun: one of which, of a regular plural.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
