"""What a case computes, for a copy of a mechanism and for the package."""

from torch import Tensor


def results(cases, name: str) -> list[Tensor]:
    found = []
    for case in cases:
        if case.name == name:
            module, inputs = case.module(), case.inputs()
            output, weights = module.attend(*inputs)
            found += [module(*inputs), output]
            found += weights if isinstance(weights, tuple) else [weights]
    return found
