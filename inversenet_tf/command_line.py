"""What the programs in `tools/` share: quiet libraries, and errors that a user can read."""

import contextlib
import functools
import gc
import logging as python_logging
import os
import re
import sys
import warnings

from absl import app, flags, logging
from tqdm import tqdm

# The tools import this module first, so that TensorFlow is first imported here, quietly.
from inversenet_tf.quiet_tensorflow import tensorflow  # isort: skip
from inversenet_tf.imaging.renamed import with_present_names_of_flags
from inversenet_tf.shipped import with_config_paths

KEYBOARD_STATUS = 130  # exit status after Ctrl-C
# Errors that a user can fix: values, files and directories, and a learning rate.
MENDABLE = (ValueError, OSError, FloatingPointError)

# Packages whose messages below warnings are for their own developers.
TALKATIVE = ("tensorflow", "apache_beam", "distributed")
NO_HOME = "Could not determine home directory."  # pathlib's message, for "~nobody/file"


HELP_FLAGS = ("--help", "-help", "-h", "--helpshort", "-helpshort")


def run(main, text_of_help=None):
    """Parses the flags and calls `main()`; errors that a user can fix end in a line and status 1.

    --verbosity=1 shows the traceback of such an error, too. A training that a signal or a lost
    worker ended early has an exit status of its own.

    Args:
        main: function without arguments.
        text_of_help: function that returns what --help prints instead of the list of all flags,
            called once the other flags are parsed; None for that list.
    """

    def guarded(arguments):
        if len(arguments) > 1:
            raise app.UsageError(f"Expected flags only. Received: {' '.join(arguments[1:])}")
        handler = logging.get_absl_handler()
        handler.addFilter(_is_ours)
        if handler.python_handler.stream is sys.stderr:
            handler.python_handler.stream = _BesideBars()
        if not logging.level_debug():
            handler.setFormatter(_Plain())
        # File names need not be valid text, and the terminal may lack characters.
        sys.stdout.reconfigure(errors="backslashreplace")
        tensorflow.get_logger().setLevel("WARNING")
        # The error names an unusable file and the reason; Pillow would add warnings of its own.
        warnings.filterwarnings("ignore", module=r"PIL\b")
        python_logging.getLogger("PIL").setLevel(python_logging.CRITICAL)
        try:
            main()
        except KeyboardInterrupt:
            sys.exit(KEYBOARD_STATUS)
        except MENDABLE as error:
            message = str(error)
            logging.debug("The error's origin:", exc_info=True)
        except RuntimeError as error:
            if str(error) != NO_HOME:
                raise
            message = (
                "Expected a user with a home directory after ~; for a file of that name, use ./~"
            )
        except tensorflow.errors.OpError as error:  # what went wrong inside a data pipeline
            from inversenet_tf.imaging.files.images import unreadable_image  # for few errors only

            message = unreadable_image(error)
            if message is None:
                raise
        except Exception as error:
            if not hasattr(error, "exit_status"):
                raise
            logging.warning("%s", error)  # as of a training that a signal ended early
            sys.exit(error.exit_status)
        else:
            return
        # Without this, the exit would wait forever for a data pipeline that failed.
        gc.collect()
        sys.exit(f"Error: {message}")

    flags.FLAGS.set_default("verbosity", logging.INFO)
    app.run(guarded, flags_parser=functools.partial(_parse, text_of_help=text_of_help))


class _Plain(python_logging.Formatter):
    """Log lines for users: the message, and the level of warnings and errors."""

    def format(self, record):
        level = "" if record.levelno < python_logging.WARNING else record.levelname.title() + ": "
        return level + super().format(record)


class _BesideBars:
    """Standard error that keeps log lines and progress bars on separate lines."""

    def write(self, text):
        tqdm.write(text, file=sys.stderr, end="")

    def close(self):
        """Leaves it open: setting up logging again, as Gradio does, closes all handlers."""

    def __getattr__(self, name):
        return getattr(sys.stderr, name)


def _is_ours(record):
    """Whether a log record is for the user; of `TALKATIVE` packages, only warnings and above."""
    if record.levelno >= python_logging.WARNING:
        return True
    modules = filter(None, map(sys.modules.get, TALKATIVE))
    folders = tuple(os.path.join(os.path.dirname(module.__file__), "") for module in modules)
    return not record.pathname.startswith(folders)


def _parse(arguments, text_of_help=None):
    asks_for_help = not set(HELP_FLAGS).isdisjoint(arguments)
    try:
        arguments = with_config_paths(with_present_names_of_flags(arguments))
        if asks_for_help:
            _print_help([a for a in arguments if a not in HELP_FLAGS], text_of_help)
        return flags.FLAGS(arguments)
    except KeyError as error:  # how config flags report a field that the config lacks
        sys.exit(f"Error: {error.args[0]}")
    except ValueError as error:
        sys.exit(f"Error: {error}")
    except flags.Error as error:
        # Of an error in a config file, config flags give the whole traceback as their message.
        raised = re.findall(r"^\s*ValueError: (.+)$", str(error), re.MULTILINE)
        sys.exit(f"Error: {raised[-1] if raised else error} (--helpshort lists the flags)")


def _print_help(arguments, text_of_help):
    """Prints a program's own help, given the flags beside --help, or its flags, and exits."""
    if text_of_help is None:
        app.usage(shorthelp=True, writeto_stdout=True)
        sys.exit(0)
    with contextlib.suppress(flags.IllegalFlagValueError):  # what is required may be missing
        flags.FLAGS(arguments)
    flags.FLAGS.mark_as_parsed()
    print(text_of_help())
    sys.exit(0)
