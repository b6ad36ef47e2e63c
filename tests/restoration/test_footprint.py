import keras
import tensorflow as tf

from inversenet_tf.restoration.footprint import peak_bytes_per_pixel


def test_tensors_live_until_they_are_read_for_the_last_time():
    def function(images):  # 4 bytes a pixel
        wide = tf.repeat(images, 10, axis=-1)  # 40 bytes
        narrow = tf.reduce_sum(wide, -1, keepdims=True)  # 4 bytes, and `wide` may go
        return tf.repeat(narrow, 5, axis=-1)  # 20 bytes

    bytes_per_pixel = peak_bytes_per_pixel(function, channels=1)
    # Repeating takes a copy of its own of what it repeats, of whose form nothing is said here.
    assert 4 + 40 + 4 <= bytes_per_pixel <= 4 + 2 * 40 + 4 + 1


def test_a_convolution_of_a_convolution():
    network = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.Conv2D(16, 3, padding="same", use_bias=False),
            keras.layers.Conv2D(8, 3, 2, padding="same", use_bias=False),
        ]
    )
    bytes_per_pixel = peak_bytes_per_pixel(network, channels=3, multiple=2)
    weights = 4 * 9 * (3 * 16 + 16 * 8) / 256**2
    assert bytes_per_pixel - weights <= 4 * (3 + 16 + 8 / 4) <= bytes_per_pixel


def test_what_is_skipped_over_stays():
    def function(images, skip):
        x = images
        for _ in range(5):
            x = tf.nn.relu(x)
        return x + images if skip else x

    plain = peak_bytes_per_pixel(lambda images: function(images * 2.0, False), 1)
    skipping = peak_bytes_per_pixel(lambda images: function(images * 2.0, True), 1)
    assert 3.9 < skipping - plain < 4.1 or skipping - plain == 0
