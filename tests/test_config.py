import dataclasses
import json
import subprocess
import sys

import pytest

from inversenet_tf import recipes
from inversenet_tf.config import Config
from inversenet_tf.engine.workdir import (
    CHECKPOINTS,
    CONFIG_FILE,
    learned_from,
    open_workdir,
    read_config,
)
from inversenet_tf.imaging.config_parsing import config_from_dict


def test_the_defaults_are_the_papers():
    config = Config()
    config.validate()
    assert config.depth == 6
    assert dataclasses.asdict(config.optimizer) == {
        "learning_rate": 1e-4,
        "schedule": "constant",
        "beta_1": 0.5,
        "beta_2": 0.999,
        "epsilon": 1e-8,
        "clip_norm": 5.0,
        "discriminator_steps": 1,
        "warmup_fraction": 0.0,
        "denoiser_factor": 1.0,
    }
    assert (config.training.batch_size, config.training.average) == (36, 0.0)
    assert (config.loss.reconstruction_weight, config.loss.feature_weight) == (0.5, 0.5)
    assert (config.loss.real_label, config.loss.fake_label) == (0.99, 0.01)


@pytest.mark.parametrize(("size", "depth"), [(64, 6), (128, 7), (256, 8)])
def test_depth_follows_the_training_size(size, depth):
    config = Config()
    config.data.size = size
    config.validate()
    assert config.depth == depth


IMPOSSIBLE = {
    "data.size": 100,
    "data.channels": 2,
    "data.crop": "left",
    "data.crop_size": 32,
    "data.augmentation": "turn",
    "data.min_scale": 0.0,
    "data.validation_limit": 0,
    "operator.name": "fog",
    "operator.boundary": "zero",
    "operator.kernel": "star",
    "operator.kernel_size": 0,
    "operator.kernel_file": "k.npy",
    "operator.kernel_sigma": -1.0,
    "noise.gaussian_sigma": -0.1,
    "network.depth": 9,
    "network.dae_condition": "inner",
    "network.dae_factor": 7,
    "network.inverter": "none",
    "network.denoiser": "wiener",
    "network.residual_blocks": 0,
    "network.dncnn_layers": 2,
    "network.half_step": -0.1,
    "operator.scale": 2,
    "data.crop_fraction": 1.5,
    "loss.comparator": "resnet",
    "loss.adversarial_weight": -1.0,
    "loss.pretraining_fraction": -1.0,
    "loss.comparator_size": -1,
    "loss.reduction": "max",
    "loss.real_label": float("nan"),
    "optimizer.learning_rate": 0.0,
    "optimizer.schedule": "steps",
    "optimizer.discriminator_steps": 0,
    "optimizer.warmup_fraction": -0.5,
    "training.average": 1.5,
    "data.margin": -1,
    "training.batch_size": 0,
    "training.steps": 0,
    "training.precision": "float8",
    "training.seed": -1,
    "metrics.channels": "lab",
    "metrics.crop": 30,
    "optimizer.beta_1": 1.5,
    "optimizer.clip_norm": float("inf"),
    "operator.kernel_angle": float("nan"),
    "runtime.strategy": "horovod",
    "runtime.replicas": -1,
    "runtime.kept_checkpoints": 0,
}


@pytest.mark.parametrize("field", IMPOSSIBLE)
def test_impossible_values_are_refused_by_name(field):
    config = Config()
    section, name = field.split(".")
    setattr(getattr(config, section), name, IMPOSSIBLE[field])
    with pytest.raises(ValueError, match=f"{field}.*Received: .*"):
        config.validate()


def reducing(scale, dae_condition="inner", dae_factor=None):
    config = Config()
    config.operator.name = "downsampling"
    config.operator.scale = scale
    config.network.dae_condition = dae_condition
    config.network.dae_factor = dae_factor or scale
    return config


def test_a_smaller_measurement_joins_the_inner_grid_or_not_at_all():
    reducing(4).validate()
    reducing(4, "none", dae_factor=8).validate()
    with pytest.raises(ValueError, match="network.dae_condition.*'none', 'inner'.*'shuffled'"):
        reducing(4, "shuffled").validate()
    with pytest.raises(ValueError, match="dae_factor to equal operator.scale.* 4 and 2"):
        reducing(2, dae_factor=4).validate()


def test_a_scale_that_is_no_power_of_two_is_refused():
    with pytest.raises(ValueError, match="operator.scale to be a power of two. Received: 3"):
        reducing(3, "none", dae_factor=4).validate()


def test_other_networks_are_not_asked_for_what_the_papers_need():
    config = Config()
    config.data.size = 72  # of no U-Net of six levels
    with pytest.raises(ValueError, match="network.depth"):
        config.validate()
    config.network.inverter = config.network.denoiser = "custom"
    config.network.dae_condition = "inner"
    config.validate()


def test_filters_are_predicted_for_blurs_alone():
    config = reducing(4)
    config.network.inverter = "neural_deblur"
    with pytest.raises(ValueError, match='operator.name "blur".*downsampling'):
        config.validate()


def test_the_measured_channels_are_the_operators():
    config = Config()
    assert config.measured_channels == 3
    config.operator.name = "joint"
    assert config.measured_channels == 1


def test_config_survives_json():
    config = Config()
    config.data.min_scale = 0.5
    values = json.loads(json.dumps(dataclasses.asdict(config)))
    assert config_from_dict(Config, values) == config


def test_a_misspelt_field_of_a_config_file_is_refused():
    with pytest.raises(AttributeError, match="learning_rte"):
        Config().optimizer.learning_rte = 3.0


def test_a_whole_number_may_stand_for_a_float():
    config = Config()
    config.optimizer.clip_norm = 5
    config.validate()


def test_values_of_a_wrong_type_are_refused_by_name():
    config = Config()
    config.training.batch_size = 16.5
    with pytest.raises(ValueError, match="training.batch_size.*int.*16.5"):
        config.validate()


def test_pairs_are_not_scaled():
    config = Config()
    config.data.validation = "pairs:sharp,blurred"
    config.validate()
    config.data.crop_size = 128
    with pytest.raises(ValueError, match="crop_size"):
        config.validate()


@pytest.mark.parametrize("values", [{"learning_rate": 1.0}, {"data": {"size": "large"}}])
def test_unknown_fields_and_wrong_types_are_refused(values):
    with pytest.raises(ValueError, match="Expected a Config"):
        config_from_dict(Config, values)


def test_a_workdir_belongs_to_one_experiment(tmp_path):
    config = Config()
    workdir = open_workdir(tmp_path / "run", config)
    (workdir / CHECKPOINTS / "last" / "step-00000001").mkdir(parents=True)
    assert open_workdir(workdir, config) == workdir
    assert read_config(workdir, Config) == config
    other = Config()
    other.optimizer.learning_rate = 1.0
    with pytest.raises(ValueError, match="optimizer.learning_rate: 0.0001 there, 1.0 here"):
        open_workdir(workdir, other)
    assert read_config(workdir, Config) == config


def test_what_a_run_is_computed_on_may_change(tmp_path):
    config = Config()
    workdir = open_workdir(tmp_path / "run", config)
    (workdir / CHECKPOINTS / "last" / "step-00000001").mkdir(parents=True)
    kept = json.loads((workdir / CONFIG_FILE).read_text())
    del kept["runtime"]  # as before there was one
    (workdir / CONFIG_FILE).write_text(json.dumps(kept))
    config.runtime.replicas = 4
    with pytest.raises(ValueError, match="runtime.replicas: 0 there, 4 here"):
        open_workdir(workdir, config)
    assert open_workdir(workdir, config, free=("runtime",)) == workdir
    assert read_config(workdir, Config).runtime.replicas == 4
    config.optimizer.learning_rate = 1.0
    with pytest.raises(ValueError, match="differs in optimizer.learning_rate: [^;]*. Choose"):
        open_workdir(workdir, config, free=("runtime",))


def test_an_experiment_is_the_same_however_its_paths_are_spelled(tmp_path, monkeypatch):
    for name in ("photos", "photos/other", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("photos")
    monkeypatch.chdir(tmp_path)
    config = Config()
    config.data.train, config.data.validation = "folder:photos", "pairs:photos,photos/other"
    config.operator.kernel, config.operator.kernel_file = "file", "kernel.npy"
    workdir = open_workdir(tmp_path / "run", config)
    (workdir / CHECKPOINTS / "last" / "step-00000001").mkdir(parents=True)
    for directory, train, validation, kernel in (
        (".", "folder:photos/", "pairs:./photos,photos/other/", "./kernel.npy"),
        (".", f"folder:{tmp_path}/photos", "pairs:link,link/other", f"{tmp_path}/kernel.npy"),
        ("elsewhere", "folder:../photos", "pairs:../photos,../photos/other", "../kernel.npy"),
        (".", "folder:elsewhere/../photos", "pairs:photos,link/other", "kernel.npy"),
    ):
        monkeypatch.chdir(tmp_path / directory)
        config.data.train, config.data.validation = train, validation
        config.operator.kernel_file = kernel
        assert open_workdir(workdir, config, free=("runtime",)) == workdir
    monkeypatch.chdir(tmp_path / "elsewhere")
    for field, other in (("train", "folder:photos"), ("validation", "pairs:../photos,../link")):
        kept = getattr(config.data, field)
        setattr(config.data, field, other)
        with pytest.raises(ValueError, match=f"differs in .*data.{field}: "):
            open_workdir(workdir, config, free=("runtime",))
        setattr(config.data, field, kept)


def test_one_text_from_another_directory_names_another_place(tmp_path, monkeypatch):
    for name in ("here/photos", "there/photos"):
        (tmp_path / name).mkdir(parents=True)
    config = Config()
    config.data.train, config.data.validation = "folder:photos", "folder:nowhere"
    config.training.initial_weights = "any_blur"  # a preset, not a path
    config.loss.comparator_weights = "https://host/weights.h5"
    monkeypatch.chdir(tmp_path / "here")
    workdir = open_workdir(tmp_path / "run", config)
    (workdir / CHECKPOINTS / "last" / "step-00000001").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "there")
    differs = f"differs in data.train: 'folder:{tmp_path}/here/photos' there, 'folder:{tmp_path}"
    with pytest.raises(ValueError, match=f"{differs}/there/photos' here. Choose"):
        open_workdir(workdir, config, free=("runtime",))
    (tmp_path / "here" / "photos").rename(tmp_path / "moved")
    assert open_workdir(workdir, config, free=("runtime",)) == workdir


def test_a_run_may_be_extended_where_that_is_asked_for(tmp_path):
    config = Config()
    workdir = open_workdir(tmp_path / "run", config)
    (workdir / CHECKPOINTS / "last" / "step-00000001").mkdir(parents=True)
    config.training.steps, config.training.batch_size = 2000, 4
    config.data.train = "folder:moved"
    with pytest.raises(
        ValueError, match="training.steps: 1500 there, 2000.* Use --extend to continue"
    ):
        open_workdir(workdir, config, free=("runtime",), extend=False)
    with pytest.raises(ValueError, match="Choose another --workdir"):  # an inversion has no more
        open_workdir(workdir, config)
    open_workdir(workdir, config, free=("runtime",), extend=True)
    assert read_config(workdir, Config) == config
    config.training.steps = 1999
    with pytest.raises(ValueError, match="Expected at least the 2000 training.steps"):
        open_workdir(workdir, config, free=("runtime",), extend=True)
    config.training.steps, config.data.size = 3000, 32
    for extend in (True, False):
        with pytest.raises(ValueError, match="data.size: 64 there, 32 .* Choose another --workdir"):
            open_workdir(workdir, config, free=("runtime",), extend=extend)


def test_what_is_learned_depends_on_all_but_what_it_is_computed_on():
    parts = dataclasses.asdict(Config())
    del parts["runtime"]
    assert learned_from(Config()) == parts


def test_a_field_that_an_old_config_lacks_stands_at_its_default(tmp_path):
    config = Config()
    workdir = open_workdir(tmp_path / "run", config)
    (workdir / CHECKPOINTS / "last" / "step-00000001").mkdir(parents=True)
    kept = json.loads((workdir / CONFIG_FILE).read_text())
    del kept["loss"]["pretraining_fraction"], kept["network"]["inverter"]
    (workdir / CONFIG_FILE).write_text(json.dumps(kept))
    assert open_workdir(workdir, config) == workdir
    assert read_config(workdir, Config) == config
    config.loss.pretraining_fraction = 0.5
    with pytest.raises(ValueError, match="loss.pretraining_fraction: 0.0 there, 0.5 here"):
        open_workdir(workdir, config)


def test_an_unwritable_workdir_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="directory to write to"):
        open_workdir(tmp_path / "file" / "run", Config())


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
    import shutil

    full = shutil._ntuple_diskusage(100, 100, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(ValueError, match="MiB free"):
        open_workdir(tmp_path / "run", Config())
    assert not (tmp_path / "run").exists()


def test_a_damaged_config_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="Expected JSON in .*config.json"):
        read_config(tmp_path, Config)


def test_a_directory_without_a_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="config.json"):
        read_config(tmp_path, Config)


def test_the_names_of_the_schemas_are_those_of_the_implementations():
    from blind_gan_tf import config as blind_schema
    from blind_gan_tf.methods import METHODS
    from blind_gan_tf.networks import NETWORKS
    from inversenet_tf import config as schema
    from inversenet_tf.imaging import config as imaging_schema
    from inversenet_tf.imaging.physics.kernels import KERNELS
    from inversenet_tf.imaging.physics.operators import OPERATORS
    from inversenet_tf.models import build, losses, unet
    from inversenet_tf.models.perceptual.comparator import COMPARATORS

    assert set(imaging_schema.OPERATORS) == OPERATORS.keys()
    assert set(imaging_schema.KERNELS) == KERNELS.keys()
    assert set(schema.INVERTERS) == build.INVERTERS.keys()
    assert set(schema.DENOISERS) == build.DENOISERS.keys()
    assert set(schema.COMPARATORS) == COMPARATORS.keys()
    assert schema.REDUCTIONS == losses.REDUCTIONS
    assert len(unet.WIDTHS) == schema.DEEPEST
    assert tuple(METHODS) == blind_schema.METHODS
    assert blind_schema.IMAGE_SIDES.keys() == NETWORKS.keys()


def test_reading_a_config_imports_no_implementation():
    """In a process of its own, as this one has imported everything."""
    program = (
        "import sys, blind_gan_tf.config, inversenet_tf.config, inversenet_tf.recipes\n"
        "names = ('sklearn.decomposition', 'inversenet_tf.models', 'inversenet_tf.imaging.physics"
        ".operators', 'inversenet_tf.engine', 'blind_gan_tf.methods', 'blind_gan_tf.networks')\n"
        "print([name for name in names if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert output.stdout.strip() == "[]", output.stderr


def test_pairs_do_not_begin_with_a_blur_that_is_not_theirs():
    config = recipes.quickstart()
    config.data.train, config.data.margin = "pairs:sharp,degraded", 0
    config.data.min_scale, config.data.augmentation = 1.0, "none"
    with pytest.raises(ValueError, match="Expected network.inverter .unet. with pairs"):
        config.validate()
    config.network.inverter = "unet"
    config.validate()
