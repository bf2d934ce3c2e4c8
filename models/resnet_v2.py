"""The network of the bundled model: a pre-activation ResNet ("v2") for 32×32 pictures.

He et al., "Identity Mappings in Deep Residual Networks", 2016 (arXiv:1603.05027), in the CIFAR layout of
one convolution as stem and three stages at strides 1, 2, 2. Fewer and wider blocks than ResNet-20: on a CPU
the late, wide stages are the cheap place to put weights.
"""

from typing import Any

import keras
from keras import layers

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

WIDTHS = (24, 64, 128)
BLOCKS = (1, 2, 2)

# Channel means and deviations of the CIFAR-10 training pictures, in units of 0..255.
MEAN = (125.3, 123.0, 113.9)
STD = (63.0, 62.1, 66.7)


def build() -> keras.Model:
    """The network: normalised pixels [N, 32, 32, 3] in, logits [N, 10] in float32 out."""
    pixels = layers.Input((32, 32, 3), name="pixels")
    features = _convolution(pixels, WIDTHS[0], kernel=3, stride=1)
    for stage, (width, blocks) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
        for block in range(blocks):
            features = _block(features, width, stride=2 if stage > 0 and block == 0 else 1)
    features = layers.GlobalAveragePooling2D()(_activate(features))
    logits = layers.Dense(len(CLASSES), dtype="float32", name="logits")(features)
    return keras.Model(pixels, logits, name="resnet_v2_cifar10")


def _block(features: Any, width: int, stride: int) -> Any:
    activated = _activate(features)
    changes_shape = stride != 1 or features.shape[-1] != width
    shortcut = _convolution(activated, width, kernel=1, stride=stride) if changes_shape else features
    residual = _convolution(activated, width, kernel=3, stride=stride)
    residual = _convolution(_activate(residual), width, kernel=3, stride=1)
    return layers.Add()([shortcut, residual])


def _activate(features: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(features))


def _convolution(features: Any, width: int, kernel: int, stride: int) -> Any:
    return layers.Conv2D(
        width, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(features)
