# %% [markdown]
# # Serve and query
#
# Export a trained network, and restore the same photograph with the work directory, the export, a
# LiteRT file and a server. All four are used in the same way.

# %%
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import skimage.data
import tensorflow as tf

import inversenet_tf as inv
from inversenet_tf.exporting.lite import convert

RUN = "runs/examples/served"
EXPORT = Path("runs/examples/models/deblur")
LITERT = Path("runs/examples/models/deblur.tflite")
TINY = bool(os.environ.get("TINY"))  # runs in seconds, only to show that the program works

# %% [markdown]
# ## Train
#
# This is the training of the first example, without the closed form that its network begins with:
# LiteRT lacks the Fourier transforms that it needs.

# %%
config = inv.recipes.quickstart()
config.network.inverter = "unet"
if TINY:
    config.data.size = 32
    config.data.evaluation_crop = "center"
    config.network.discriminator_width = 4
    config.loss.pretraining_fraction = 1.0
    config.training.batch_size = 2
    config.training.steps = config.training.steps_per_epoch = 1
inv.train(config, RUN)

# %% [markdown]
# ## Export
#
# Each export is the next version of a model. `verify=True` loads it in a fresh process and compares
# it with the Python model before it appears. The LiteRT file, too, appears only if it agrees.

# %%
version = inv.export(RUN, EXPORT, verify=not TINY)
print(sorted(path.name for path in version.iterdir()))
if not TINY:
    check = convert(EXPORT, LITERT, overwrite=True)["check"]
    print(f"The LiteRT file differs by at most {check['largest_difference']:.1e}.")

# %% [markdown]
# ## Serve
#
# TensorFlow Serving is the server that exports are made for; `docker run` starts it with
#
# ```
# docker run -p 8501:8501 -v "$PWD/runs/examples/models:/models" \
#     -e MODEL_NAME=deblur tensorflow/serving
# ```
#
# So that this page can be run without it, a stand-in answers here: it handles the two requests of
# TensorFlow Serving's REST interface that arrays need, for the model's metadata and for results.

# %%
SIGNATURE = "restore_with_intermediate"
restore = tf.saved_model.load(str(version)).signatures[SIGNATURE]


class StandIn(BaseHTTPRequestHandler):
    def do_GET(self):
        shape = {"dim": [{"size": "-1"}, {"size": "-1"}, {"size": "-1"}, {"size": "3"}]}
        inputs = {"inputs": {"measurements": {"tensor_shape": shape}}}
        self.answer({"metadata": {"signature_def": {"signature_def": {SIGNATURE: inputs}}}})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        outputs = restore(measurements=tf.constant(request["inputs"]["measurements"]))
        self.answer(
            {"outputs": {name: images.numpy().tolist() for name, images in outputs.items()}}
        )

    def answer(self, answer):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/deblur"

# %% [markdown]
# ## Query
#
# All four take the same array and give the same images, up to rounding.

# %%
image = skimage.data.coffee()[20:276, 160:416].astype("float32") / 255.0
blur = inv.physics.Blur(inv.kernels.linear_motion(size=9, angle=45.0))
blurred = inv.physics.round_to_8_bits(blur(image[None]))[0].numpy()

places = [RUN, EXPORT, address] if TINY else [RUN, EXPORT, LITERT, address]
results = [inv.load(place)(blurred) for place in places]
for place, restored in zip(places, results, strict=True):
    kind = "server" if place == address else place
    psnr = float(inv.metrics.psnr(restored, image))
    difference = np.abs(restored - results[0]).max()
    print(f"{psnr:.2f} dB, differs from the first by at most {difference:.4f}: {kind}")
server.shutdown()
