"""The callback TensorBoard, and what it writes: events, graphs, profiles, embeddings."""

from nkeras.callbacks.tensorboard.callback import TensorBoard as TensorBoard
