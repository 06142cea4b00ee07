"""Recurrent layers, their cells, and what runs layers along an axis of time.

===================  ===========================================================
module               subject
===================  ===========================================================
``rnn``              RNN: any cell, step after step
``_walk``            the loop over time, with masks
``_states``          what cells carry from step to step
``_weighted``        what the three networks below share; the kernels' path
``simple_rnn``       SimpleRNN and its cell
``lstm``             LSTM and its cell
``gru``              GRU and its cell
``_dropout``         masks that stay the same at all steps
``stacked``          several cells as one
``bidirectional``    a layer forwards and one backwards
``time_distributed``  one layer at each step
===================  ===========================================================

SimpleRNN, LSTM and GRU run whole sequences in one kernel if their activations are the usual ones,
and otherwise step by step, as RNN does with their cells; the results are the same.
"""

from tapegrad.layers.recurrent.bidirectional import Bidirectional
from tapegrad.layers.recurrent.gru import GRU, GRUCell
from tapegrad.layers.recurrent.lstm import LSTM, LSTMCell
from tapegrad.layers.recurrent.rnn import RNN
from tapegrad.layers.recurrent.simple_rnn import SimpleRNN, SimpleRNNCell
from tapegrad.layers.recurrent.stacked import StackedRNNCells
from tapegrad.layers.recurrent.time_distributed import TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Bidirectional",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
    "TimeDistributed",
]
