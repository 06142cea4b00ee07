"""Recurrent networks over whole sequences: one call runs all steps, forward or backward.

==================  ===========================================================
module              subject
==================  ===========================================================
``lstm``            long short-term memory
``gru``             gated recurrent unit
``simple_rnn``      a dense layer over the input and its own output
``_call``           checks, sizes and scratch memory of a call
``_record``         what a kernel is told
``_*_kernels``      the walks over time
``_rows``           what these share
``_products``       products with the recurrent weights
``_formulas``       the cells' arithmetic
``_loops``          vector loops around the formulas
``_gradients``      gradients by the weights
==================  ===========================================================

A call first multiplies the inputs of all steps with their weights in one product. The batch is
then cut into pieces, each of which runs through its whole sequence alone, so that threads wait
for each other once a call and never at a step. The recurrent weights are packed once. Going
back, the gradients by the weights are products over all steps at the end.

Where the weights of a gated network fit the caches, its walk over time also multiplies with W, some
steps ahead, so that the gates are still in the caches when they are needed next; and so does an
LSTM's walk back, at each step.
"""

from tapegrad_kernels.cpu.recurrent.gru import gru_backward, gru_forward
from tapegrad_kernels.cpu.recurrent.lstm import lstm_backward, lstm_forward
from tapegrad_kernels.cpu.recurrent.simple_rnn import simple_rnn_backward, simple_rnn_forward

__all__ = [
    "gru_backward",
    "gru_forward",
    "lstm_backward",
    "lstm_forward",
    "simple_rnn_backward",
    "simple_rnn_forward",
]
