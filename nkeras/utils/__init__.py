"""Utilities, as `keras.utils` names them."""

from nkeras.utils.io_utils import disable_interactive_logging as disable_interactive_logging
from nkeras.utils.io_utils import enable_interactive_logging as enable_interactive_logging
from nkeras.utils.io_utils import is_interactive_logging_enabled as is_interactive_logging_enabled
from nkeras.utils.progbar import Progbar as Progbar
