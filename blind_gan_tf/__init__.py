"""Blind inversion with a GAN prior: images and the unknown operator from measurements alone.

Everything a user needs can be imported from here:

    import blind_gan_tf as blind

    prior = blind.Prior.load("runs/prior_celeba")
    result = blind.invert(measurements, prior, blind.LinearConvolution(kernel_size=11))
    result.images, result.operators[0].kernel, result.residuals

Each name is imported on first use, so that `import blind_gan_tf` itself takes no time.
"""

from inversenet_tf.lazy import lazily

# Where each public name comes from: a module, or an attribute of one.
_PUBLIC = {
    "Prior": "blind_gan_tf.prior:Prior",
    "FrozenPrior": "blind_gan_tf.search:FrozenPrior",
    "Latents": "blind_gan_tf.latents:Latents",
    "train_prior": "blind_gan_tf.prior_training:train_prior",
    "invert": "blind_gan_tf.inversion:invert",
    "Inversion": "blind_gan_tf.inversion:Inversion",
    "refine": "blind_gan_tf.refinement:refine",
    "run_inversion": "blind_gan_tf.experiment:run_inversion",
    "LinearConvolution": "blind_gan_tf.surrogate:LinearConvolution",
    "ReLUConvolution": "blind_gan_tf.surrogate:ReLUConvolution",
    "SharedKernel": "blind_gan_tf.shared_kernel:SharedKernel",
    "MixingNetwork": "blind_gan_tf.surrogate:MixingNetwork",
    "Mixing": "blind_gan_tf.mixing:Mixing",
    "PriorConfig": "blind_gan_tf.config:PriorConfig",
    "InversionConfig": "blind_gan_tf.config:InversionConfig",
    "SearchConfig": "blind_gan_tf.config:SearchConfig",
    "RefinementConfig": "blind_gan_tf.config:RefinementConfig",
    "recipes": "blind_gan_tf.recipes",
}
__getattr__, __dir__, __all__ = lazily(__name__, _PUBLIC)
