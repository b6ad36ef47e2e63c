"""What the programs in `tools/` share: quiet libraries, and errors that a user can read."""

import gc
import logging as python_logging
import os
import re
import sys

# Before TensorFlow is imported, which is why the tools import this module first: its C++ side
# reports the lack of a GPU and its own retried optimisations as errors.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow
from absl import app, flags, logging

from inversenet_tf.engine.interruption import EXIT_STATUS, Interrupted
from inversenet_tf.imaging.renamed import with_present_names_of_flags

KEYBOARD_STATUS = 130  # of a program that Ctrl-C ended
# What a user can mend: values, files and directories, and a learning rate.
MENDABLE = (ValueError, OSError, FloatingPointError)


def run(main):
    """Parses the flags and calls `main()`; what a user can mend ends as one line and status 1.

    A training that a signal or a lost worker ended early ends with a status of its own.

    The traceback of such an error is shown with --verbosity=1.
    """

    def guarded(arguments):
        if len(arguments) > 1:
            raise app.UsageError(f"Expected flags only. Received: {' '.join(arguments[1:])}")
        logging.get_absl_handler().addFilter(_is_ours)
        tensorflow.get_logger().setLevel("WARNING")
        try:
            main()
        except KeyboardInterrupt:
            sys.exit(KEYBOARD_STATUS)
        except Interrupted as interrupted:
            logging.warning("%s", interrupted)
            sys.exit(EXIT_STATUS)
        except MENDABLE as error:
            message = str(error)
            logging.debug("The error's origin:", exc_info=True)
        except tensorflow.errors.OpError as error:  # what went wrong inside a data pipeline
            found = re.search(r"ImageReadError: (.+)", str(error))
            if found is None:
                raise
            message = found[1]
        else:
            return
        # A data pipeline that failed would otherwise be waited for at exit, without end.
        gc.collect()
        sys.exit(f"Error: {message} (--verbosity=1 shows its origin)")

    flags.FLAGS.set_default("verbosity", logging.INFO)
    app.run(guarded, flags_parser=_parse)


def _is_ours(record):
    """Whether a log record is for the user: TensorFlow's are, from warnings on."""
    inside = os.path.dirname(tensorflow.__file__)
    return record.levelno >= python_logging.WARNING or not record.pathname.startswith(inside)


def _parse(arguments):
    try:
        return flags.FLAGS(with_present_names_of_flags(arguments))
    except KeyError as error:  # how config flags report a field that the config lacks
        sys.exit(f"Error: {error.args[0]}")
    except flags.Error as error:
        # Of an error in a config file, config flags give the whole traceback as their message.
        raised = re.findall(r"^\s*ValueError: (.+)$", str(error), re.MULTILINE)
        sys.exit(f"Error: {raised[-1] if raised else error} (--helpshort lists the flags)")
