"""Models as files that other programs run: `Model.export`."""

from nkeras.core.missing import explain as _explain

__all__: list[str] = []

_explain(__name__)
