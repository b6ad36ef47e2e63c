import functools
import hashlib
import sys

import convert_weights
import h5py
import keras
import numpy as np
import pytest
from programs import run

from inversenet_tf.models.perceptual.weights import (
    TORCHVISION_LAYERS,
    assign,
    fetch,
    from_torchvision,
    read_weights,
    write_h5,
)


@pytest.fixture
def weights():
    """Of `network()`, with a layer more."""
    generator = np.random.default_rng(0)
    shapes = {"conv1": (3, 3, 2, 4), "fire/fc": (4, 5), "fc7": (5, 6)}
    return {
        name: [generator.normal(size=s).astype(np.float32) for s in (shape, shape[-1:])]
        for name, shape in shapes.items()
    }


def network():
    inputs = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(4, 3, name="conv1")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(5, name="fire_fc")(x), name="small")


def assert_same(arrays_of, expected):
    assert list(arrays_of) == list(expected)
    for name, arrays in expected.items():
        assert len(arrays_of[name]) == len(arrays)
        for ours, theirs in zip(arrays_of[name], arrays, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs)


def test_h5_is_written_and_read(tmp_path, weights):
    write_h5(tmp_path / "new" / "weights.h5", weights)
    assert_same(read_weights(tmp_path / "new" / "weights.h5"), weights)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["weights.h5"]


def test_written_h5_is_keras_legacy_layout(tmp_path, weights):
    del weights["fc7"]
    write_h5(tmp_path / "weights.h5", weights)
    loaded = network()
    loaded.load_weights(tmp_path / "weights.h5")
    for ours, theirs in zip(loaded.get_weights(), sum(weights.values(), []), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_whole_legacy_model_file(tmp_path):
    model = network()
    model.save(tmp_path / "model.h5")
    arrays = model.get_weights()
    assert_same(read_weights(tmp_path / "model.h5"), {"conv1": arrays[:2], "fire_fc": arrays[2:]})


def test_published_squeezenet(shared_data):
    path = shared_data / "weights" / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
    weights = read_weights(path)
    assert len(weights) == 25
    assert [a.shape for a in weights["fire9/expand3x3"]] == [(3, 3, 64, 256), (256,)]


def test_other_h5_files_are_refused(tmp_path):
    network().save_weights(tmp_path / "keras_3.weights.h5")
    with pytest.raises(ValueError, match=r"keras_3.*legacy layout.*Received: groups .*layers"):
        read_weights(tmp_path / "keras_3.weights.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(ValueError, match=r"Cannot read the weights in .*text\.h5"):
        read_weights(tmp_path / "text.h5")
    with h5py.File(tmp_path / "torn.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1"]
    with pytest.raises(ValueError, match=r"torn\.h5.*conv1"):
        read_weights(tmp_path / "torn.h5")


def test_other_suffixes_are_refused():
    with pytest.raises(
        ValueError, match=r"Expected .*\.h5.*convert_weights.py.* Received: alexnet.npy"
    ):
        read_weights("alexnet.npy")


def test_assign_sets_by_name_and_ignores_more(weights):
    model = network()
    assign(model, weights)
    expected = weights["conv1"] + weights["fire/fc"]
    for ours, theirs in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_assign_refuses_missing_layers_and_wrong_shapes(weights):
    model = network()
    before = model.get_weights()
    wrong = weights | {"fire/fc": [weights["fc7"][0], weights["fc7"][1]]}
    with pytest.raises(ValueError, match=r"'fire_fc'.*\(4, 5\), \(5,\).*Received: .*\(5, 6\)"):
        assign(model, wrong)
    with pytest.raises(ValueError, match=r"'fire_fc'.*Received: \[\(4, 5\)\]"):
        assign(model, weights | {"fire/fc": weights["fire/fc"][:1]})
    del weights["fire/fc"]
    with pytest.raises(ValueError, match=r"'fire_fc' of 'small'.*Received: .*conv1, fc7"):
        assign(model, weights)
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def hashed(tmp_path):
    """A file and its SHA-256."""
    path = tmp_path / "some weights.npy"
    path.write_bytes(b"content")
    return path, hashlib.sha256(b"content").hexdigest()


def test_fetch_of_a_path(hashed, monkeypatch):
    path, sha256 = hashed
    assert fetch(path) == fetch(str(path), sha256) == fetch(path, sha256.upper()) == path
    monkeypatch.setenv("HOME", str(path.parent))
    assert fetch(f"~/{path.name}") == path


def test_fetch_says_what_is_wrong_and_what_helps(hashed, tmp_path):
    path, sha256 = hashed
    with pytest.raises(ValueError, match=rf"SHA-256 {'0' * 64}. Received: {sha256}. Try there"):
        fetch(path, "0" * 64, "Try there.")
    for missing in (tmp_path / "none.npy", tmp_path, ""):
        with pytest.raises(ValueError, match=rf"Expected a weight file.*{missing}.*Try there"):
            fetch(missing, advice="Try there.")
    with pytest.raises(ValueError, match="64 hexadecimal digits. Received: 'abc'"):
        fetch(path, "abc")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Keras' cache, moved to where it does not outlive the test."""
    folder = tmp_path / "cache"
    folder.mkdir()
    moved = functools.partial(keras.utils.get_file, cache_dir=folder)
    monkeypatch.setattr(keras.utils, "get_file", moved)
    return folder


def test_fetch_of_a_url(hashed, cache):
    path, sha256 = hashed
    fetched = fetch(path.as_uri(), sha256.upper())
    assert fetched.read_bytes() == b"content"
    assert fetched.is_relative_to(cache) and fetched.suffix == ".npy"
    path.unlink()
    assert fetch(path.as_uri(), sha256) == fetched  # from the cache


def test_fetch_refuses_a_download_that_fails_or_is_another(hashed, cache):
    url, sha256 = hashed[0].as_uri(), hashed[1]
    with pytest.raises(ValueError, match=rf"{'0' * 64} at {url}.*does not match.* Try there"):
        fetch(url, "0" * 64, "Try there.")
    with pytest.raises(ValueError, match=rf"{sha256} at {url}x. Received: .*No such.* Try there"):
        fetch(f"{url}x", sha256, "Try there.")
    with pytest.raises(ValueError, match=f"Expected the SHA-256 .* Received: none for {url}"):
        fetch(url)


def torchvision_state():
    """Of the shapes of torchvision's AlexNet to classifier.1; zeros but for a few values."""
    state = {}
    for source, shape in TORCHVISION_LAYERS.values():
        state[f"{source}.weight"] = np.zeros(shape, np.float32)
        state[f"{source}.bias"] = np.zeros(shape[0], np.float32)
    return state


def test_torchvision_axes_are_permuted():
    state = torchvision_state()
    state["features.0.weight"][5, 2, 7, 9] = 1.0
    state["classifier.1.weight"][11, 200 * 36 + 4 * 6 + 3] = 2.0  # channel 200, row 4, column 3
    weights = from_torchvision(state | {"classifier.6.bias": np.zeros(1000)})
    assert list(weights) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6"]
    assert weights["conv1"][0][7, 9, 2, 5] == 1.0
    assert weights["fc6"][0][(4 * 6 + 3) * 256 + 200, 11] == 2.0
    assert all(a.flags["C_CONTIGUOUS"] for arrays in weights.values() for a in arrays)


def test_other_checkpoints_are_refused():
    state = torchvision_state()
    with pytest.raises(ValueError, match=r"features.0 .*\(64, 3, 11, 11\).*\(64, 3, 3, 3\)"):
        from_torchvision(state | {"features.0.weight": np.zeros((64, 3, 3, 3))})
    del state["classifier.1.bias"]
    with pytest.raises(ValueError, match=r"classifier.1 .*Received: .*None"):
        from_torchvision(state)


def convert(checkpoint, output):
    return run("convert_weights", f"--input={checkpoint}", f"--output={output}")


def test_tool_converts_a_pickled_dict(tmp_path, weights):
    np.save(tmp_path / "bvlc_alexnet.npy", weights)
    converted = convert(tmp_path / "bvlc_alexnet.npy", tmp_path / "bvlc_alexnet.h5")
    assert converted.returncode == 0, converted.stderr
    assert_same(read_weights(tmp_path / "bvlc_alexnet.h5"), weights)


def test_tool_without_pytorch_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="pip install torch"):
        convert_weights.read_checkpoint(tmp_path / "alexnet.pth")


def test_tool_converts_a_checkpoint(tmp_path):
    torch = pytest.importorskip("torch")
    state = torchvision_state()
    state["classifier.1.bias"][:] = np.arange(4096)
    torch.save({name: torch.from_numpy(a) for name, a in state.items()}, tmp_path / "alexnet.pth")
    converted = convert(tmp_path / "alexnet.pth", tmp_path / "alexnet.h5")
    assert converted.returncode == 0, converted.stderr
    assert_same(read_weights(tmp_path / "alexnet.h5"), from_torchvision(state))


def test_tool_refuses_what_is_no_checkpoint(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "other.pth"
    path.write_text("text")
    with pytest.raises(ValueError, match=r"Expected a state dict in .*other\.pth"):
        convert_weights.read_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match=r"Expected a state dict in .*other\.pth"):
        convert_weights.read_checkpoint(path)


SIZE = (4, 5)


def hostile_h5(path, fill):
    """A file of one layer whose kernel `fill(group, name)` makes; `other.h5` lies beside it."""
    with h5py.File(path.parent / "other.h5", "w") as other:
        other["kernel"] = np.ones(SIZE)
    (path.parent / "secret").write_bytes(bytes(range(160)))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"fc"]
        layer = file.create_group("fc")
        layer.attrs["weight_names"] = [b"kernel"]
        fill(layer, "kernel")
    return path


HOSTILE = {
    "another file's link": (
        lambda g, n: g.__setitem__(n, h5py.ExternalLink("other.h5", "/kernel")),
        "in the file itself, received a link",
    ),
    "a soft link to itself": (
        lambda g, n: g.__setitem__(n, h5py.SoftLink(f"/fc/{n}")),
        "in the file itself, received a link",
    ),
    "another file's bytes": (
        lambda g, n: g.create_dataset(n, SIZE, "f8", external=[("secret", 0, 160)]),
        "the name of another",
    ),
    "more than is stored": (
        lambda g, n: g.create_dataset(n, (30_000, 30_000), "f4"),
        "claims shape .* not stored",
    ),
    "more chunks than are stored": (
        lambda g, n: g.create_dataset(n, (30_000, 30_000), "f4", chunks=(100, 100)),
        "claims shape .* not stored",
    ),
    "not a number": (lambda g, n: g.__setitem__(n, np.full(SIZE, np.nan)), "finite"),
    "infinity": (lambda g, n: g.__setitem__(n, np.full(SIZE, np.inf)), "finite"),
    "a group": (lambda g, n: g.create_group(n), "an array in .* received a group"),
    "no elements": (lambda g, n: g.__setitem__(n, np.ones((0, 5))), "expected elements"),
    "text": (lambda g, n: g.__setitem__(n, "text"), "expected numbers"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_h5_holds_its_own_finite_numbers(kind, tmp_path):
    fill, message = HOSTILE[kind]
    path = hostile_h5(tmp_path / "weights.h5", fill)
    with pytest.raises(ValueError, match=f"Cannot read the weights in .*weights.h5: .*{message}"):
        read_weights(path)


def test_h5_of_a_virtual_data_set_is_refused(tmp_path):
    def fill(group, name):
        layout = h5py.VirtualLayout(SIZE, "f8")
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "kernel", SIZE)
        group.create_virtual_dataset(name, layout)

    with pytest.raises(ValueError, match="the name of another"):
        read_weights(hostile_h5(tmp_path / "weights.h5", fill))


def test_compressed_h5_is_read(tmp_path):
    def fill(group, name):
        group.create_dataset(name, data=np.ones(SIZE), chunks=(2, 2), compression="gzip")

    np.testing.assert_array_equal(
        read_weights(hostile_h5(tmp_path / "w.h5", fill))["fc"][0], np.ones(SIZE)
    )
