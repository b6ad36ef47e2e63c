"""InverseNet: learned restoration of images in TensorFlow and Keras.

The public names are here, wherever they are defined:

    import inversenet_tf as inv

    restorer = inv.load("runs/mine")
    restored = restorer(inv.read_image("blurred.jpg"))

Each name is imported when it is first used, so that `import inversenet_tf` takes no time.
"""

from inversenet_tf.lazy import lazily

# Where each public name comes from: a module, or an attribute of one.
_PUBLIC = {
    "load": "inversenet_tf.loading:load",
    "presets": "inversenet_tf.shipped:presets",
    "Restorer": "inversenet_tf.restoration.restorers:Restorer",
    "read_image": "inversenet_tf.imaging.files.images:read_image",
    "write_image": "inversenet_tf.imaging.files.images:write_image",
    "restore_files": "inversenet_tf.restoration.photographs:restore_files",
    "estimate_kernel": "inversenet_tf.imaging.physics.kernel_estimation:estimate_kernel",
    "estimate_noise": "inversenet_tf.imaging.physics.kernel_estimation:estimate_noise",
    "ImageModel": "inversenet_tf.imaging.physics.image_model:ImageModel",
    "calibrate": "inversenet_tf.calibration.road:calibrate",
    "train": "inversenet_tf.training:train",
    "evaluate": "inversenet_tf.evaluation:evaluate",
    "export": "inversenet_tf.exporting.inversenet:export_run",
    "Config": "inversenet_tf.config:Config",
    "recipes": "inversenet_tf.recipes",
    "physics": "inversenet_tf.imaging.physics",
    "kernels": "inversenet_tf.imaging.physics.kernels",
    "metrics": "inversenet_tf.imaging.metrics",
    "models": "inversenet_tf.models",
}
__getattr__, __dir__, __all__ = lazily(__name__, _PUBLIC)
