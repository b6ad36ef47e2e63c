"""What the programs in `tools/` share: quiet libraries, and errors that a user can read."""

import logging as python_logging
import os
import sys

# Before TensorFlow is imported, which is why the tools import this module first: its C++ side
# reports the lack of a GPU and its own retried optimisations as errors.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app, flags, logging

# What a user can mend: values, files and directories, and a learning rate.
MENDABLE = (ValueError, OSError, FloatingPointError)


def run(main):
    """Parses the flags and calls `main()`; what a user can mend ends as one line and status 1.

    The traceback of such an error is shown with --verbosity=1.
    """

    def guarded(arguments):
        if len(arguments) > 1:
            raise app.UsageError(f"Expected flags only. Received: {' '.join(arguments[1:])}")
        python_logging.getLogger("tensorflow").setLevel("WARNING")
        try:
            main()
        except MENDABLE as error:
            logging.debug("The error's origin:", exc_info=True)
            sys.exit(f"Error: {error} (--verbosity=1 shows its origin)")

    flags.FLAGS.set_default("verbosity", logging.INFO)
    app.run(guarded, flags_parser=_parse)


def _parse(arguments):
    try:
        return app.parse_flags_with_usage(arguments)
    except KeyError as error:  # how config flags report a field that the config lacks
        sys.exit(f"Error: {error.args[0]}")
