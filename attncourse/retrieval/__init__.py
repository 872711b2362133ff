"""Finding images: one vector for each, and hashing to find it fast."""

from attncourse.retrieval.descriptors import Descriptor, SoftplusPooling2d
from attncourse.retrieval.hashing import (
    HyperplaneHashes,
    PStableHashes,
    candidate_probability,
)
from attncourse.retrieval.index import HashIndex, Neighbours

__all__ = [
    "Descriptor",
    "HashIndex",
    "HyperplaneHashes",
    "Neighbours",
    "PStableHashes",
    "SoftplusPooling2d",
    "candidate_probability",
]
