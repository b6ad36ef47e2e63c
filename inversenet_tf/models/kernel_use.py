"""Whether a model takes the kernel of the blur with each measurement."""

NONE = "none"  # it restores only the blur that it was trained for
OPTIONAL = "optional"  # it has its own kernel, and can take another in its place
REQUIRED = "required"  # it is for any blur, and has no kernel of its own
ALL = (NONE, OPTIONAL, REQUIRED)

IS_MISSING = (
    "Expected the kernel of the blur, as this network is for any blur and has no kernel of its "
    "own. Received: none"
)
