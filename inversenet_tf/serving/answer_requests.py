"""Answers requests with a SavedModel and TensorFlow alone: the program that `fresh_process` runs.

It imports nothing of this project, which shows that the SavedModel needs nothing of it.
"""

import pickle
import sys

import tensorflow as tf

OURS = ("inversenet_tf", "blind_gan_tf")


def main(saved_model, requests_file, answers_file):
    """Reads pickled requests, a list of (signature, {name: array}), and pickles the answers."""
    with open(requests_file, "rb") as file:
        requests = pickle.load(file)
    signatures = tf.saved_model.load(saved_model).signatures
    answers = []
    for signature, inputs in requests:
        outputs = signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
        answers.append({name: tensor.numpy() for name, tensor in outputs.items()})
    imported = sorted(name for name in sys.modules if name.split(".")[0] in OURS)
    with open(answers_file, "wb") as file:
        pickle.dump({"answers": answers, "imported": imported, "tensorflow": tf.__version__}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
