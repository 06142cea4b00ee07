"""The networks behind ``--model``: what each needs, how it is built and trained.

=================  =================================================================
module             subject
=================  =================================================================
``architecture``   what all have in common
``dense``          ``mlp`` and ``linear``: perceptrons with hidden layers and without
``convolutional``  ``cnn``: convolutions over images
``recurrent``      ``rnn``: an LSTM over sequences
``autoencoder``    ``autoencoder``: samples through a narrow code and back
``adversarial``    ``gan``: a generator against a discriminator
``adversary``      the pair of networks that ``gan`` trains, and its steps
``schedule``       number of epochs and learning rate
``catalogue``      the six models by name
=================  =================================================================
"""

from tapegrad._cli.networks.architecture import Architecture
from tapegrad._cli.networks.catalogue import MODELS, Model, rebuilt

__all__ = ["MODELS", "Architecture", "Model", "rebuilt"]
