"""What `compile` was given, as plain data and back."""

from __future__ import annotations

from typing import Any

from tapegrad.utils.serialization import deserialize, serialize

__all__ = ["compile_again", "describe_compilation"]


def describe_compilation(model: Any) -> dict[str, Any] | None:
    """Return the arguments of a model's `compile` as data.

    A model whose class has a `compile` of its own says them by ``get_compile_config()``; if it does
    not, None.

    Raises
    ------
    TypeError
        If an argument cannot be described, such as a lambda.
    """
    if hasattr(model, "get_compile_config"):
        return model.get_compile_config()
    from tapegrad.training.steps import Steps

    if type(model).compile is not Steps.compile:
        return None
    given = {**model._compile_arguments, "optimizer": model.optimizer}
    return {name: serialize(value, f"compile: {name}") for name, value in given.items()}


def compile_again(model: Any, config: dict[str, Any], source: str) -> None:
    """Compile a model as `describe_compilation` says.

    Raises
    ------
    ValueError
        If the description is none, or names something that is not known here.
    """
    try:
        if hasattr(model, "compile_from_config"):
            model.compile_from_config(config)
        else:
            model.compile(**deserialize(config))
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{source} does not describe how the model is compiled: "
            f"{type(error).__name__}: {error}."
        ) from error
