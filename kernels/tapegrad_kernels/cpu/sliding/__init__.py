"""Windows that slide over images, channels last: the engine of pooling and depthwise convolution.

=============  ==================================================================
module         subject
=============  ==================================================================
``plan``       which elements of the source each window covers, along one axis
``strips``     generators of the inner loops, in vectors of channels
``frame``      what these generators share
``driver``     moves windows over images and calls the strips, on all threads
``images``     arrays in the form that windows need
``taps``       the other direction: a sum over all windows for each of their taps
``terms``      sums of few terms, as parts leave them
=============  ==================================================================

Every output is a combination of the source elements under its window (its taps),
with one of five ways to combine them: a weighted sum, a plain sum, the largest,
the one at a recorded position, or those whose window recorded this very output.
Gradients are of the same form with source and output exchanged, for a plan can
be transposed.
"""
