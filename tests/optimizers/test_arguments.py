"""Options of every optimizer: what is refused, what is accepted for old listings, descriptions."""

from __future__ import annotations

import numpy as np
import pytest
from optimizer_cases import OPTIMIZERS

import tapegrad as tg
from tapegrad.optimizers import SGD, Adam, AdamW, schedules
from tapegrad.utils.lookup import snake_case

CLASSES = sorted({name for name, _ in OPTIMIZERS.values()})


def make(kind, /, **options):
    return getattr(tg.optimizers, kind)(**options)


@pytest.mark.parametrize("name", CLASSES)
def test_options_of_every_optimizer(name):
    with pytest.raises(
        ValueError, match=f"{name}: only one of clipnorm.*got clipnorm=1.0 and clipvalue=0.5"
    ):
        make(name, clipnorm=1.0, clipvalue=0.5)
    with pytest.raises(ValueError, match=f"{name}: global_clipnorm must be above 0, but is 0"):
        make(name, global_clipnorm=0)
    with pytest.raises(ValueError, match=f"{name}: gradient_accumulation_steps must be a whole"):
        make(name, gradient_accumulation_steps=1)
    with pytest.raises(ValueError, match=r"ema_momentum must lie in \[0, 1\], but is 1.5"):
        make(name, use_ema=True, ema_momentum=1.5)
    with pytest.raises(ValueError, match="ema_overwrite_frequency must be a whole number"):
        make(name, use_ema=True, ema_overwrite_frequency=0)
    with pytest.raises(ValueError, match=f"{name}: loss_scale_factor must be above 0"):
        make(name, loss_scale_factor=0.0)
    with pytest.raises(ValueError, match=f"{name}: weight_decay must not be negative"):
        make(name, weight_decay=-0.1)
    with pytest.raises(ValueError, match=r"decay= is not known .*InverseTimeDecay\(.*0.1\)"):
        make(name, decay=0.1)
    with pytest.raises(TypeError, match=r"unknown argument 'clip_norm'\. Did you mean"):
        make(name, clip_norm=1.0)
    with pytest.raises(TypeError, match="learning_rate must be a number, a schedule or a function"):
        make(name, learning_rate="fast")
    with pytest.raises(ValueError, match="finite and not negative"):
        make(name, learning_rate=-1.0)
    with pytest.warns(DeprecationWarning, match="use learning_rate"):
        assert float(make(name, lr=0.25).learning_rate) == 0.25
    assert make(name).name == snake_case(name)
    assert make(name, name="mine").name == "mine"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_descriptions(name):
    class_name, arguments = OPTIMIZERS[name]
    optimizer = make(class_name, **arguments, clipnorm=2.0, use_ema=True)
    optimizer.learning_rate = 0.125
    config = optimizer.get_config()
    assert config["learning_rate"] == 0.125
    assert config["clipnorm"] == 2.0
    assert "lr" not in config
    again = type(optimizer).from_config(config)
    assert again.get_config() == config
    for spelling in (class_name, class_name.lower(), class_name.upper()):
        assert type(tg.optimizers.get(spelling)) is type(optimizer)
        described = tg.optimizers.get({"class_name": spelling, "config": config})
        assert described.get_config() == config
    assert tg.optimizers.get(type(optimizer)).name == snake_case(class_name)


def test_get():
    with pytest.raises(ValueError, match=r'Unknown optimizer "adamm".*Did you mean "adam"'):
        tg.optimizers.get("adamm")
    with pytest.raises(TypeError, match="not int"):
        tg.optimizers.get(3)
    assert tg.optimizers.get(None) is None


@pytest.mark.parametrize(
    ("make_wrong", "message"),
    [
        (lambda: SGD(momentum=1.5), r"SGD: momentum must lie in \[0, 1\], but is 1.5"),
        (lambda: Adam(beta_1=1.0), r"Adam: beta_1 must lie in \[0, 1\), but is 1.0"),
        (lambda: Adam(epsilon=-1e-7), "Adam: epsilon must not be negative"),
        (lambda: AdamW(weight_decay=None), "AdamW: weight_decay must be a number"),  # type: ignore
        (lambda: make("Nadam", beta_2=-0.1), "Nadam: beta_2"),
        (lambda: make("RMSprop", rho=1.0), "RMSprop: rho"),
        (lambda: make("Adadelta", rho=2.0), "Adadelta: rho"),
        (lambda: make("Adagrad", initial_accumulator_value=-1.0), "Adagrad: initial_accumulator"),
        (lambda: make("Ftrl", learning_rate_power=0.5), "Ftrl: learning_rate_power must not be"),
        (lambda: make("Ftrl", l1_regularization_strength=-1.0), "Ftrl: l1_regularization_strength"),
        (lambda: make("Lion", beta_1=0.0), r"Lion: beta_1 must lie in \(0, 1\]"),
        (lambda: make("Lamb", beta_1=1.0), "Lamb: beta_1"),
        (lambda: make("Adafactor", clip_threshold=0.0), "Adafactor: clip_threshold"),
        (lambda: make("Muon", adam_lr_ratio=0), "Muon: adam_lr_ratio"),
        (lambda: make("Muon", ns_steps=0), "Muon: ns_steps"),
    ],
)
def test_arguments_out_of_range(make_wrong, message):
    with pytest.raises(ValueError, match=message):
        make_wrong()


def test_settings_can_be_changed_while_training():
    x, g = tg.Variable(np.zeros(1)), [tg.tensor(np.ones(1))]
    optimizer = SGD(1.0, momentum=0.5)
    optimizer.apply(g, [x])
    optimizer.momentum = 0.0
    assert optimizer.momentum == 0.0
    optimizer.apply(g, [x])
    np.testing.assert_array_equal(x.numpy(), [-2.0])
    optimizer.weight_decay = 0.5
    optimizer.apply(g, [x])
    np.testing.assert_array_equal(x.numpy(), [-1.0 - 1.0])


def test_settings_of_keras_names_are_those_of_the_rule():
    ftrl = make("Ftrl", l1_regularization_strength=0.5)
    assert (ftrl.l1_regularization_strength, ftrl.l2_regularization_strength) == (0.5, 0.0)
    muon = make("Muon", adam_beta_1=0.8, muon_b=-4.0, ns_steps=3)
    assert (muon.adam_beta_1, muon.muon_b, muon.ns_steps) == (0.8, -4.0, 3)
    muon.adam_beta_1 = 0.7
    assert muon._adam.beta_1 == 0.7


def test_options_that_are_fixed():
    optimizer = Adam(clipnorm=1.0)
    assert (optimizer.clipnorm, optimizer.use_ema) == (1.0, False)
    with pytest.raises(AttributeError, match="Adam: clipnorm is fixed when the optimizer is made"):
        optimizer.clipnorm = 2.0


def test_repr():
    assert repr(Adam(0.25)) == "<Adam learning_rate=0.25>"
    assert repr(SGD(schedules.CosineDecay(0.1, 5))) == "<SGD learning_rate=CosineDecay>"


def test_old_name_of_the_rate_as_an_attribute():
    optimizer = SGD(0.5)
    with pytest.warns(DeprecationWarning, match="use learning_rate"):
        optimizer.lr = 0.25
    with pytest.warns(DeprecationWarning, match="use learning_rate"):
        assert float(optimizer.lr) == 0.25
    assert SGD(0.5, decay=0.0).get_config()["learning_rate"] == 0.5


def test_weight_decay_excludes_variables_given_themselves():
    kernel, bias, scale = (tg.Variable(np.ones(2), name=n) for n in ("kernel", "bias", "scale"))
    optimizer = AdamW(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[scale], var_names=["bias"])
    zero = tg.tensor(np.zeros(2))
    optimizer.apply([zero, zero, zero], [kernel, bias, scale])
    assert [v.numpy()[0] for v in (kernel, bias, scale)] == [0.75, 1.0, 1.0]
    with pytest.raises(ValueError, match="must be called before the first step"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def test_loss_scale():
    optimizer = SGD(1.0, loss_scale_factor=16.0)
    x = tg.Variable(np.full(2, 3.0))
    with tg.Tape() as tape:
        loss = optimizer.scale_loss(tg.ops.sum(x * x) * 0.25)
    optimizer.apply(tape.gradient(loss, [x]), [x])
    np.testing.assert_allclose(x.numpy(), [1.5, 1.5])
    assert SGD().scale_loss(2.0) == 2.0


def test_means_of_unknown_variables_are_refused():
    optimizer = SGD(use_ema=True)
    with pytest.raises(ValueError, match="no running mean of 'x'"):
        optimizer.finalize_variable_values([tg.Variable(1.0, name="x")])
    SGD().finalize_variable_values([tg.Variable(1.0)])


def test_what_a_step_consists_of():
    optimizer = Adam(clipnorm=1.0, gradient_accumulation_steps=2, use_ema=True, loss_scale_factor=2)
    assert [type(part).__name__ for part in optimizer.transformations] == [
        "Scale",
        "AccumulateGradients",
        "ClipByNorm",
        "ScaleByAdam",
        "AverageParameters",
    ]


def test_schedules_in_descriptions():
    optimizer = Adam(schedules.CosineDecay(0.1, 10))
    config = optimizer.get_config()
    assert config["learning_rate"]["class_name"] == "CosineDecay"
    assert Adam.from_config(config).get_config() == config
    with pytest.raises(TypeError, match="learning_rate is a lambda"):
        Adam(lambda: 0.1).get_config()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", ["Adam", "Nadam", "Adamax", "RMSprop", "Adagrad", "Adadelta", "Lamb"]
)
def test_an_epsilon_of_zero_divides_by_no_zero(name, dtype):
    options = {"initial_accumulator_value": 0.0} if name == "Adagrad" else {}
    optimizer = make(name, learning_rate=0.125, epsilon=0.0, **options)
    variables = [tg.Variable(np.ones(size, dtype)) for size in (3, 18)]
    for _ in range(3):
        gradients = [np.ones(3, dtype), np.ones(18, dtype)]
        gradients[0][1] = 0.0
        optimizer.apply([tg.tensor(g) for g in gradients], variables)
    assert variables[0].numpy()[1] == 1.0
    assert np.isfinite(variables[0].numpy()).all()
    assert np.isfinite(variables[1].numpy()).all()
    if name != "Adadelta":  # which begins with no step at all
        assert (variables[1].numpy() < 1.0).all()
