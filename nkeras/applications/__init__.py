"""Architectures for images, with weights of ImageNet, as `keras.applications`.

Each name loads the module of its family alone, when it is first used.
"""

from typing import TYPE_CHECKING

from nkeras.core import missing

_FAMILIES = {
    "convnext": "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge",
    "densenet": "DenseNet121 DenseNet169 DenseNet201",
    "efficientnet": "EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 EfficientNetB4 "
    "EfficientNetB5 EfficientNetB6 EfficientNetB7",
    "efficientnet_v2": "EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 "
    "EfficientNetV2L EfficientNetV2M EfficientNetV2S",
    "inception_resnet_v2": "InceptionResNetV2",
    "inception_v3": "InceptionV3",
    "mobilenet": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3": "MobileNetV3Large MobileNetV3Small",
    "nasnet": "NASNetLarge NASNetMobile",
    "resnet": "ResNet50 ResNet101 ResNet152",
    "resnet_v2": "ResNet50V2 ResNet101V2 ResNet152V2",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "xception": "Xception",
}
_LATER = {
    name: f"applications.{family}" for family, names in _FAMILIES.items() for name in names.split()
}
_INSIDE = (*_FAMILIES, "imagenet_utils", "resnet50")

if TYPE_CHECKING:
    from nkeras.applications import convnext as convnext
    from nkeras.applications import densenet as densenet
    from nkeras.applications import efficientnet as efficientnet
    from nkeras.applications import efficientnet_v2 as efficientnet_v2
    from nkeras.applications import imagenet_utils as imagenet_utils
    from nkeras.applications import inception_resnet_v2 as inception_resnet_v2
    from nkeras.applications import inception_v3 as inception_v3
    from nkeras.applications import mobilenet as mobilenet
    from nkeras.applications import mobilenet_v2 as mobilenet_v2
    from nkeras.applications import mobilenet_v3 as mobilenet_v3
    from nkeras.applications import nasnet as nasnet
    from nkeras.applications import resnet as resnet
    from nkeras.applications import resnet50 as resnet50
    from nkeras.applications import resnet_v2 as resnet_v2
    from nkeras.applications import vgg16 as vgg16
    from nkeras.applications import vgg19 as vgg19
    from nkeras.applications import xception as xception
    from nkeras.applications.convnext import ConvNeXtBase as ConvNeXtBase
    from nkeras.applications.convnext import ConvNeXtLarge as ConvNeXtLarge
    from nkeras.applications.convnext import ConvNeXtSmall as ConvNeXtSmall
    from nkeras.applications.convnext import ConvNeXtTiny as ConvNeXtTiny
    from nkeras.applications.convnext import ConvNeXtXLarge as ConvNeXtXLarge
    from nkeras.applications.densenet import DenseNet121 as DenseNet121
    from nkeras.applications.densenet import DenseNet169 as DenseNet169
    from nkeras.applications.densenet import DenseNet201 as DenseNet201
    from nkeras.applications.efficientnet import EfficientNetB0 as EfficientNetB0
    from nkeras.applications.efficientnet import EfficientNetB1 as EfficientNetB1
    from nkeras.applications.efficientnet import EfficientNetB2 as EfficientNetB2
    from nkeras.applications.efficientnet import EfficientNetB3 as EfficientNetB3
    from nkeras.applications.efficientnet import EfficientNetB4 as EfficientNetB4
    from nkeras.applications.efficientnet import EfficientNetB5 as EfficientNetB5
    from nkeras.applications.efficientnet import EfficientNetB6 as EfficientNetB6
    from nkeras.applications.efficientnet import EfficientNetB7 as EfficientNetB7
    from nkeras.applications.efficientnet_v2 import EfficientNetV2B0 as EfficientNetV2B0
    from nkeras.applications.efficientnet_v2 import EfficientNetV2B1 as EfficientNetV2B1
    from nkeras.applications.efficientnet_v2 import EfficientNetV2B2 as EfficientNetV2B2
    from nkeras.applications.efficientnet_v2 import EfficientNetV2B3 as EfficientNetV2B3
    from nkeras.applications.efficientnet_v2 import EfficientNetV2L as EfficientNetV2L
    from nkeras.applications.efficientnet_v2 import EfficientNetV2M as EfficientNetV2M
    from nkeras.applications.efficientnet_v2 import EfficientNetV2S as EfficientNetV2S
    from nkeras.applications.inception_resnet_v2 import InceptionResNetV2 as InceptionResNetV2
    from nkeras.applications.inception_v3 import InceptionV3 as InceptionV3
    from nkeras.applications.mobilenet import MobileNet as MobileNet
    from nkeras.applications.mobilenet_v2 import MobileNetV2 as MobileNetV2
    from nkeras.applications.mobilenet_v3 import MobileNetV3Large as MobileNetV3Large
    from nkeras.applications.mobilenet_v3 import MobileNetV3Small as MobileNetV3Small
    from nkeras.applications.nasnet import NASNetLarge as NASNetLarge
    from nkeras.applications.nasnet import NASNetMobile as NASNetMobile
    from nkeras.applications.resnet import ResNet50 as ResNet50
    from nkeras.applications.resnet import ResNet101 as ResNet101
    from nkeras.applications.resnet import ResNet152 as ResNet152
    from nkeras.applications.resnet_v2 import ResNet50V2 as ResNet50V2
    from nkeras.applications.resnet_v2 import ResNet101V2 as ResNet101V2
    from nkeras.applications.resnet_v2 import ResNet152V2 as ResNet152V2
    from nkeras.applications.vgg16 import VGG16 as VGG16
    from nkeras.applications.vgg19 import VGG19 as VGG19
    from nkeras.applications.xception import Xception as Xception

missing.explain(__name__, _LATER, inside=_INSIDE)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_INSIDE})
