import functools

import pytest

from inversenet_tf import recipes
from inversenet_tf.imaging.physics.operators import build_operator
from inversenet_tf.models.build import build_model

TASKS = {
    "motion_deblur": recipes.motion_deblur,
    "super_resolution_7": recipes.super_resolution,
    "super_resolution_3": functools.partial(recipes.super_resolution, 3),
    "joint_64": recipes.joint,
    "joint_128": functools.partial(recipes.joint, 128),
}
# Sections 4.1 to 4.3: image, measurement, levels of the U-Net, kernel.
SIZES = {
    "motion_deblur": ((64, 64, 3), (64, 64, 3), 6, (9, 9)),
    "super_resolution_7": ((256, 256, 3), (64, 64, 3), 8, (7, 7)),
    "super_resolution_3": ((256, 256, 3), (64, 64, 3), 8, (3, 3)),
    "joint_64": ((64, 64, 3), (32, 32, 1), 6, (9, 9, 3)),
    "joint_128": ((128, 128, 3), (64, 64, 1), 7, (9, 9, 3)),
}

ADVERSARY = {"discriminator": "discriminator"}
METHODS = {
    "inversenet": ADVERSARY | {"inverter": "unet", "denoiser": "dae"},
    "inversenet_solver": {"inverter": "solver_unet"},
    "inversenet_neural": ADVERSARY | {"inverter": "neural_deblur", "denoiser": "dae"},
    "inversenet_dncnn": ADVERSARY | {"inverter": "unet", "denoiser": "dncnn"},
    "pix2pix": ADVERSARY | {"inverter": "unet"},
    "srgan": ADVERSARY | {"inverter": "srresnet"},
    "neural_deblur": {"inverter": "neural_deblur"},
}


@pytest.mark.parametrize("task", TASKS)
def test_the_sizes_are_the_papers(task):
    config = TASKS[task]()
    config.validate()
    operator = build_operator(config.operator)
    image, measurement, depth, kernel = SIZES[task]
    assert (config.data.size, config.data.size, config.data.channels) == image
    assert operator.measurement_shape(image) == measurement
    assert config.measured_channels == measurement[-1]
    assert config.depth == depth
    assert operator.kernel.shape == kernel


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", recipes.TRAINED)
def test_every_method_is_valid_where_it_applies(task, method):
    config = TASKS[task]()
    recipes.for_two_cores(config)
    recipes.compared_by_squeezenet(config, "weights.h5")
    recipes.TRAINED[method](config)
    if METHODS[method]["inverter"] == "neural_deblur" and task != "motion_deblur":
        with pytest.raises(ValueError, match="neural_deblur"):
            config.validate()
        return
    config.validate()
    if task in ("super_resolution_3", "joint_128"):
        return  # the networks of their like
    config.network.residual_blocks, config.network.dncnn_layers = 1, 3  # for time
    networks = build_model(config).networks
    expected = dict(METHODS[method])
    if method == "inversenet_solver" and task == "motion_deblur":
        expected["denoiser"] = "dae"
    if method == "inversenet_solver" and task == "super_resolution_7":
        expected["inverter"] = "solver_resnet"
    assert {part: network.name for part, network in networks.items()} == expected


def test_the_methods_own_config_is_the_tasks():
    config = recipes.motion_deblur()
    recipes.inversenet(config)
    assert config == recipes.motion_deblur()


def test_srgan_begins_with_the_squared_distance_alone():
    config = recipes.super_resolution()
    recipes.for_two_cores(config)
    recipes.srgan(config)
    assert config.loss.pretraining_fraction == 0.5
    # Eq. 3 of SRGAN: 1e-3 beside the mean; here the distance is half the sum over all values.
    assert config.loss.adversarial_weight == pytest.approx(1e-3 * 0.5 * 256 * 256 * 3)


def test_neural_deblur_is_trained_on_the_squared_distance_alone():
    config = recipes.motion_deblur()
    recipes.compared_by_squeezenet(config, "weights.h5")
    recipes.neural_deblur(config)
    assert config.loss.comparator == "none" and config.loss.adversarial_weight == 0


def test_the_dae_joins_the_measurement_where_it_has_the_inner_grid():
    for task, factor in (("super_resolution_7", 4), ("joint_64", 2)):
        dae = build_model(TASKS[task]()).denoiser
        assert (dae.factor, dae.condition) == (factor, "inner")
    assert build_model(recipes.motion_deblur()).denoiser.factor == 1


def test_the_tables_train_with_discriminator_and_comparator_from_the_first_step():
    config = recipes.motion_deblur()
    recipes.for_two_cores(config)
    assert config.loss.pretraining_fraction > 0.0
    recipes.compared_from_the_start(config)
    assert config.loss.pretraining_fraction == 0.0


@pytest.mark.parametrize("recipe", [recipes.super_resolution_solver, recipes.joint_solver])
def test_upsampling_may_correct_the_closed_form(recipe):
    config = recipe()
    config.validate()
    model = build_model(config)
    assert list(model.networks) == ["inverter"] and model.closed_form.scaled
    assert model.closed_form.scale == config.operator.scale > 1


def test_photographs_are_upsampled_where_scaling_down_centres_them():
    config = recipes.x4_photos()
    config.validate()
    operator = build_operator(config.operator)
    assert operator.kernel.shape == (config.operator.kernel_size,) * 2
    model = build_model(config, with_discriminator=False)
    assert model.kernel_use == "none" and model.boundary == "reflect"
    assert operator.phase + operator.shift == 1.5
    assert model.shift == model.inverter.shift == operator.shift
