"""ResNet50 by itself, as `keras.applications.resnet50`."""

from nkeras.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
