"""Files of a layer's own beside its weights: what its `save_assets` writes and `load_assets` reads.

Source: https://keras.io/guides/customizing_saving_and_serialization/
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from nkeras.core.errors import short
from nkeras.saving.tree import walk

ASSETS = "assets"
_MAX_FILES = 10_000
_MAX_BYTES = 1 << 32


@contextmanager
def gathered(model: Any) -> Generator[dict[str, Path], None, None]:
    """The files that the layers of a model have beside their weights, until the block ends.

    Args:
        model: model or layer.

    Yields:
        Files by name in the archive, such as `"assets/layers/lookup/words.txt"`.
    """
    owners = [(path, thing) for path, thing in walk(model) if hasattr(thing, "save_assets")]
    if not owners:
        yield {}
        return
    with tempfile.TemporaryDirectory() as root:
        for path, thing in owners:
            inside = Path(root, path)
            inside.mkdir(parents=True, exist_ok=True)
            thing.save_assets(str(inside))
        found = sorted(path for path in Path(root).rglob("*") if path.is_file())
        yield {f"{ASSETS}/{path.relative_to(root).as_posix()}": path for path in found}


def load(model: Any, names: Iterable[str], read: Callable[[str], bytes], source: str) -> None:
    """Give the layers of a model their files, in a folder that is there for this moment.

    Args:
        model: model or layer.
        names: of all members of the archive, or files of the folder.
        read: the content of one.
        source: name of the file, for messages.

    Raises:
        ValueError: there are too many, or they are too large.
    """
    owners = [(path, thing) for path, thing in walk(model) if hasattr(thing, "load_assets")]
    own = [name for name in names if name.startswith(f"{ASSETS}/") and not name.endswith("/")]
    if not owners or not own:
        return
    if len(own) > _MAX_FILES:
        raise ValueError(f"{source}: there are {len(own)} assets, over {_MAX_FILES}.")
    left = _MAX_BYTES
    with tempfile.TemporaryDirectory() as root:
        for name in own:
            parts = PurePosixPath(name).parts
            if ".." in parts or "\\" in name or parts[0] != ASSETS:
                raise ValueError(f"{source}: {short(name)} is no name of an asset.")
            content = read(name)
            left -= len(content)
            if left < 0:
                raise ValueError(f"{source}: the assets have over {_MAX_BYTES} bytes.")
            target = Path(root, *parts[1:])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        for path, thing in owners:
            if Path(root, path).exists():
                thing.load_assets(str(Path(root, path)))
