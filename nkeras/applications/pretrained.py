"""Weights of ImageNet: files that Keras' authors offer, in the cache of `get_file`."""

from __future__ import annotations

from dataclasses import dataclass

from nkeras.applications.architecture import Request
from nkeras.core.graph import KerasTensor, get_source_inputs
from nkeras.models import Functional
from nkeras.utils.file_utils import get_file

GOOGLE = "https://storage.googleapis.com/tensorflow/keras-applications/"


@dataclass(frozen=True)
class WeightFile:
    """One file.

    Attributes:
        name: in the cache.
        url: where it is downloaded from.
        file_hash: MD5 or SHA-256; None where Keras knows none.
    """

    name: str
    url: str
    file_hash: str | None = None

    def fetch(self) -> str:
        """Its path, downloaded if need be.

        Raises:
            OSError: it cannot be downloaded. The text says where to put the file by hand.
        """
        return get_file(self.name, self.url, cache_subdir="models", file_hash=self.file_hash)


def files_of(
    folder: str, names: tuple[str, str], hashes: tuple[str | None, str | None] = (None, None)
) -> tuple[WeightFile, WeightFile]:
    """The files with and without the classifier.

    Args:
        folder: URL, with the slash at its end.
        names: of the two files, in that folder and in the cache.
        hashes: of the two files.
    """
    whole, features = (
        WeightFile(name, folder + name, file_hash)
        for name, file_hash in zip(names, hashes, strict=True)
    )
    return whole, features


def tensorflow_kernels(
    folder: str, prefix: str, hashes: tuple[str, str]
) -> tuple[WeightFile, WeightFile]:
    """Files of the oldest families, whose names say how TensorFlow lays out kernels."""
    name = f"{prefix}_weights_tf_dim_ordering_tf_kernels"
    return files_of(f"{GOOGLE}{folder}/", (f"{name}.h5", f"{name}_notop.h5"), hashes)


def finished_model(
    request: Request,
    images: KerasTensor,
    outputs: KerasTensor,
    files: tuple[WeightFile, WeightFile],
    name: str | None = None,
) -> Functional:
    """The model between images and outputs, with the weights that were asked for.

    Args:
        request: what the caller asked for.
        images: symbolic images.
        outputs: probabilities or features.
        files: weights of ImageNet, with the classifier and without.
        name: of the model, where the caller gave none.
    """
    # A tensor of the caller's may be computed from other inputs.
    inputs = images if request.input_tensor is None else get_source_inputs(images)
    model = Functional(inputs, outputs, name=request.name or name)
    if request.is_imagenet:
        whole, features = files
        model.load_weights((whole if request.include_top else features).fetch())
    elif request.weights is not None:
        model.load_weights(request.weights)
    return model
