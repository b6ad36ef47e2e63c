"""Algorithm 1 of blind inversion as one would first write it: the oracle of ours.

Plain eager loops over GradientTapes, G(z) computed anew in every step of either phase. One start,
one operator. What it computes is what `blind_gan_tf.inversion.invert` computes.
"""

import keras
import tensorflow as tf


def eager_inversion(measurements, generator, discriminator, surrogate, latents, config, on_round):
    """Recovers images and operator; changes `surrogate` in place.

    Args:
        measurements: [N, height, width, channels].
        generator, discriminator: frozen networks, as `invert` takes them.
        surrogate: Keras model.
        latents: the first ones, [N, S, T].
        config: a `SearchConfig`.
        on_round: callable without arguments after every round.

    Returns:
        latents [N, S, T].
    """
    latents = tf.Variable(latents)
    surrogate_adam = keras.optimizers.Adam(config.surrogate_learning_rate)
    latent_adam = keras.optimizers.Adam(config.latent_learning_rate)
    surrogate_adam.build(surrogate.trainable_variables)
    latent_adam.build([latents])

    def objective():
        count, sources, size = latents.shape
        signed = generator(tf.reshape(latents, [-1, size]), training=False)
        images = tf.reshape((signed + 1.0) / 2.0, [count, sources, *signed.shape[1:]])
        estimates = surrogate(tf.concat(tf.unstack(images, axis=1), axis=-1))
        loss = tf.reduce_sum(tf.abs(estimates - measurements))
        if config.perceptual_weight:
            realism = -tf.nn.softplus(discriminator(signed, training=False))
            loss += config.perceptual_weight * tf.reduce_sum(realism)
        return loss

    for _ in range(config.rounds):
        for _ in range(config.surrogate_steps):
            with tf.GradientTape() as tape:
                loss = objective()
            weights = surrogate.trainable_variables
            surrogate_adam.apply(tape.gradient(loss, weights), weights)
        for _ in range(config.latent_steps):
            with tf.GradientTape() as tape:
                loss = objective()
            latent_adam.apply([tape.gradient(loss, latents)], [latents])
            latents.assign(tf.clip_by_value(latents, -1.0, 1.0))
        on_round()
    return latents.numpy()
