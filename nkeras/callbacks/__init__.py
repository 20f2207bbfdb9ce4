"""Callbacks, as `keras.callbacks` names them."""

from nkeras.callbacks.averages import SwapEMAWeights as SwapEMAWeights
from nkeras.callbacks.backup import BackupAndRestore as BackupAndRestore
from nkeras.callbacks.callback import Callback as Callback
from nkeras.callbacks.callback import LambdaCallback as LambdaCallback
from nkeras.callbacks.callback_list import CallbackList as CallbackList
from nkeras.callbacks.checkpoints import ModelCheckpoint as ModelCheckpoint
from nkeras.callbacks.history import CSVLogger as CSVLogger
from nkeras.callbacks.history import History as History
from nkeras.callbacks.history import ProgbarLogger as ProgbarLogger
from nkeras.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from nkeras.callbacks.monitor import EarlyStopping as EarlyStopping
from nkeras.callbacks.monitor import MonitorCallback as MonitorCallback
from nkeras.callbacks.monitor import ReduceLROnPlateau as ReduceLROnPlateau
from nkeras.callbacks.monitor import TerminateOnNaN as TerminateOnNaN
from nkeras.callbacks.tensorboard import TensorBoard as TensorBoard
from nkeras.callbacks.visualise import Visualise as Visualise
from nkeras.core import missing

missing.explain(__name__)
