"""The figures of a training run: computed, printed, drawn; a module a task.

==================  =========================================================
module              subject
==================  =========================================================
``report``          how one is made: ``report.json``, text, learning curves
``base``            what the reports of all tasks offer
``classification``  accuracy, precision, recall and F1 by class
``regression``      errors of predicted numbers
``reconstruction``  what an autoencoder brings back, and its codes
``generation``      what a generator makes, beside real samples
==================  =========================================================
"""
