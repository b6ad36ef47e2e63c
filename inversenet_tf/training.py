"""Training: config -> images -> measurements -> networks -> checkpoints and logs."""

import shlex
from collections.abc import Callable
from pathlib import Path

import keras

from inversenet_tf import callbacks
from inversenet_tf.chosen_constants import CONSTANTS_FILE, keep_constants
from inversenet_tf.config import CLOSED_FORMS, CUSTOM, Config
from inversenet_tf.data import example_batch, open_data, spectrum_of, with_own_test_images
from inversenet_tf.engine import checkpoints
from inversenet_tf.engine.adversarial import check_layers
from inversenet_tf.engine.callbacks import SaturationAlarm
from inversenet_tf.engine.session import (
    is_begun,
    is_finished,
    resume,
    say_if_finished,
    session,
    train_on,
)
from inversenet_tf.engine.strategies import build_strategy
from inversenet_tf.engine.workdir import (
    CHECKPOINTS,
    LOGS,
    fix_randomness,
    learned_from,
    open_workdir,
)
from inversenet_tf.engine.workers import check_agreement, is_chief, other_workers
from inversenet_tf.imaging.data.inventory import notice_changes
from inversenet_tf.imaging.data.pairs import evaluation_pairs, training_pairs
from inversenet_tf.imaging.data.sources import sample_of
from inversenet_tf.imaging.files.paths import check_outside
from inversenet_tf.imaging.physics.degradation import Degradation
from inversenet_tf.imaging.physics.operators import Operator
from inversenet_tf.imaging.physics.spectra import LEAST_SIDE
from inversenet_tf.initial_weights import initial_weights
from inversenet_tf.models.build import build_model, check_networks, rebuilt, solvers_of
from inversenet_tf.models.compiling import comparator_of, compile_model
from inversenet_tf.models.inversenet import InverseNet
from inversenet_tf.models.memory import check_training_fits
from inversenet_tf.models.own_networks import check_own_network
from inversenet_tf.models.presets import KERNEL_FILE, SPECTRUM_FILE, kept_spectrum
from inversenet_tf.trained_run import (
    is_degradation_known,
    keep_kernel,
    keep_networks,
    keep_spectrum,
    kept_noise,
    kept_operator,
    with_own_operator,
)

ANNEALING = "annealing"
# Largest side in pixels of what a validation sees of a whole photograph, so that a larger one takes
# no more time and memory than a photograph of a megapixel.
LARGEST_VALIDATED = 1024


def train(
    config: Config,
    workdir: str | Path,
    *,
    operator: Operator | None = None,
    noise: Callable | None = None,
    comparator: Callable | None = None,
    inverter: keras.Model | None = None,
    denoiser: keras.Model | None = None,
    extend: bool = False,
) -> InverseNet:
    """Trains one experiment, or resumes it where an earlier call was interrupted.

    Args:
        config: a `Config`.
        workdir: directory of the run: `config.json`, `checkpoints/`, `logs/`.
        operator: the caller's own forward operator instead of the config's. The kernel of a `Blur`
            is kept with the run; any other operator has to be passed again to `evaluate`, and to
            `train` where the run goes on.
        noise: the caller's own noise instead of the config's, a TensorFlow function of
            measurements [batch, height, width, channels] and int64 seeds [batch, 2].
            It, too, has to be passed again.
        comparator, inverter, denoiser: the caller's own, where the config names "custom": a
            frozen callable from images in [0, 1] to features, and networks as described in
            `models/build.py`, of which copies are trained.
        extend: whether a run may be resumed with more `training.steps`, or with other values of
            the fields in `engine.workdir.EXTENDABLE`, than it began with.

    Returns:
        The trained `InverseNet`, in the state of the last step.

    Raises:
        ValueError: a config, data source, weight file or work directory that cannot be used;
            raised before anything is written.
        OSError: none of the checkpoints can be read.
        InUse: another process trains in the work directory.
        Interrupted: SIGTERM came and the state is saved, or another worker was lost.
        TrainingDiverged: a loss or gradient was not finite, and again at a lower rate.

    Example:
        A camera that vignettes and whose noise grows with the light. An operator is a function of
        images made of TensorFlow operations; its adjoint is derived from it. Noise is drawn from
        the seeds, so that an image always gets the same noise.

        ```python
        import tensorflow as tf

        import inversenet_tf as inv


        class Vignette(inv.physics.Operator):
            def __call__(self, images):
                shape = tf.shape(images)
                rows, columns = (tf.linspace(-1.0, 1.0, shape[axis]) for axis in (1, 2))
                falloff = 1.0 - 0.3 * (rows[:, None] ** 2 + columns**2)
                return images * falloff[..., None]


        def shot_noise(measurements, seeds):
            drawn = inv.physics.add_gaussian_noise(tf.zeros_like(measurements), 0.02, seeds)
            return measurements + drawn * tf.sqrt(tf.maximum(measurements, 0.0))


        config = inv.recipes.quickstart()
        config.network.inverter = "unet"  # the closed form is that of the operators it knows
        inv.train(config, "runs/vignette", operator=Vignette(), noise=shot_noise)
        print(inv.evaluate("runs/vignette", operator=Vignette(), noise=shot_noise))
        ```
    """
    if not isinstance(config, Config):
        raise ValueError(
            f"Expected a Config, such as from recipes. Received: a {type(config).__name__}"
        )
    if operator is None and config.operator.is_own:
        operator = kept_operator(workdir, config)
    config = with_own_test_images(with_own_operator(config, operator, noise))
    config.validate()
    noise = noise or kept_noise(config)
    check_training_fits(config)
    strategy = build_strategy(config.runtime, config.training.batch_size)
    own = {"inverter": inverter, "denoiser": denoiser}
    _check_call(config, own | {"comparator": comparator})
    check_outside(workdir, config.data.train, config.data.validation, config.data.test)
    with session(workdir, strategy) as workdir:
        say_if_finished(workdir, config.training)
        return _train(config, workdir, strategy, operator, noise, comparator, own, extend)


def _train(config, workdir, strategy, operator, noise, comparator, own, extend):
    """Does the work of `train`, in a work directory that no other process uses."""
    operator, images, held_out = open_data(config, operator)
    fix_randomness(config.training)
    check_agreement(strategy, config=learned_from(config), images=images.names)
    spectrum = _spectrum(config, images, workdir)

    def build(with_discriminator=True):
        return build_model(
            config,
            **{part: rebuilt(part, own[part]) for part in own},
            with_discriminator=with_discriminator,
            solvers=solvers_of(config, operator.kernel, spectrum),
        )

    is_new = not is_begun(workdir)
    begins_with = {}
    if config.training.initial_weights and is_new and is_chief(strategy):
        begins_with = initial_weights(build(False), config.training.initial_weights)
    with other_workers(strategy), strategy.scope():
        model = build()
        for name, weights in begins_with.items():  # the other workers get them from the chief
            model.networks[name].set_weights(weights)
        compile_model(model, config, comparator or comparator_of(config))
    check_networks(model, config)
    check_layers(model, strategy.num_replicas_in_sync)
    if is_chief(strategy):
        _open_workdir(workdir, config, operator, own, extend)
        notice_changes(workdir, {"training": images, "validation": held_out}, is_new)
        if spectrum is not None:
            keep_spectrum(workdir, spectrum)
        keep_constants(workdir, config, operator, images, noise, spectrum)
    resume(model, strategy, workdir)
    if not is_finished(model, config.training):
        _train_on(model, strategy, config, (operator, noise), images, held_out, workdir)
    return model


def what_next(workdir: str | Path) -> str:
    """Says in a few lines what a training has reached and which commands may follow."""
    directory = Path(workdir).expanduser() / CHECKPOINTS / "best"
    best = checkpoints.latest(directory)
    if best is None:  # as where another worker keeps them
        return "Trained."
    scores, at = checkpoints.scores(best), f"--workdir={shlex.quote(str(workdir))}"
    reached = [
        f"{name} {float(scores[f'val_psnr_{name}']):.2f} dB"
        for name in ("degraded", "inverted", "restored")
        if f"val_psnr_{name}" in scores
    ]
    return (
        f"Best validation at step {checkpoints.step_of(best)}: {', '.join(reached)}. "
        "Possible next steps:\n"
        f"  inversenet evaluate {at}\n"
        f"  inversenet restore {at} --input=PHOTOGRAPHS --output=restored\n"
        f"  inversenet export {at} --output=models/mine --verify"
    )


def _spectrum(config, images, workdir):
    """Returns the spectrum of the training images, kept with a resumed run or fitted to them.

    The inverter begins with it, and the linear optimum of every evaluation uses it. None where the
    operator has no closed form or the images are too small: that of natural images is then used.
    """
    data = config.data
    side = data.minimum_side if data.crop == "random" else data.size  # as `spectrum_of` takes them
    if config.operator.name not in CLOSED_FORMS or side < LEAST_SIDE:
        return None
    is_kept = is_begun(workdir) and (workdir / SPECTRUM_FILE).exists()
    return kept_spectrum(workdir) if is_kept else spectrum_of(images, data)


def _check_call(config, own):
    """Checks that the config, by which a result is known, agrees with this call's arguments."""
    for part, passed in own.items():
        section = "loss" if part == "comparator" else "network"
        named = getattr(getattr(config, section), part)
        if (passed is not None) != (named == CUSTOM):
            raise ValueError(
                f'Expected {section}.{part} "{CUSTOM}" if a {part} is passed to train, and only '
                f"then. Received: {named!r} with {part}={passed}"
            )
        if passed is not None and part != "comparator":
            check_own_network(part, passed)


def _open_workdir(workdir, config, operator, own, extend):
    """Makes the work directory, or checks that it holds this experiment."""
    open_workdir(workdir, config, free=("runtime",), extend=extend)
    is_new = not is_begun(workdir)
    if is_new:
        for name in (KERNEL_FILE, SPECTRUM_FILE, CONSTANTS_FILE):
            (workdir / name).unlink(missing_ok=True)  # of a failed attempt at another config
    keep_kernel(workdir, operator, is_new)
    keep_networks(workdir, own, is_new)


def _train_on(model, strategy, config, degradation, images, held_out, workdir):
    """Runs Algorithm 1 from the model's step to the config's last, with all callbacks."""
    data, training = config.data, config.training
    operator, noise = degradation
    shared = {"batch_size": training.batch_size, "seed": training.seed}

    def batches(context):
        return training_pairs(
            images, operator, noise, data, start=model.step, context=context, **shared
        )

    validated = sample_of(held_out, data.validation_limit, training.seed)

    def validation(context):
        return evaluation_pairs(
            *(validated, operator, noise, data),
            largest_side=LARGEST_VALIDATED,
            skip_unreadable=True,
            context=context,
            **shared,
        )

    examples = example_batch(held_out, operator, config, noise)
    watching = [
        SaturationAlarm("A smaller loss.adversarial_weight may help."),
        callbacks.DenoiserAlarm(*examples),
        callbacks.TensorBoardLog(workdir / LOGS, *examples),
        callbacks.BestCheckpoint(workdir / CHECKPOINTS / "best"),
    ]
    if is_degradation_known(config):
        known = Degradation.of(config.operator, config.noise, operator.kernel)
        inputs, _ = example_batch(images, operator, config, noise)
        watching.insert(0, callbacks.Unexplained(inputs, known))
    if config.runtime.annealing_snapshots:
        watching.append(callbacks.AnnealingSnapshots(workdir / ANNEALING, *examples))
    train_on(
        model,
        strategy,
        workdir,
        batches,
        validation,
        config,
        learning_rate_field="optimizer.learning_rate",
        callbacks=watching,
    )
