"""Whatever an answer does, the check says so in words."""

import copy
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from attncourse.attention import AdditivePooling2d, SqueezeExcitation
from attncourse.exercises import Exercise, Mistake, exercise
from attncourse.exercises.guard import Guarded


def solve(query: Tensor, key: Tensor) -> Tensor:
    return (query @ key.T).softmax(-1)


def task(*forbidden: Callable, own_work: bool = True) -> Exercise:
    return exercise(
        "guard.test",
        kind="write",
        solution=solve,
        praise="Right.",
        hints=("one", "two"),
        own_work=own_work,
        forbidden=forbidden,
    )(lambda answer: None)


def guarded(answer: Any, *forbidden: Callable, own_work: bool = True) -> Any:
    return Guarded(answer, task(*forbidden, own_work=own_work))


QUERY, KEY = torch.rand(5, 3), torch.rand(7, 3)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("sizes 5 and 7.\n  differ.\n"),
        SystemExit(3),
        AssertionError(),
        GeneratorExit(),
    ],
)
def test_errors_are_said(error: BaseException) -> None:
    def answer(query: Tensor, key: Tensor) -> None:
        raise error

    with pytest.raises(Mistake) as raised:
        guarded(answer)(QUERY, KEY)
    text = str(raised.value)
    assert text.startswith(f"It raised {type(error).__name__}")
    assert "shape (5, 3), a tensor of shape (7, 3)." in text
    assert "\n" not in text
    assert ".." not in text


def test_long_errors_are_cut() -> None:
    def answer(query: Tensor, key: Tensor) -> None:
        raise ValueError("word " * 500)

    with pytest.raises(Mistake) as raised:
        guarded(answer)(QUERY, KEY)
    assert len(str(raised.value)) < 350


def test_endless_recursion_is_said() -> None:
    def answer(query: Tensor, key: Tensor) -> Tensor:
        return answer(query, key)

    with pytest.raises(Mistake, match="RecursionError"):
        guarded(answer)(QUERY, KEY)
    assert sys.getprofile() is None


def test_interrupting_still_works() -> None:
    def answer() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(answer)()


@pytest.mark.parametrize("nothing", [None, ...])
def test_nothing_returned_is_said(nothing: Any) -> None:
    with pytest.raises(Mistake, match="returns nothing yet"):
        guarded(lambda: nothing)()


def test_printing_loops_and_own_grad_mode_are_fine(capsys: Any) -> None:
    def answer(query: Tensor, key: Tensor) -> Tensor:
        print("looking")
        return torch.stack([solve(one[None], key)[0] for one in query])

    with torch.no_grad():
        weights = guarded(answer)(QUERY.clone().requires_grad_(), KEY)
    assert torch.allclose(weights, solve(QUERY, KEY))
    assert weights.requires_grad
    assert capsys.readouterr().out == "looking\n"


def test_arguments_that_come_are_named() -> None:
    with pytest.raises(Mistake) as raised:
        guarded(lambda x: x)(QUERY, KEY)
    assert str(raised.value) == (
        "It takes `(x)`, but is called with `(query, key)`: a tensor of "
        "shape (5, 3), a tensor of shape (7, 3)."
    )


def test_arguments_by_name_are_named() -> None:
    with pytest.raises(Mistake, match=r"takes no arguments.*by name: heads"):
        guarded(lambda: None)(heads=2)


def test_arguments_of_forward_are_named() -> None:
    class Layer(nn.Module):
        def forward(self) -> None: ...

    layer = guarded(Layer)()
    with pytest.raises(Mistake, match=r"takes no arguments, but .*\(5, 3\)"):
        layer(QUERY)


def add_one(x: Tensor) -> Tensor:
    return x.add_(1)


def in_a_list(xs: list[Tensor]) -> Tensor:
    return xs[1].zero_()


def in_a_dict(xs: dict[str, Tensor]) -> Tensor:
    return xs["b"].mul_(2)


def shortened(xs: list[Tensor]) -> Tensor:
    return xs.pop()


@pytest.mark.parametrize(
    ("answer", "given"),
    [
        (add_one, QUERY),
        (in_a_list, [QUERY, KEY]),
        (in_a_dict, {"a": 1, "b": (KEY)}),
        (shortened, [QUERY, KEY]),
    ],
)
def test_changes_in_place_are_said(answer: Callable, given: Any) -> None:
    with pytest.raises(Mistake, match="changes its input in place"):
        guarded(answer)(copy.deepcopy(given))


def test_nan_in_the_input_is_no_change() -> None:
    x = torch.tensor([float("nan"), 1])
    assert guarded(lambda x: x[1])(x) == 1


class Inherits(SqueezeExcitation):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


@pytest.mark.usefixtures("as_shipped")
@pytest.mark.parametrize(
    "answer",
    [
        lambda x: SqueezeExcitation(16)(x),
        lambda x: AdditivePooling2d(16).scores(x),
        Inherits(16),
    ],
)
def test_the_packages_own_layers_are_refused(answer: Callable) -> None:
    x = torch.rand(2, 16, 5, 7)
    with pytest.raises(Mistake, match=r"`attncourse\.\w+\.\w+`, the package"):
        guarded(answer)(x)
    assert guarded(answer, own_work=False)(x) is not None


def test_a_class_that_inherits_is_refused() -> None:
    with pytest.raises(Mistake, match="squeeze_excitation"):
        guarded(Inherits)(16)


def test_importing_the_package_is_no_crime() -> None:
    def answer() -> int:
        from attncourse import viz  # noqa: F401

        return 1

    assert guarded(answer)() == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: F.softmax(x, -1),
        lambda x: torch.softmax(x, -1),
        lambda x: x.softmax(-1),
        lambda x: nn.Softmax(-1)(x),
    ],
)
def test_a_forbidden_function_is_seen_by_any_name(answer: Callable) -> None:
    with pytest.raises(Mistake, match=r"calls torch's `softmax`"):
        guarded(answer, F.softmax)(QUERY)
    assert guarded(lambda x: x.exp(), F.softmax)(QUERY).shape == (5, 3)


def test_fused_attention_is_seen_inside_a_layer() -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True)

    def answer(x: Tensor) -> Tensor:
        return layer(x, x, x)[0]

    x = torch.rand(2, 3, 4)
    fused = F.scaled_dot_product_attention
    for training in (True, False):
        layer.train(training)
        with pytest.raises(Mistake, match=r"multi_?head_attention"):
            guarded(answer, fused)(x)


class Derived(nn.MultiheadAttention):
    pass


@pytest.mark.parametrize("layer", [nn.MultiheadAttention, Derived])
@pytest.mark.parametrize("training", [True, False])
def test_a_forbidden_layer_is_seen(layer: type, training: bool) -> None:
    made = layer(4, 2, batch_first=True).train(training)

    def answer(x: Tensor) -> Tensor:
        return made(x, x, x)[0]

    with pytest.raises(Mistake, match="`MultiheadAttention`"):
        guarded(answer, nn.MultiheadAttention)(torch.rand(2, 3, 4))
    with pytest.raises(Mistake, match="`MultiheadAttention`"):
        guarded(layer, nn.MultiheadAttention, own_work=False)(4, 2)


class Layer(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.query = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.query(x)

    def scores(self, x: Tensor) -> Tensor:
        raise RuntimeError("no scores")


def test_a_layer_shows_its_parameters_and_stays_guarded() -> None:
    layer = guarded(Layer)(3)
    assert sum(p.numel() for p in layer.parameters()) == 12
    assert layer.query.weight.shape == (3, 3)
    assert layer.training
    assert layer.eval() is layer
    assert not layer.training
    assert not hasattr(layer, "key")
    assert repr(layer).startswith("Layer(")
    twin = copy.deepcopy(layer)
    assert torch.equal(twin(QUERY), layer(QUERY))
    with pytest.raises(Mistake, match="RuntimeError: no scores"):
        layer.scores(QUERY)
    with pytest.raises(Mistake, match="It has no `key`"):
        _ = layer.key
    with pytest.raises(Mistake, match=r"RuntimeError: Error.*query\.weight"):
        layer.load_state_dict({})


def test_forgotten_super_is_said() -> None:
    class Forgot(nn.Module):
        def __init__(self) -> None:
            self.score = nn.Linear(3, 1)

    with pytest.raises(Mistake, match="AttributeError"):
        guarded(Forgot)()


def test_default_dtype_is_left_alone() -> None:
    guarded(lambda: torch.set_default_dtype(torch.float64) or 1)()
    assert torch.get_default_dtype() == torch.float32
