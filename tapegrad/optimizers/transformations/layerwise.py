"""Rules that look at a variable as a whole: its norm, its rows and columns, its singular values."""

from __future__ import annotations

from tapegrad import ops
from tapegrad._core.variable import Variable
from tapegrad.optimizers.transformations.base import Rule, Settings, Slots, zeros
from tapegrad.optimizers.transformations.checks import checked_epsilon, in_interval, not_negative

__all__ = [
    "Orthogonalize",
    "ScaleByFactoredRms",
    "ScaleByLamb",
    "orthogonalize",
    "scale_by_factored_rms",
    "scale_by_lamb",
]


class ScaleByLamb(Rule):
    """Adam's direction, made as long as the variable that it changes.

    ``u = ‖p‖ / ‖d‖ · d`` for each variable, with Adam's ``d = m̂ / (√v̂ + ε)``, both moments
    corrected for their bias; the ratio is 1 where a norm is 0 (Y. You et al., *Large batch
    optimization for deep learning: training BERT in 76 minutes*, arXiv:1904.00962).

    Parameters
    ----------
    beta_1, beta_2
        The decay of the two moments, in [0, 1).
    epsilon
        ε.

    Raises
    ------
    ValueError
        If a decay lies outside [0, 1), or epsilon is negative.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable([3.0, 4.0])
    >>> optimizer = tg.optimizers.chain(scale_by_lamb(), scale(-0.1))
    >>> optimizer.apply([tg.tensor([1.0, 1.0])], [x])  # a step of length 0.5
    >>> x.numpy().round(3)
    array([2.646, 3.646], dtype=float32)
    """

    reads_parameters = True
    slots = zeros("momentum", "velocity")

    def __init__(self, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7) -> None:
        self.beta_1 = in_interval("Lamb", "beta_1", beta_1)
        self.beta_2 = in_interval("Lamb", "beta_2", beta_2)
        self.epsilon = checked_epsilon("Lamb", epsilon)

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.lamb_update(
            parameters,
            gradients,
            slots["momentum"],
            slots["velocity"],
            by.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            by.count,
            by.weight_decay,
            offsets=by.group.offsets,
        )


class ScaleByFactoredRms(Rule):
    """The rule of `Adafactor`: second moments of a matrix by its rows and columns alone.

    With the mean r of ``g² + ε₁`` over each row, c over each column, both running with the decay
    ``1 - t^d``, and ``v = r c / mean(r)`` (for a variable of fewer than two axes, v itself runs)::

        u = g / √v;  u ← u / max(1, rms(u) / threshold)
        p ← p - max(ε₂, rms(p)) · min(η, 1 / √t) · u

    (N. Shazeer and M. Stern, *Adafactor: adaptive learning rates with sublinear memory cost*,
    arXiv:1804.04235).

    Parameters
    ----------
    beta_2_decay
        d.
    epsilon_1, epsilon_2
        ε₁ and ε₂.
    clip_threshold
        The threshold.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable([[1.0, 1.0], [1.0, 1.0]])
    >>> optimizer = tg.optimizers.chain(scale_by_factored_rms(), scale(-0.5))
    >>> optimizer.apply([tg.tensor([[1.0, 1.0], [1.0, 1.0]])], [x])
    >>> x.numpy()
    array([[0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """

    reads_parameters = True
    slots = zeros("statistics")

    def __init__(
        self,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
    ) -> None:
        self.beta_2_decay = float(beta_2_decay)
        self.epsilon_1 = checked_epsilon("Adafactor", epsilon_1, "epsilon_1")
        self.epsilon_2 = not_negative("Adafactor", "epsilon_2", epsilon_2)
        if not clip_threshold > 0:
            raise ValueError(f"Adafactor: clip_threshold must be above 0, but is {clip_threshold}.")
        self.clip_threshold = float(clip_threshold)

    def slot_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the number of running means of a variable, as a shape."""
        return (ops.adafactor_statistics([shape]),)

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.adafactor_update(
            parameters,
            gradients,
            slots["statistics"],
            by.learning_rate,
            self.beta_2_decay,
            self.epsilon_1,
            self.epsilon_2,
            self.clip_threshold,
            by.count,
            by.weight_decay,
            offsets=by.group.offsets,
            shapes=by.group.shapes,
        )


class Orthogonalize(Rule):
    """The rule of `Muon`: momentum, turned into a matrix whose singular values are near 1.

    ``m ← μ m + g``, and u is ``g + μ m`` (or m, without Nesterov's form) after some steps of
    ``x ← a x + (b A + c A²) x`` with ``A = x xᵀ``, from x divided by its norm (K. Jordan et al.,
    *Muon: an optimizer for hidden layers in neural networks*, 2024). With `rms_rate` r, the
    update is multiplied by r and the root of the longer side (arXiv:2502.16982). It is for
    matrices only.

    Parameters
    ----------
    momentum
        μ.
    nesterov
        Whether to use Nesterov's form.
    steps
        How often the iteration runs.
    coefficients
        a, b and c.
    rms_rate
        r, or None.

    Examples
    --------
    >>> import tapegrad as tg
    >>> from tapegrad.optimizers.transformations import scale
    >>> x = tg.Variable([[0.0, 0.0], [0.0, 0.0]])
    >>> optimizer = tg.optimizers.chain(orthogonalize(rms_rate=None), scale(-1.0))
    >>> optimizer.apply([tg.tensor([[5.0, 0.0], [0.0, 5.0]])], [x])
    >>> abs(x.numpy() + [[1, 0], [0, 1]]).max() < 0.35
    np.True_
    """

    reads_parameters = True
    slots = zeros("momentum")

    def __init__(
        self,
        momentum: float = 0.95,
        nesterov: bool = True,
        steps: int = 5,
        coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        rms_rate: float | None = 0.2,
    ) -> None:
        self.momentum = in_interval("Muon", "momentum", momentum, closed=True)
        self.nesterov = bool(nesterov)
        if steps < 1:
            raise ValueError(f"Muon: ns_steps must be at least 1, but is {steps}.")
        self.steps = int(steps)
        self.a, self.b, self.c = coefficients
        self.rms_rate = rms_rate

    def step(self, parameters: Variable, gradients: Variable, slots: Slots, by: Settings) -> None:
        """Update a buffer of parameters in place."""
        ops.muon_update(
            parameters,
            gradients,
            slots["momentum"],
            by.learning_rate,
            self.momentum,
            by.weight_decay,
            offsets=by.group.offsets,
            shapes=by.group.shapes,
            nesterov=self.nesterov,
            steps=self.steps,
            coefficients=(self.a, self.b, self.c),
            rms_rate=self.rms_rate,
        )


scale_by_lamb = ScaleByLamb
scale_by_factored_rms = ScaleByFactoredRms
orthogonalize = Orthogonalize
