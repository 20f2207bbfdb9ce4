"""Messages to the user: to the terminal, or to `logging` where nobody watches a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

_logger = logging.getLogger("nkeras")
_interactive = True

# For terminals that cannot show box drawing, such as a Windows console with a legacy code page.
_PLAIN = {
    **dict.fromkeys("┃│", "|"),
    **dict.fromkeys("━═", "="),
    **dict.fromkeys("┏┳┓┡╇┩├┼┤┴┘", "+"),
    **{"─": "-", "…": "~", "└": "`"},
}


def enable_interactive_logging() -> None:
    """Write messages and progress bars to standard output; this is the default.

    Example:
        >>> enable_interactive_logging()
        >>> is_interactive_logging_enabled()
        True
    """
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """Send messages to the logger `nkeras` at level INFO, as a server wants it.

    Progress bars then log one line at the end of each epoch.

    Example:
        >>> disable_interactive_logging()
        >>> is_interactive_logging_enabled()
        False
        >>> enable_interactive_logging()
    """
    global _interactive
    _interactive = False


def is_interactive_logging_enabled() -> bool:
    """Say whether messages go to standard output rather than to `logging`.

    Returns:
        True or False.

    Example:
        >>> is_interactive_logging_enabled()
        True
    """
    return _interactive


def print_msg(message: object, line_break: bool = True) -> None:
    """Show a message where `enable_interactive_logging` and its opposite say.

    Args:
        message: what to show; `str` is applied.
        line_break: whether to end the line; a log record is a line in any case.

    Example:
        >>> print_msg("3 layers")
        3 layers
    """
    text = str(message)
    if not _interactive:
        _logger.info("%s", text.rstrip("\n"))
        return
    if line_break:
        text += "\n"
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        for character, plain in _PLAIN.items():
            text = text.replace(character, plain)
        sys.stdout.write(text.encode(encoding, errors="replace").decode(encoding))
    sys.stdout.flush()


def print_rich(text: str, html: Callable[[], str]) -> None:
    """Show a text, and in notebooks HTML that says the same; the text ends its own line.

    Where standard output goes elsewhere than to a notebook, as to a file, the text goes there.

    Args:
        text: what to show.
        html: makes the HTML.

    Example:
        >>> print_rich("3 layers", lambda: "<b>3 layers</b>")
        3 layers
    """
    if not (_interactive and type(sys.stdout).__module__ == "ipykernel.iostream"):
        print_msg(text, line_break=False)
        return
    display: Any = import_module("IPython.display").display
    display({"text/plain": text, "text/html": html()}, raw=True)
