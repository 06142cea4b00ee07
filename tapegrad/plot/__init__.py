"""Figures of a training run, as matplotlib ``Figure`` objects.

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
``network``              the layers of a model and how they are connected
``plot_model``           the same, into a file
``save``                 writes a figure, whole or not at all
=======================  ========================================================
"""

from tapegrad.plot.classification import confusion_matrix, image_predictions, table_predictions
from tapegrad.plot.curves import learning_curves
from tapegrad.plot.network import network, plot_model
from tapegrad.plot.regression import predicted_and_true, residuals
from tapegrad.plot.style import save

__all__ = [
    "confusion_matrix",
    "image_predictions",
    "learning_curves",
    "network",
    "plot_model",
    "predicted_and_true",
    "residuals",
    "save",
    "table_predictions",
]
