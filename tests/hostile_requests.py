"""Feeds an export what no honest client sends, past Python's checks of shapes, as servers do.

A program of its own, as what it looks for would end the tests: it prints what became of each kind.
"""

import collections
import io
import itertools
import json
import sys
from pathlib import Path

import numpy as np
from programs import completed

STRINGS = 1000  # a signature
BATCH, SIDE = 2, 16
EXPECTED_ERRORS = {"InvalidArgumentError"}


def ends_of(saved_model):
    """What a process of its own says of an export: {kind of request: [how it ended]}."""
    done = completed([__file__, saved_model])
    if done.returncode:
        raise AssertionError(f"exit status {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def check(saved_model):
    """Every request of a wrong form is refused, with one kind of error; a right one is answered."""
    for kind, ends in ends_of(saved_model).items():
        if kind.endswith(" valid"):
            assert ends == {"answered": 1}, kind
        elif kind.endswith(" mutated"):  # some of which are images still
            assert set(ends) <= {*EXPECTED_ERRORS, "answered"}, (kind, ends)
        else:
            assert set(ends) == EXPECTED_ERRORS, (kind, ends)


def valid(spec):
    """A small value of an input's kind: a batch of two."""
    if spec.dtype == 7:  # DT_STRING
        return np.array([encoded("PNG")] * BATCH, object)
    sides = [side.size if side.size > 0 else SIDE for side in spec.tensor_shape.dim]
    return np.full([BATCH, *sides[1:]], 1.0 / SIDE**2, np.float32)


def encoded(kind):
    from PIL import Image

    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def malformed(value):
    """(kind, value) of what is wrong in rank, size or type."""
    filler = value.flat[0]
    for rank in range(7):
        if rank != value.ndim:
            yield f"rank {rank}", np.full((1,) * rank, filler, value.dtype)
            yield f"rank {rank}", np.full(([BATCH, SIDE, SIDE, 3] * 2)[:rank], filler, value.dtype)
    if value.ndim > 1:
        yield "no batch axis", value[0]
    for axis in range(1, value.ndim):
        yield "empty", np.zeros([0 if a == axis else s for a, s in enumerate(value.shape)], "f4")
    for dtype in ("u1", "f8", "i4", "c8", "b1"):
        yield "type", np.ones(value.shape, dtype)
    if value.dtype != object:
        yield "type", np.full(value.shape, b"text", object)


def byte_strings():
    """(kind, contents) of files that are none, or not what they say."""
    kinds = [encoded(kind) for kind in ("PNG", "JPEG")]
    png = kinds[0]
    for sides in (b"\x00\x01\x86\xa0" * 2, b"\x7f\xff\xff\xff" * 2, b"\xff" * 8, b"\x00" * 8):
        yield "claimed size", png[:16] + sides + png[24:]
    place = kinds[1].index(b"\xff\xc0") + 5
    yield "claimed size", kinds[1][:place] + b"\xea\x60\xea\x60" + kinds[1][place + 4 :]
    for other in ("GIF", "BMP", "TIFF", "WEBP"):
        yield "another format", encoded(other)
    yield "another format", b"%!PS-Adobe-3.0 EPSF-3.0\n"
    yield "another format", b""
    generator = np.random.default_rng(1)
    for number in range(STRINGS):
        contents = bytearray(kinds[number % 2])
        for _ in range(generator.integers(1, 6)):
            contents[generator.integers(len(contents))] = generator.integers(256)
        if number % 3 == 0:
            del contents[generator.integers(len(contents)) :]
        yield "mutated", bytes(contents)


class Session:
    """A SavedModel as TensorFlow Serving holds it: nothing compares a feed with its placeholder."""

    def __init__(self, saved_model):
        import tensorflow as tf

        tf.compat.v1.disable_eager_execution()
        tf.get_logger().setLevel("ERROR")
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], saved_model)
        self.signatures = {
            name: definition
            for name, definition in loaded.signature_def.items()
            if not name.startswith("__")
        }
        self._session._extend_graph()

    def end_of(self, signature, values):
        """How a request ended: "answered", or the name of the error."""
        definition, graph = self.signatures[signature], self._session.graph
        feeds = {
            graph.get_tensor_by_name(definition.inputs[name].name)._as_tf_output(): value
            for name, value in values.items()
        }
        fetches = [graph.get_tensor_by_name(o.name) for o in definition.outputs.values()]
        try:
            self._session._call_tf_sessionrun(
                None, feeds, [fetch._as_tf_output() for fetch in fetches], [], None
            )
        except Exception as error:
            print(signature, str(error)[:300], file=sys.stderr)
            return type(error).__name__
        return "answered"


def main(saved_model):
    session, ends = Session(saved_model), collections.defaultdict(collections.Counter)
    for signature, definition in session.signatures.items():
        right = {name: valid(spec) for name, spec in definition.inputs.items()}
        ends[f"{signature} valid"][session.end_of(signature, right)] += 1
        for name, value in right.items():
            wrong = malformed(value)
            if value.dtype == object:
                files = ((kind, np.array([one], object)) for kind, one in byte_strings())
                wrong = itertools.chain(wrong, files)
            elif len(right) > 1:
                wrong = itertools.chain(wrong, [("batch", value[:1])])
            for kind, other in wrong:
                alike = {k: v[: len(other)] for k, v in right.items()} if other.ndim else right
                told = (right if kind == "batch" else alike) | {name: other}
                ends[f"{signature} {name} {kind}"][session.end_of(signature, told)] += 1
    print(json.dumps(ends))


if __name__ == "__main__":
    sys.path.remove(str(Path(__file__).parent))  # whose names are not of this program
    main(*sys.argv[1:])
