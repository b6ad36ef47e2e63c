"""One session of a training, from the last checkpoint to its end, a signal or a divergence."""

import contextlib

from absl import logging

from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.callbacks import History, LastCheckpoints, Progress
from inversenet_tf.engine.divergence import RollBack
from inversenet_tf.engine.interruption import Interrupted, Interruption
from inversenet_tf.engine.training_loop import NotFinite, fit
from inversenet_tf.engine.workdir import CHECKPOINTS, HISTORY_FILE
from inversenet_tf.engine.workers import is_chief, take_from_chief
from inversenet_tf.imaging.files.atomic import check_writable
from inversenet_tf.imaging.files.locks import held
from inversenet_tf.imaging.files.paths import check_utf8

LAST = "last"


@contextlib.contextmanager
def session(workdir, strategy):
    """Reserves a work directory for one training; of several workers only the chief writes to it.

    Args:
        workdir: of the run.
        strategy: a `tf.distribute.Strategy`.

    Yields:
        The work directory as a `Path`.

    Raises:
        ValueError: its path is not in UTF-8, or the chief cannot write to it.
        InUse: another process trains there.
    """
    workdir = check_utf8(workdir)
    if not is_chief(strategy):
        yield workdir
        return
    check_writable(workdir)
    with held(workdir):
        yield workdir


def say_if_finished(workdir, training):
    """Logs that a training is finished already, before anything is opened for it."""
    directory = workdir / CHECKPOINTS / LAST
    last = checkpoints.latest(directory)
    if last is None or checkpoints.step_of(last) < training.steps:
        return
    if any(name.startswith("val_") for name in checkpoints.last_scores(directory)):
        logging.info(
            "%s is finished: %d of %d steps. Nothing to train; use --extend for more steps.",
            workdir,
            checkpoints.step_of(last),
            training.steps,
        )


def is_begun(workdir):
    """Whether there is a checkpoint from which a training would resume."""
    return checkpoints.latest(workdir / CHECKPOINTS / LAST) is not None


def resume(model, strategy, workdir):
    """Restores a model from its last checkpoint, if there is one; only the chief reads it.

    Raises:
        OSError: there are checkpoints, but none can be read.
    """
    if is_chief(strategy):
        checkpoints.restore(model.state, workdir / CHECKPOINTS / LAST)
    take_from_chief(strategy, model.state_variables)


def train_on(model, strategy, workdir, batches, validation, config, learning_rate_field, callbacks):
    """Trains a model from its present step to the config's last.

    Args:
        model, strategy, batches, validation: as for `training_loop.fit`; `batches` is called
            again after a divergence.
        workdir: of the run; only the chief writes to it.
        config: with the sections `training` and `runtime`.
        learning_rate_field: the learning rate's name in the config.
        callbacks: Keras callbacks for the chief.

    Raises:
        Interrupted: SIGTERM came and the state is saved, or another worker is gone.
        TrainingDiverged: a loss or gradient was not finite, and again at a lower rate.
    """
    training, runtime = config.training, config.runtime
    chief = is_chief(strategy)
    if model.step:
        logging.info("Resumed at step %d of %d.", model.step, training.steps)
    roll_back = RollBack(workdir if chief else None, learning_rate_field)
    last = LastCheckpoints(workdir / CHECKPOINTS / LAST, runtime.kept_checkpoints)
    shown = [f"{name}_loss" for name in model.networks]
    # The state is saved last: where it exists, all else of its epoch does.
    history = History(workdir / HISTORY_FILE)
    of_chief = [Progress(training.steps, shown), history, *callbacks, last] if chief else []
    with Interruption() as interruption:
        while True:
            try:
                interrupted = fit(
                    model,
                    strategy,
                    batches,
                    validation,
                    steps=training.steps,
                    steps_per_epoch=training.steps_per_epoch,
                    callbacks=[roll_back, *of_chief],
                    interruption=interruption,
                    xla=runtime.xla,
                )
                break
            except NotFinite as fault:
                roll_back.after(fault)
        if interrupted and chief:
            last.save()
    if interrupted:
        saved = "and saved" if chief else "with the chief, which saves it"
        raise Interrupted(
            f"Interrupted at step {model.step} of {training.steps} {saved}. Run the same command "
            "to resume."
        )


def is_finished(model, training):
    """Whether a training is complete, including its last validation."""
    validated = int(model.epochs_ended.numpy()) * training.steps_per_epoch >= training.steps
    return model.step >= training.steps and validated
