"""A number that asks for more memory than there is ends in one line, before anything is made."""

import numpy as np
import pytest
from huge_numbers import whole_numbers, with_value

from blind_gan_tf.config import InversionConfig, PriorConfig, SurrogateConfig
from blind_gan_tf.experiment import run_inversion
from blind_gan_tf.memory import check_prior_fits, check_surrogates_fit
from blind_gan_tf.prior_training import build_prior, train_prior
from blind_gan_tf.surrogate import build_surrogate
from inversenet_tf.imaging.checks import MOST
from inversenet_tf.imaging.files import memory

# Fields by which no array, no network and no graph grows; and what would become of them.
HARMLESS_TO_A_PRIOR = {
    *("data.validation_limit", "training.seed", "training.steps", "training.steps_per_epoch"),
    "runtime.kept_checkpoints",
}
HARMLESS_TO_A_SEARCH = {
    *("seed", "problem.seed", "problem.operator.kernel_seed", "problem.operator.kernel_index"),
    *("search.rounds", "search.surrogate_steps", "search.latent_steps", "search.identity_rounds"),
    *("search.patience", "search.screening_rounds", "search.renew_every", "refinement.steps"),
    "search.survivors",  # no more than there are starts
    *("surrogate.units", "problem.mixing.mixtures"),  # of a separation alone, see below
}


@pytest.fixture
def prior_config():
    config = PriorConfig()
    config.data.train = config.data.validation = "digits"
    config.data.channels, config.data.size = 1, 32
    config.network.name = "digits"
    return config


@pytest.mark.parametrize(
    "field", [f for f in whole_numbers(PriorConfig()) if f not in HARMLESS_TO_A_PRIOR]
)
def test_a_huge_number_of_a_prior_is_refused(prior_config, tmp_path, field):
    with pytest.raises(ValueError, match="Expected|would take") as refused:
        train_prior(with_value(prior_config, field), tmp_path / "run")
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("field", sorted(HARMLESS_TO_A_PRIOR))
def test_a_huge_number_that_takes_no_memory_is_none_of_them(prior_config, field):
    config = with_value(prior_config, field)
    config.validate()
    check_prior_fits(config)


@pytest.mark.parametrize(("name", "size", "channels"), [("digits", 32, 1), ("dcgan", 64, 3)])
def test_what_a_prior_needs_is_a_lower_bound(prior_config, monkeypatch, name, size, channels):
    prior_config.network.name = name
    prior_config.data.size, prior_config.data.channels = size, channels
    needed = []
    monkeypatch.setattr(memory, "check_fits", lambda n, words, whole: needed.append(n))
    check_prior_fits(prior_config)
    prior_config.training.batch_size = 0
    check_prior_fits(prior_config)
    present = (
        4
        * 4
        * sum(network.count_params() for network in build_prior(prior_config).networks.values())
    )
    assert 0.7 * present < needed[1] <= present
    batch = 4 * 128 * size * size * channels  # one image each
    assert batch <= needed[0] - needed[1] <= 2.1 * batch


@pytest.mark.parametrize(
    "field",
    [f for f in whole_numbers(InversionConfig()) if f not in HARMLESS_TO_A_SEARCH],
)
def test_a_huge_number_of_an_inversion_is_refused(restoration, tmp_path, field):
    restoration.search.screening_rounds = 1
    if field == "problem.sources":
        restoration.problem.task, restoration.problem.signed = "separation", True
        restoration.problem.noise.quantize = False
    with pytest.raises(ValueError, match="Expected|would take") as refused:
        run_inversion(with_value(restoration, field), tmp_path / "run")
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize("field", ["surrogate.units", "problem.mixing.mixtures"])
def test_a_huge_number_of_a_separation_is_refused(separation, tmp_path, field):
    with pytest.raises(ValueError, match=f"{field} {MOST} would take"):
        run_inversion(with_value(separation, field), tmp_path / "run")


@pytest.mark.parametrize(
    "name", ["linear_convolution", "relu_convolution", "shared_kernel", "mixing"]
)
def test_what_surrogates_need_is_a_lower_bound(monkeypatch, name):
    needed = []
    monkeypatch.setattr(memory, "check_fits", lambda n, words, whole: needed.append(n))
    config = SurrogateConfig(name)
    check_surrogates_fit(config, copies=3, channels=3)
    network = build_surrogate(config, image_channels=3, channels=1, seed=0)
    weights = 3 * sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    # Of the linear one, both kernels are multiplied: each of 5 x 5 places with each.
    products = 4 * 3 * 5**4 * 3 * (name == "linear_convolution")
    assert needed == [pytest.approx(4 * 4 * weights + products, rel=0.02)]
