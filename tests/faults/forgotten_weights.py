"""Networks stay as they were drawn, and a batch of gradients is divided by the size of the batch."""

from dlcv04 import bases, weights
from dlcv04.visualization import filters

weights.load_vgg16 = lambda model, source: None
bases._fill = lambda model, values: None
filters.root_mean_square = lambda gradient: filters.keras.ops.sqrt(
    filters.keras.ops.mean(filters.keras.ops.square(gradient))
)
