"""The trained baselines of the paper's tables, each on the task the paper shows it on.

  inversenet train --config=baseline:pix2pix --workdir=runs/pix2pix
  inversenet train --config=baseline:neural_deblur --workdir=runs/neural
  inversenet train --config=baseline:srgan --workdir=runs/srgan
  ... --config.data.train=folder:TRAIN --config.data.validation=folder:VAL  # from folders
  ... --config.loss.comparator=alexnet --config.loss.comparator_weights=bvlc_alexnet.h5

pix2pix (with comparator, as in Table 1, where its weights are given) and Chakrabarti's network
deblur; SRGAN upsamples by four. tools/reproduce.py compares them with InverseNet at equal budgets.
"""

from inversenet_tf import recipes
from inversenet_tf.imaging.checks import check_choice
from inversenet_tf.paper.image_sets import image_set

SRGAN_DATA, OTHER_DATA = "imagenet", "celeba"


def get_config(method="pix2pix"):
    """The paper's task, with the baseline in place of InverseNet."""
    check_choice("the baseline", method, recipes.TRAINED)
    upsamples = method == "srgan"
    config = recipes.super_resolution() if upsamples else recipes.motion_deblur()
    image_set(SRGAN_DATA if upsamples else OTHER_DATA).apply(config)
    recipes.TRAINED[method](config)
    return config
