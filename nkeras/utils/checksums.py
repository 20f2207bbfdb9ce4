"""SHA-256 and MD5 of files, and what they must be."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import Any

from nkeras.core.errors import short

_DIGITS = {"sha256": 64, "md5": 32}


@dataclass(frozen=True)
class Checksum:
    """What the hash of a file must be: `"sha256"` or `"md5"`, and its hexadecimal digits."""

    algorithm: str
    digits: str

    def new(self) -> Any:
        """A fresh hash, to be updated with the bytes of a file."""
        return hashlib.new(self.algorithm, usedforsecurity=False)

    def of_file(self, path: str | os.PathLike[str]) -> str:
        """The digits of a file."""
        found = self.new()
        with open(path, "rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
        return found.hexdigest()

    def difference(self, digits: str) -> str:
        """What to say of a file that has other digits."""
        return (
            f"Incomplete or corrupted file detected: its {self.algorithm} is {digits[:16]}..., "
            f"not {self.digits[:16]}..."
        )


def as_checksum(file_hash: object, algorithm: object) -> Checksum | None:
    """The arguments `file_hash` and `hash_algorithm` of `get_file`.

    Args:
        file_hash: 64 (SHA-256) or 32 (MD5) hexadecimal digits, or None.
        algorithm: `"sha256"`, `"md5"`, or `"auto"` for what the number of digits says.

    Raises:
        ValueError: they are something else.
    """
    if algorithm not in ("auto", *_DIGITS):
        raise ValueError(
            'get_file(): argument `hash_algorithm` must be "auto", "sha256" or "md5". '
            f"Received: {short(algorithm)}"
        )
    if file_hash is None:
        return None
    digits = file_hash.strip().lower() if isinstance(file_hash, str) else ""
    for name, length in _DIGITS.items():
        if algorithm in ("auto", name) and re.fullmatch(f"[0-9a-f]{{{length}}}", digits):
            return Checksum(name, digits)
    expected = " or ".join(
        f"{length} ({name})" for name, length in _DIGITS.items() if algorithm in ("auto", name)
    )
    raise ValueError(
        f"get_file(): argument `file_hash` must be hexadecimal digits, {expected}. "
        f"Received: {short(file_hash)}"
    )
