"""Whether a model is told the kernel of the blur with each measurement."""

NONE = "none"  # it restores the blur that it was trained for, and cannot be told another
OPTIONAL = "optional"  # it has a kernel of its own, and takes another in its place
REQUIRED = "required"  # it is for any blur
ALL = (NONE, OPTIONAL, REQUIRED)

IS_MISSING = (
    "Expected the kernel of the blur, as this network is for any and has none of its own. "
    "Received: none"
)
