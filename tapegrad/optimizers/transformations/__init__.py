"""Small transformations of gradients, of which all optimizers are made.

``tapegrad.optimizers.chain`` makes an optimizer of them:

>>> import tapegrad as tg
>>> from tapegrad.optimizers import chain
>>> from tapegrad.optimizers.transformations import clip_by_global_norm, scale, scale_by_adam
>>> optimizer = chain(clip_by_global_norm(1.0), scale_by_adam(), scale(-1e-3))
>>> model = tg.Sequential([tg.layers.Dense(1)])
>>> model.compile(optimizer, "mse")

===============  ===================================================================
module           subject
===============  ===================================================================
``clipping``     by value, by norm, by the norm of all variables together
``scaling``      constant factors, schedules, learning rates, weight decay
``momentum``     the gradient, its trace, the sign of that (SGD, Lion)
``moments``      first and second moments (Adam, AMSGrad, Nadam, Adamax)
``squares``      accumulated squares (Adagrad, Adadelta, RMSprop, Ftrl)
``layerwise``    variables as a whole (Lamb, Adafactor, Muon)
``averaging``    gradient accumulation, means of parameters
===============  ===================================================================

Each works on flat buffers, with one kernel for all variables of a dtype.
"""

from tapegrad.optimizers.transformations.averaging import AccumulateGradients, AverageParameters
from tapegrad.optimizers.transformations.base import Rule, Settings, Slots, Transformation
from tapegrad.optimizers.transformations.clipping import (
    ClipByGlobalNorm,
    ClipByNorm,
    ClipByValue,
    clip_by_global_norm,
    clip_by_norm,
    clip_by_value,
)
from tapegrad.optimizers.transformations.layerwise import (
    Orthogonalize,
    ScaleByFactoredRms,
    ScaleByLamb,
    orthogonalize,
    scale_by_factored_rms,
    scale_by_lamb,
)
from tapegrad.optimizers.transformations.moments import (
    ScaleByAdam,
    ScaleByAdamax,
    ScaleByNadam,
    scale_by_adam,
    scale_by_adamax,
    scale_by_nadam,
)
from tapegrad.optimizers.transformations.momentum import (
    Identity,
    ScaleByLion,
    Trace,
    identity,
    scale_by_lion,
    trace,
)
from tapegrad.optimizers.transformations.scaling import (
    AddDecayedWeights,
    Scale,
    ScaleByLearningRate,
    ScaleBySchedule,
    add_decayed_weights,
    scale,
    scale_by_learning_rate,
    scale_by_schedule,
)
from tapegrad.optimizers.transformations.squares import (
    FollowRegularizedLeader,
    ScaleByAdadelta,
    ScaleByAdagrad,
    ScaleByRms,
    follow_regularized_leader,
    scale_by_adadelta,
    scale_by_adagrad,
    scale_by_rms,
)

__all__ = [
    "Transformation",
    "Rule",
    "Settings",
    "Slots",
    "ClipByValue",
    "ClipByNorm",
    "ClipByGlobalNorm",
    "clip_by_value",
    "clip_by_norm",
    "clip_by_global_norm",
    "Scale",
    "ScaleBySchedule",
    "ScaleByLearningRate",
    "AddDecayedWeights",
    "scale",
    "scale_by_schedule",
    "scale_by_learning_rate",
    "add_decayed_weights",
    "Identity",
    "Trace",
    "ScaleByLion",
    "identity",
    "trace",
    "scale_by_lion",
    "ScaleByAdam",
    "ScaleByNadam",
    "ScaleByAdamax",
    "scale_by_adam",
    "scale_by_nadam",
    "scale_by_adamax",
    "ScaleByAdagrad",
    "ScaleByAdadelta",
    "ScaleByRms",
    "FollowRegularizedLeader",
    "scale_by_adagrad",
    "scale_by_adadelta",
    "scale_by_rms",
    "follow_regularized_leader",
    "ScaleByLamb",
    "ScaleByFactoredRms",
    "Orthogonalize",
    "scale_by_lamb",
    "scale_by_factored_rms",
    "orthogonalize",
    "AccumulateGradients",
    "AverageParameters",
]
