"""Follow attention weights through every operation of a forward pass.

Whatever a module calls (`F.softmax`, an `nn.Softmax`, torch's fused
attention, an exponential over its sum), it ends in a few ATen operations.
The tracer sees all of them. For each tensor it keeps the few facts that
the probes ask for.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass, replace
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def words_of(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


SHAPING = words_of("""
    _reshape_alias _to_copy _unsafe_view alias as_strided clone contiguous
    detach diagonal expand flip gather im2col index index_select
    lift_fresh movedim narrow permute pixel_shuffle pixel_unshuffle repeat
    reshape roll select slice split split_with_sizes squeeze t transpose
    unbind unfold unsqueeze view
""")
SCALING = {"mul", "mul_", "div", "div_", "true_divide"}
KEEPING = words_of("""
    add add_ sub sub_ masked_fill masked_fill_ where clamp clamp_min
    clamp_max constant_pad_nd cat stack dropout native_dropout
""")
SOFTMAX = {"_softmax", "_safe_softmax", "softmax"}
REDUCING = {"sum", "mean"}
FUSED = "_scaled_dot_product"


@dataclass
class Product:
    """A matrix product of two tensors that both depend on the input."""

    values: Tensor
    width: int  # numbers in each dot product
    norms: tuple[float, float]  # of the vectors: mean and spread
    used_as_weights: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the products."""
        return tuple(self.values.shape)


@dataclass
class Use:
    """Weights that were multiplied with values and summed.

    ``total`` is what the values were multiplied with altogether: one
    everywhere if the weights are shares. ``across`` is the total had the
    sum run over the other axis of a matrix of weights. ``whole`` says that
    no weight was lost or added between the softmax and the sum.
    """

    total: Tensor
    whole: bool
    across: Tensor | None = None
    averaged_over: int = 1  # positions, where a mean stands for the sum


@dataclass
class Normalisation:
    """A softmax: over which axis of which scores, and what came of it."""

    scores: Tensor
    dims: tuple[int, ...]
    weights: Tensor
    product: Product | None
    factor: float
    learned_factor: bool
    repeated: bool  # a softmax of weights that were normalised before
    by_hand: bool = False
    uses: list[Use] = field(default_factory=list)


@dataclass
class Fact:
    """What is known of one tensor."""

    of_input: bool = False
    factor: float = 1.0  # scalars it was multiplied with since it was made
    learned_factor: bool = False
    product: Product | None = None
    weights: Normalisation | None = None
    source: Normalisation | None = None  # whose weights are in it
    mass: Tensor | None = None  # weights times values: the weights alone
    whole: bool = True
    use: Use | None = None
    exponential: Tensor | None = None


@dataclass
class Step:
    """An operation, for finding results that nobody used."""

    name: str
    outputs: tuple[int, ...]
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    of_input: bool
    needed: bool
    along: int = 0  # size of the axis that it cuts, joins or looks along


@dataclass
class Grid:
    """Positions at which a map was read."""

    at: Tensor
    corners: bool


@dataclass
class Trace:
    """What one forward pass did."""

    outputs: list[Tensor] = field(default_factory=list)
    normalisations: list[Normalisation] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    gates: list[Tensor] = field(default_factory=list)
    dropouts: int = 0
    steps: list[Step] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    grid_corners: list[bool] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)  # or ids were given anew

    @property
    def unused(self) -> list[Step]:
        """Steps whose results reach neither an output nor a decision."""
        live = {_storage(output) for output in self.outputs}
        dead = []
        for step in reversed(self.steps):
            if step.needed or live & set(step.outputs):
                live |= set(step.inputs)
            elif step.of_input and step.name not in SHAPING:
                dead.append(step)
        return dead[::-1]


def _along(name: str, args: Any, kwargs: Any, outputs: list[Tensor]) -> int:
    """The size of the axis along which positions are told apart."""
    if name == "convolution":
        kernel = args[1].shape[2:]
        return 0 if max(kernel, default=1) == 1 else max(kernel)
    if name not in {"select", "slice", "split", "split_with_sizes", "unbind"}:
        return 0
    value = args[0]
    place = {"split": 2, "split_with_sizes": 2}.get(name, 1)
    dim = kwargs.get("dim", args[place] if len(args) > place else 0)
    whole = any(output.shape == value.shape for output in outputs)
    return 0 if whole or not value.ndim else int(value.shape[dim])


def _attend(given: dict[str, Any]) -> Tensor:
    """What a fused attention computes, in steps that can be seen."""
    query, key, value = (given[name] for name in ("query", "key", "value"))
    if query.ndim == 4 and query.shape[1] != key.shape[1]:
        groups = query.shape[1] // key.shape[1]
        key, value = (t.repeat_interleave(groups, 1) for t in (key, value))
    scale = given.get("scale")
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.mT * scale
    mask = given.get("attn_mask", given.get("attn_bias"))
    if given.get("is_causal"):
        mask = scores.new_ones(scores.shape[-2:], dtype=torch.bool).tril()
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, -torch.inf)
    elif mask is not None:
        scores = scores + mask
    return scores.softmax(-1).nan_to_num() @ value


def axes_that_sum_to_one(weights: Tensor) -> tuple[int, ...]:
    """The smallest set of axes over which all sums are one, or none."""
    wide = [axis for axis, size in enumerate(weights.shape) if size > 1]
    for count in (1, 2, 3):
        for axes in combinations(wide, count):
            if is_one(weights.sum(axes)):
                return axes
    return ()


def is_one(totals: Tensor) -> bool:
    """Whether every entry is one, up to rounding."""
    tolerance = 1e-6 if totals.dtype == torch.float64 else 1e-2
    return bool(((totals - 1).abs() < tolerance).all())


def _storage(tensor: Tensor) -> int:
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):
        return id(tensor)


def flat(output: Any) -> list[Tensor]:
    """All tensors of an output, in order."""
    found: list[Tensor] = []
    for leaf in tree_leaves(output):
        if isinstance(leaf, Tensor):
            found.append(leaf)
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            found += flat(list(vars(leaf).values()))
    return found


class Watching(TorchDispatchMode):
    """A dispatch mode that does without the import of torch's compiler.

    torch 2.15 imports ``torch._dynamo`` (seconds) for each subclass that
    does not say that the compiler need not skip it.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class Tracer(Watching):
    """Keep a `Trace` of what runs inside."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.trace = Trace()
        self.facts: dict[int, Fact] = {}
        self.kept = self.trace.kept
        self.inside = 0  # a fused attention that is computed in steps
        self.kept.append(list(inputs))
        for tensor in inputs:
            self.facts[id(tensor)] = Fact(of_input=True)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name.startswith(FUSED) and "backward" not in name:
            return self._in_steps(func, args, kwargs)
        if self.inside:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        before = [_storage(tensor) for tensor in flat((args, kwargs))]
        out = func(*args, **kwargs)
        outputs = flat(out)
        self.kept.append((args, kwargs, out))
        facts = [self.fact(tensor) for tensor in flat((args, kwargs))]
        self._step(name, before, outputs, facts)
        self.trace.steps[-1].along = _along(name, args, kwargs, outputs)
        if name.startswith("grid_sampler"):
            self.trace.grids.append(Grid(args[1].clone(), bool(args[4])))
        elif name == "affine_grid_generator":
            self.trace.grid_corners.append(bool(args[2]))
        rule: Callable[..., None] = getattr(self, f"_{self._rule(name)}")
        try:
            rule(func, args, kwargs, outputs, facts)
        except (AttributeError, LookupError, TypeError, ValueError):
            # An overload with other arguments: nothing is known of it.
            self._other(func, args, kwargs, outputs, facts)
        return out

    def _in_steps(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A fused attention that the module chose itself, step by step."""
        out = func(*args, **kwargs)
        names = [argument.name for argument in func._schema.arguments]
        given = dict(zip(names, args, strict=False)) | kwargs
        self.inside += 1
        with self:
            seen = _attend(given)
        self.inside -= 1
        self.kept.append(out)
        return (seen.to(out[0].dtype), *out[1:])

    def fact(self, value: Any) -> Fact:
        """What is known of a tensor; nothing of anything else."""
        return self.facts.get(id(value), Fact())

    @staticmethod
    def _rule(name: str) -> str:
        groups = {
            "shaping": SHAPING,
            "scaling": SCALING,
            "keeping": KEEPING,
            "softmax": SOFTMAX,
            "reducing": REDUCING,
            "matrix": {"bmm", "mm", "baddbmm", "addmm", "baddbmm_"},
            "exponential": {"exp", "exp_"},
            "product_added": {"addcmul"},
            "gate": {"sigmoid", "sigmoid_", "hardsigmoid", "hardsigmoid_"},
        }
        for rule, names in groups.items():
            if name in names:
                return rule
        return "other"

    def _step(
        self,
        name: str,
        before: list[int],
        outputs: list[Tensor],
        facts: list[Fact],
    ) -> None:
        after = [_storage(tensor) for tensor in outputs]
        in_place = name.endswith("_") and not name.startswith("_")
        if name in {"bernoulli_", "native_dropout", "bernoulli"}:
            self.trace.dropouts += 1
        decides = not outputs or name == "_local_scalar_dense"
        self.trace.steps.append(
            Step(
                name,
                tuple(after),
                tuple(before),
                tuple(outputs[0].shape) if outputs else (),
                any(fact.of_input for fact in facts)
                and not any(fact.weights for fact in facts)
                and not in_place
                and any(o.is_floating_point() for o in outputs),
                decides,
            )
        )

    def _set(self, outputs: list[Tensor], fact: Fact) -> None:
        for output in outputs:
            self.facts[id(output)] = fact

    def _other(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        self._set(outputs, Fact(any(fact.of_input for fact in facts)))

    def _shaping(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        fact = self.fact(args[0])
        masses: list[Tensor | None] = [None] * len(outputs)
        if fact.mass is not None and isinstance(args[0], Tensor):
            full = fact.mass.expand(args[0].shape)
            masses = list(flat(func(full, *args[1:], **kwargs)))
        for output, mass in zip(outputs, masses, strict=True):
            self.facts[id(output)] = replace(fact, mass=mass)

    def _scaling(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        divides = func.overloadpacket.__name__ not in {"mul", "mul_"}
        left, right = args[:2]
        if self._is_scalar(left) and not divides:
            left, right = right, left
        fact = self.fact(left)
        if self._is_scalar(right):
            number = float(right)
            if divides:
                number = 1 / number if number else math.inf
            mass = None if fact.mass is None else fact.mass * number
            self._set(
                outputs,
                replace(fact, factor=fact.factor * number, mass=mass),
            )
            return
        other = self.fact(right)
        if divides and self._manual_softmax(left, right, outputs):
            return
        if not fact.weights:
            left, right, fact, other = right, left, other, fact
        if divides or not fact.weights:
            self._weigh_products(left, right, outputs)
            return
        if _is_mask(right):
            self._set(outputs, fact)
            return
        shape = outputs[0].shape
        self._set(
            outputs,
            Fact(
                True,
                source=fact.weights,
                mass=left.expand(shape),
                whole=_whole(left, fact.weights),
            ),
        )

    def _weigh_products(
        self, left: Any, right: Any, outputs: list[Tensor]
    ) -> None:
        """A product with something that is neither scalar nor weights."""
        fact, other = self.fact(left), self.fact(right)
        if other.product and not fact.product:
            fact, other = other, fact
        kept = fact if fact.product and not other.of_input else Fact()
        self._set(
            outputs,
            replace(
                kept,
                of_input=fact.of_input or other.of_input,
                learned_factor=True,
            ),
        )

    def _is_scalar(self, value: Any) -> bool:
        """A plain number, or a constant that is no parameter."""
        if isinstance(value, Tensor):
            return (
                value.ndim == 0
                and not isinstance(value, nn.Parameter)
                and not self.fact(value).of_input
            )
        return isinstance(value, int | float)

    def _keeping(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        """Additions and masks leave scores scores and weights weights."""
        known = [
            fact
            for fact in facts
            if fact.product or fact.weights or fact.exponential is not None
        ]
        base = known[0] if known else Fact()
        of_input = any(fact.of_input for fact in facts)
        self._set(outputs, replace(base, of_input=of_input, mass=None))
        if func.overloadpacket.__name__ in {"add", "add_"}:
            self._added(args, outputs[0])

    def _added(self, args: Any, output: Tensor) -> None:
        """Weighted values that are added up one by one."""
        left, right = (self.fact(value) for value in args[:2])
        if left.mass is None:
            left, right, args = right, left, (args[1], args[0])
        if left.mass is None or left.source is None:
            return
        if not isinstance(args[1], Tensor):
            self.facts[id(output)] = left
        elif right.mass is not None and right.source is left.source:
            total = left.mass + right.mass
            use = left.use or right.use or Use(total, whole=True)
            use.total = total
            if not any(use is other for other in left.source.uses):
                left.source.uses.append(use)
            self.facts[id(output)] = replace(left, mass=total, use=use)

    def _product_added(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        """`addcmul`, as a product and a sum."""
        if kwargs.get("value", 1) != 1:
            self._other(func, args, kwargs, outputs, facts)
            return
        added, left, right = args
        mul, add = torch.ops.aten.mul.Tensor, torch.ops.aten.add.Tensor
        product = left * right
        self.kept.append(product)
        self._scaling(mul, (left, right), {}, [product], facts[1:])
        facts = [self.fact(added), self.fact(product)]
        self._keeping(add, (added, product), {}, outputs, facts)

    def _softmax(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        scores = args[0]
        dim = kwargs.get("dim", args[1] if len(args) > 1 else -1)
        self._normalised(scores, (dim % max(scores.ndim, 1),), outputs)

    def _normalised(
        self,
        scores: Tensor,
        dims: tuple[int, ...],
        outputs: list[Tensor],
        *,
        by_hand: bool = False,
    ) -> None:
        fact = self.fact(scores)
        event = Normalisation(
            scores.clone(),
            dims,
            outputs[0].clone(),
            fact.product,
            fact.factor,
            fact.learned_factor,
            fact.weights is not None,
            by_hand,
        )
        if fact.of_input:
            self.trace.normalisations.append(event)
        self._set(outputs, Fact(fact.of_input, weights=event))

    def _exponential(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        fact = self.fact(args[0])
        scores = args[0]
        if scores is outputs[0]:
            scores = outputs[0].log()
            self.facts[id(scores)] = fact
            self.kept.append(scores)
        self._set(outputs, replace(fact, exponential=scores))

    def _manual_softmax(
        self, left: Any, right: Any, outputs: list[Tensor]
    ) -> bool:
        """Exponentials over their sum."""
        scores = self.fact(left).exponential
        if scores is None or not isinstance(right, Tensor):
            return False
        axes = axes_that_sum_to_one(outputs[0])
        if not axes:
            return False
        known = self.facts.get(id(scores)) or self.fact(left)
        self.facts[id(scores)] = known
        self._normalised(scores, axes, outputs, by_hand=True)
        return True

    def _gate(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        if facts[0].of_input:
            self.trace.gates.append(outputs[0])
        self._set(outputs, Fact(facts[0].of_input))

    def _reducing(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        fact = facts[0]
        if fact.mass is None or fact.source is None:
            self._set(outputs, Fact(fact.of_input))
            return
        total = func(fact.mass.expand(args[0].shape), *args[1:], **kwargs)
        use = fact.use
        count = args[0].numel() // max(outputs[0].numel(), 1)
        averaged = count if func.overloadpacket.__name__ == "mean" else 1
        if self._varies(fact.mass.expand(args[0].shape), args, kwargs):
            if use is None:
                use = Use(total, fact.whole)
                fact.source.uses.append(use)
            use.averaged_over *= averaged
        if use is not None:
            use.total = total
        self._set(outputs, replace(fact, mass=total, use=use))

    @staticmethod
    def _varies(mass: Tensor, args: Any, kwargs: Any) -> bool:
        """Whether the weights differ along an axis that is summed."""
        dims = kwargs.get("dim", args[1] if len(args) > 1 else None)
        dims = range(mass.ndim) if dims is None else dims
        dims = [dims] if isinstance(dims, int) else list(dims)
        dims = dims or list(range(mass.ndim))
        return any(
            mass.shape[dim] > 1
            and not torch.allclose(mass, mass.narrow(dim, 0, 1))
            for dim in dims
        )

    def _matrix(
        self, func: Any, args: Any, kwargs: Any, outputs: Any, facts: Any
    ) -> None:
        added = func.overloadpacket.__name__ in {"baddbmm", "addmm"}
        left, right = args[1:3] if added else args[:2]
        one, two = self.fact(left), self.fact(right)
        self._set(outputs, Fact(any(fact.of_input for fact in facts)))
        # A product with a parameter mixes heads; one with values sums them.
        if one.weights and two.of_input:
            whole = _whole(left, one.weights)
            one.weights.uses.append(Use(left.sum(-1), whole, left.sum(-2)))
        elif two.weights and one.of_input:
            whole = _whole(right, two.weights)
            two.weights.uses.append(Use(right.sum(-2), whole, right.sum(-1)))
        elif one.product and two.of_input:
            one.product.used_as_weights = left.sum(-1)
        elif two.product and one.of_input:
            two.product.used_as_weights = right.sum(-2)
        elif one.of_input and two.of_input:
            self._product(left, right, outputs)

    def _product(
        self, left: Tensor, right: Tensor, outputs: list[Tensor]
    ) -> None:
        used = (left != 0).flatten(0, -2).any(0) & (right != 0).transpose(
            -1, -2
        ).flatten(0, -2).any(0)
        one, two = self.fact(left), self.fact(right)
        norms = torch.cat(
            [
                left.norm(dim=-1).flatten() / abs(one.factor),
                right.norm(dim=-2).flatten() / abs(two.factor),
            ]
        )
        product = Product(
            outputs[0].clone(),
            int(used.sum()),
            (float(norms.mean()), float(norms.std(correction=0))),
        )
        self.trace.products.append(product)
        self._set(
            outputs,
            Fact(
                True,
                factor=one.factor * two.factor,
                learned_factor=one.learned_factor or two.learned_factor,
                product=product,
            ),
        )


def _whole(tensor: Tensor, event: Normalisation) -> bool:
    """Whether this holds all weights of a softmax, maybe several times."""
    times = float(tensor.double().sum() / event.weights.double().sum())
    return round(times) >= 1 and abs(times - round(times)) < 1e-6


def _is_mask(value: Any) -> bool:
    """Zeros and ones alone."""
    return isinstance(value, Tensor) and bool(
        ((value == 0) | (value == 1)).all()
    )


@contextmanager
def unfused() -> Iterator[None]:
    """Let torch compute attention in steps that can be seen."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def trace(run: Callable[[], Any], inputs: Sequence[Tensor]) -> Trace:
    """Run and return what was seen."""
    tracer = Tracer(inputs)
    with torch.no_grad(), unfused(), tracer:
        result = run()
    tracer.trace.outputs = flat(result)
    return tracer.trace
