"""Figures of data, models and training runs, as matplotlib ``Figure`` objects.

No figure touches ``pyplot``: no window opens, no figure is kept alive behind the
caller's back, and a machine without a display will do.

=======================  ========================================================
function                 what it shows
=======================  ========================================================
``learning_curves``      loss and metrics by epoch
``confusion_matrix``     which classes are taken for which
``image_predictions``    images with predicted and true classes
``table_predictions``    how sure a classifier is of samples from a table
``predicted_and_true``   predicted against true numbers
``residuals``            errors of predicted numbers
``distributions``        histograms of features in two sets of samples
``forecast``             a series, forecasts of its end, and their errors
``image_grid``           images side by side: samples, reconstructions
``filters``              the weights of a convolution
``feature_maps``         what the layers make of one image
``latent_space``         the codes of samples, as points in a plane
``network``              the layers of a model and how they are connected
``plot_model``           the same, into a file
``program``              the operations of a recorded program
``memory``               what lies in its memory, and how long
``save``                 writes a figure, whole or not at all
=======================  ========================================================
"""

from tapegrad.plot.classification import confusion_matrix, image_predictions, table_predictions
from tapegrad.plot.curves import learning_curves
from tapegrad.plot.distributions import distributions
from tapegrad.plot.images import feature_maps, filters, image_grid
from tapegrad.plot.latent import latent_space
from tapegrad.plot.memory import memory
from tapegrad.plot.network import network, plot_model
from tapegrad.plot.program import program
from tapegrad.plot.regression import predicted_and_true, residuals
from tapegrad.plot.series import forecast
from tapegrad.plot.style import save

__all__ = [
    "confusion_matrix",
    "distributions",
    "feature_maps",
    "filters",
    "forecast",
    "image_grid",
    "image_predictions",
    "latent_space",
    "learning_curves",
    "memory",
    "network",
    "plot_model",
    "predicted_and_true",
    "program",
    "residuals",
    "save",
    "table_predictions",
]
