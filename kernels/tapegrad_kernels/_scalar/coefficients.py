"""Constants of the shared scalar functions.

The polynomials are minimax fits (Remez' algorithm in 50 digits), highest power
first. The largest error of each stands beside it: relative to the function that
is computed from it, before rounding.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Coefficients:
    """Polynomials and split constants for one real type."""

    exp: tuple[float, ...]
    """``(e**r - 1 - r) / r**2`` for ``|r| <= log(2) / 2``."""
    log: tuple[float, ...]
    """``(log((1 + s) / (1 - s)) - 2 s) / s**3`` in ``s**2``, ``|s| <= 3 - 2 sqrt(2)``."""
    normal_tail: tuple[float, ...]
    """``((a + k) exp(a**2 / 2) (1 - Phi(a)) - k / 2) / (t + 1)`` in ``t = (a - k) / (a + k)``,
    with ``k = normal_tail_shift`` and the standard normal distribution function ``Phi``."""
    gelu_tail: tuple[float, ...]
    """``(a + k) exp(a**2 / 2 * log(2) / L) (1 - Phi(a))`` in ``a / (a + k) - m``, with
    ``L = gelu_log2``, ``k = gelu_tail_shift`` and ``m = gelu_tail_middle``. The leading
    coefficient is a power of two, by which the others can be divided exactly. Of float32
    alone."""
    gelu_log2: float
    """log(2) cut so short that its product with an exponent is exact, for `gelu_tail`."""
    gelu_tail_largest: float
    """As `gelu_largest`, but exp of half its square is below ``2**150``."""
    erf: tuple[float, ...]
    """``erf(x) / x`` in ``x**2`` for ``|x| <= 1``."""
    sine: tuple[float, ...]
    """``sin(2 pi t) / t`` in ``t**2`` for ``|t| <= 1 / 8``."""
    cosine: tuple[float, ...]
    """``cos(2 pi t)`` in ``t**2`` for ``|t| <= 1 / 8``."""
    log2_high: float
    """log(2) cut so short that its product with an exponent is exact."""
    log2_low: float
    """log(2) less `log2_high`."""
    normal_tail_shift: float
    """Where the variable of `normal_tail` is zero."""
    gelu_tail_shift: float
    """Where the quotient in the variable of `gelu_tail` is one half."""
    gelu_tail_middle: float
    """Middle of the range of that quotient."""
    exp_lowest: float
    """exp of anything less rounds to zero."""
    exp_highest: float
    """exp of this overflows."""
    sigmoid_largest: float
    """sigmoid from here on rounds to one, and rounds to zero below its negative."""
    tanh_largest: float
    """tanh from here on rounds to one."""
    erf_largest: float
    """erf from here on rounds to one."""
    gelu_largest: float
    """gelu of anything less than its negative rounds to zero."""
    gelu_tanh_largest: float
    """The same for its approximation by tanh, whose cubic makes it vanish earlier."""
    gelu_linear: tuple[float, float]
    """``2 sqrt(2 / pi)`` as a sum of two numbers of the type."""
    gelu_cubic: tuple[float, float]
    """``0.044715`` times that."""


FLOAT32 = Coefficients(
    exp=(  # 1.3e-8
        0.001394615259,
        0.008366580016,
        0.04166628635,
        0.1666654306,
        0.5000000061,
    ),
    log=(  # 8.1e-10
        0.2987305968,
        0.3997749618,
        0.6666677671,
    ),
    normal_tail=(  # 2.57e-8
        -7.61443591e-05,
        0.0001043680845,
        0.000617215807,
        0.0002700839143,
        -0.002158044922,
        -0.004594845767,
        0.00411076936,
        0.0326110511,
        -0.003812567092,
        -0.3275920084,
    ),
    gelu_tail=(  # 3.95e-8
        0.0625,
        0.2807638431,
        -0.3133923521,
        -0.4816631889,
        1.720774396,
        -2.538586236,
        2.474223566,
        -1.762536148,
        0.9457794458,
    ),
    erf=(  # 1.2e-9
        7.853849828e-05,
        -0.0008010202699,
        0.005188330483,
        -0.02685381458,
        0.1128358525,
        -0.3761262584,
        1.128379166,
    ),
    sine=(  # 3.2e-9
        -75.39356658,
        81.59235403,
        -41.34166146,
        6.283185287,
    ),
    cosine=(  # 5.6e-11
        59.20290475,
        -85.44230427,
        64.93931085,
        -19.73920863,
        0.9999999999,
    ),
    log2_high=0.693359375,
    log2_low=-2.1219444005469057e-4,
    normal_tail_shift=2.0,
    gelu_tail_shift=4.25,
    gelu_tail_middle=0.375,
    gelu_log2=0.693145751953125,
    gelu_tail_largest=14.4,
    exp_lowest=-104.0,
    exp_highest=89.0,
    sigmoid_largest=150.0,
    tanh_largest=10.0,
    erf_largest=4.0,
    gelu_largest=15.0,
    gelu_tanh_largest=11.0,
    gelu_linear=(1.5957691669464111, -4.534068042105272e-08),
    gelu_cubic=(0.07135481387376785, 2.3988323959931355e-09),
)

FLOAT64 = Coefficients(
    exp=(  # 1.8e-17
        2.5114539407720777e-08,
        2.7626327372273507e-07,
        2.755722772611941e-06,
        2.4801504444383795e-05,
        0.0001984126990330672,
        0.0013888888932379205,
        0.008333333333314456,
        0.04166666666657363,
        0.16666666666666685,
        0.5000000000000006,
    ),
    log=(  # 1.5e-18
        0.14762735781851932,
        0.15317641371929072,
        0.18183410581386375,
        0.22222201870712802,
        0.28571428705643254,
        0.39999999999611396,
        0.6666666666666696,
    ),
    normal_tail=(  # 1.41e-18
        -6.72249927443517e-10,
        -1.7452726561013766e-09,
        3.5081786711971006e-09,
        1.5724345208550354e-08,
        -2.280391657465487e-09,
        -8.250671192049087e-08,
        -7.251165183257277e-08,
        3.4374979012642387e-07,
        6.777685161721324e-07,
        -1.3071426071007593e-06,
        -4.612987519996387e-06,
        5.329535131395402e-06,
        2.9815131620057387e-05,
        -3.172336183288771e-05,
        -0.00019937156868052514,
        0.00033271587686293597,
        0.001298102580096746,
        -0.004777794947118862,
        -0.0027623940195632044,
        0.06315896891048291,
        -0.24968082687014156,
        0.6368182276123564,
        -1.2447148695842485,
    ),
    gelu_tail=(),
    erf=(  # 7.3e-18
        -7.779462971761597e-10,
        1.3710988704190523e-08,
        -1.6206318752969208e-07,
        1.6447132699786621e-06,
        -1.4924712439534814e-05,
        0.0001205529358693695,
        -0.0008548325929766244,
        0.005223977606130842,
        -0.026866170643113415,
        0.112837916709442,
        -0.3761263890318352,
        1.1283791670955126,
    ),
    sine=(  # 1.9e-21
        -0.7116149808473227,
        3.819786980475875,
        -15.094640379389729,
        42.05869392872755,
        -76.7058597529967,
        81.60524927607493,
        -41.34170224039976,
        6.283185307179586,
    ),
    cosine=(  # 3.6e-20
        -1.6966628667548453,
        7.903081473251635,
        -26.426250688925556,
        60.24464132652365,
        -85.45681720650987,
        64.93939402266793,
        -19.739208802178716,
        1.0,
    ),
    log2_high=0.6931471803691238,
    log2_low=1.9082149292705877e-10,
    normal_tail_shift=4.0,
    gelu_tail_shift=0.0,
    gelu_tail_middle=0.0,
    gelu_log2=0.0,
    gelu_tail_largest=0.0,
    exp_lowest=-746.0,
    exp_highest=710.0,
    sigmoid_largest=1000.0,
    tanh_largest=20.0,
    erf_largest=6.0,
    gelu_largest=39.0,
    gelu_tanh_largest=22.0,
    gelu_linear=(1.5957691216057308, -9.96930880911092e-17),
    gelu_cubic=(0.07135481627260025, -6.175149918155315e-19),
)

BY_NAME = {"float32": FLOAT32, "float64": FLOAT64}
"""The constants of each real type, by NumPy's name."""
