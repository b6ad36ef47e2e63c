"""Mixtures of digits on the page, with a prior that was not trained."""

import threading

import numpy as np
import pytest

import blind_gan_tf as blind
from blind_gan_tf.prior import Prior
from inversenet_tf.page.digits import SOURCES, Separator
from inversenet_tf.page.limits import Cancelled, Progress, Told
