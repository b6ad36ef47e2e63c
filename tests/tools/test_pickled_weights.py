"""Pickled weights: read without executing anything, whoever wrote them."""

import io
import os
import pickle
import pickletools

import numpy as np
import pytest
from pickled_weights import read_pickled


@pytest.fixture
def weights():
    """A dict such as a published file holds."""
    generator = np.random.default_rng(0)
    shapes = {"conv1": (3, 3, 2, 4), "fire/fc": (4, 5), "fc7": (5, 6)}
    return {
        name: [generator.normal(size=s).astype(np.float32) for s in (shape, shape[-1:])]
        for name, shape in shapes.items()
    }


def assert_same(weights, expected):
    assert list(weights) == list(expected)
    for name, arrays in expected.items():
        for ours, theirs in zip(weights[name], arrays, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs)


def write_npy(path, content, protocol=4):
    """As numpy.save writes an object, with a choice of the pickle's protocol."""
    header = {"descr": "|O", "fortran_order": False, "shape": ()}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        pickle.dump(np.array(content, object), file, protocol)
    return path


# How Python 2 and NumPy 1 saved {"fc": [[[1, -2], [3, 0.5]], [7, 8]]}: bytes as strings, names of
# numpy.core; written by hand after pickletools.dis of the file that is known as bvlc_alexnet.npy.
PYTHON_2 = b"".join(
    [
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87R",
        b"(K\x01)cnumpy\ndtype\nq\x03U\x02O8K\x00K\x01\x87R",
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb\x89]}U\x02fc](",
        b"h\x01h\x02K\x00\x85U\x01b\x87R(K\x01K\x02K\x02\x86h\x03U\x02f4K\x00K\x01\x87R",
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbq\x04\x89",
        b"U\x10" + np.array([1, -2, 3, 0.5], "<f4").tobytes() + b"tb",
        b"h\x01h\x02K\x00\x85U\x01b\x87R(K\x01K\x02\x85h\x04\x89",
        b"U\x08" + np.array([7, 8], "<f4").tobytes() + b"tbesatb.",
    ]
)


def test_npy_of_python_2(tmp_path):
    pickletools.dis(PYTHON_2, out=io.StringIO())  # the stream above is well formed
    path = tmp_path / "old.npy"
    with open(path, "wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(PYTHON_2)
    expected = {"fc": [np.float32([[1, -2], [3, 0.5]]), np.float32([7, 8])]}
    assert_same(read_pickled(path), expected)
    original = np.load(path, allow_pickle=True, encoding="latin1").item()
    np.testing.assert_array_equal(original["fc"][0], expected["fc"][0])


def test_npy_as_numpy_saves_it(tmp_path, weights):
    np.save(tmp_path / "weights.npy", weights)
    assert_same(read_pickled(tmp_path / "weights.npy"), weights)


@pytest.mark.parametrize("protocol", range(6))
def test_npy_of_every_protocol(tmp_path, weights, protocol):
    path = write_npy(tmp_path / "weights.npy", weights, protocol)
    assert_same(read_pickled(path), weights)


def test_npy_of_other_orders_and_types(tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    stored = [np.asfortranarray(values), values.astype(">f8"), values.astype(np.int16)]
    for protocol in (2, 5):
        path = write_npy(tmp_path / "weights.npy", {"a": stored}, protocol)
        assert_same(read_pickled(path), {"a": [values] * 3})


class Malicious:
    """Unpickled, it makes a file; or calls whatever else it is given."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_malicious_pickles_are_refused(tmp_path):
    made = tmp_path / "made"
    attacks = {
        "os.system|posix.system": Malicious(os.system, f"touch {made}"),
        "builtins.open|io.open": Malicious(open, str(made), "w"),
        "builtins.eval": Malicious(eval, f"open({str(made)!r}, 'w')"),
        "numpy.fromfile|fromfile": Malicious(np.fromfile, __file__),
        "memmap": Malicious(np.memmap, str(made), "u1", "w+", 0, (4,)),
    }
    for name, attack in attacks.items():
        path = write_npy(tmp_path / "weights.npy", {"conv1": [attack]})
        with pytest.raises(ValueError, match=f"weights.npy.*Received: .*({name})"):
            read_pickled(path)
        assert not made.exists()
    np.load(write_npy(path, {"a": [attacks["builtins.eval"]]}), allow_pickle=True)
    assert made.exists()  # the attack itself works


@pytest.mark.parametrize(
    "content",
    [
        {"a": 1},
        {"a": [1.0]},
        {"a": ["x"]},
        {"a": [np.array(["text"])]},
        {"a": [np.array([{}])]},
        {"a": {"weights": np.zeros(2)}},
        [1],
        "text",
        None,
    ],
)
def test_npy_without_lists_of_numbers_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match=r"weights.npy.*Received"):
        read_pickled(write_npy(tmp_path / "weights.npy", content))


def test_crafted_array_states_are_refused(tmp_path, weights):
    """A type that lies about its content must not reach NumPy's own unpickling."""
    path = write_npy(tmp_path / "weights.npy", weights)
    whole = path.read_bytes()
    for old, new in ((b"f4", b"O8"), (b"f4", b"V4"), (b"f4", b"U1"), (b"f4", b"f9")):
        path.write_bytes(whole.replace(old, new))
        with pytest.raises(ValueError, match=r"weights.npy.*Expected arrays of numbers"):
            read_pickled(path)


def test_plain_arrays_and_damaged_files_are_refused(tmp_path, weights):
    path = tmp_path / "weights.npy"
    np.save(path, np.zeros(3))
    with pytest.raises(ValueError, match="one pickled dict. Received: float64"):
        read_pickled(path)
    whole = write_npy(path, weights).read_bytes()
    for damaged in (b"", b"text", whole[:60], whole[:300], whole[:-2]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"Cannot read the weights in .*weights\.npy"):
            read_pickled(path)
