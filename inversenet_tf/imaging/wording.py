"""Words for numbers."""


def counted(count: int, noun: str) -> str:
    """Returns a number with its noun, such as `1 image` or `2 images`.

    Args:
        count: the number.
        noun: in the singular; its plural must be regular.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
