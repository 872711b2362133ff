import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from attncourse import watch
from attncourse.bugs import retrieval as wrong
from attncourse.models import (
    AttentionCNN,
    GalleryAttention,
    RetrievalNetwork,
    attention_resnet,
)
from attncourse.retrieval import (
    HashIndex,
    HyperplaneHashes,
    SoftplusPooling2d,
)

DIM = 14


def vectors(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, DIM, generator=generator, dtype=torch.float64)
    return F.normalize(drawn, dim=1)


def layer(kind: type[GalleryAttention] = GalleryAttention) -> nn.Module:
    """Far from its start, where it does nothing."""
    torch.manual_seed(0)
    module = kind(DIM, 2)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double().eval()


def network(**options) -> RetrievalNetwork:
    torch.manual_seed(0)
    backbone = AttentionCNN(in_channels=3, widths=(5, 7, 11)).features
    return RetrievalNetwork(backbone, 11, DIM, heads=2, **options).eval()


def images(batch: int, height: int = 17, width: int = 23) -> Tensor:
    generator = torch.Generator().manual_seed(batch)
    return torch.rand(batch, 3, height, width, generator=generator)


def contract_the_order_of_the_gallery_does_not_matter(module) -> None:
    queries, items = vectors(5), vectors(11, seed=1)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(0))
    assert_close(module(queries, items[order]), module(queries, items))


def contract_queries_do_not_see_each_other(module) -> None:
    queries, items = vectors(5), vectors(11, seed=1)
    assert_close(module(queries[3:4], items), module(queries, items)[3:4])


CONTRACTS = [
    contract_the_order_of_the_gallery_does_not_matter,
    contract_queries_do_not_see_each_other,
]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_attention_to_a_gallery_keeps_its_contract(contract) -> None:
    contract(layer())


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_causal_mask_is_rejected(contract) -> None:
    with pytest.raises(AssertionError):
        contract(layer(wrong.CausalGallery))


def test_shifted_values_are_rejected() -> None:
    with pytest.raises(AssertionError):
        contract_the_order_of_the_gallery_does_not_matter(
            layer(wrong.ShiftedGallery)
        )


def test_it_equals_the_attention_of_torch() -> None:
    ours = layer()
    theirs = nn.MultiheadAttention(DIM, 2).double()
    own = {n: p.detach() for n, p in ours.attention.named_parameters()}
    parts = ("query", "key", "value")
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([own[f"{p}.weight"] for p in parts]),
            "in_proj_bias": torch.cat([own[f"{p}.bias"] for p in parts]),
            "out_proj.weight": own["output.weight"],
            "out_proj.bias": own["output.bias"],
        }
    )
    queries, items = vectors(5), vectors(11, seed=1)
    mask = torch.rand(5, 11, generator=torch.Generator().manual_seed(0)) < 0.5
    scale = DIM**0.5
    mixed, weights = theirs(
        scale * queries,
        scale * items,
        scale * items,
        attn_mask=~mask,
        average_attn_weights=False,
    )
    expected = F.normalize(scale * queries + ours.gamma * mixed, dim=1)
    found, shares = ours.attend(queries, items, mask)
    assert_close(found, expected)
    assert_close(shares, weights[None])
    assert_close(ours(queries, items, mask), expected)


def test_every_item_counts_and_no_masked_one_does() -> None:
    module = layer()
    queries, items = vectors(5), vectors(11, seed=1)
    mask = torch.ones(5, 11, dtype=torch.bool)
    mask[:, 4] = False
    changed = items.clone()
    changed[4] = vectors(1, seed=2)
    assert_close(module(queries, changed, mask), module(queries, items, mask))
    assert not torch.allclose(module(queries, changed), module(queries, items))


def test_it_starts_as_a_search_by_cosines_and_learns_from_there() -> None:
    net = network()
    queries, items = images(2), images(5)
    expected = net.describe(queries) @ net.describe(items).T
    scores = net(queries, items)
    assert_close(scores, expected)
    scores.sum().backward()
    assert net.gallery.gamma.grad is not None
    assert net.gallery.gamma.grad != 0
    nn.init.ones_(net.gallery.gamma)
    net(queries, items).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("size", [(17, 23), (8, 8), (40, 31)])
def test_one_vector_of_length_one_for_each_image(size) -> None:
    net = network()
    found = net.describe(images(3, *size))
    assert found.shape == (3, DIM)
    assert_close(found.norm(dim=1), torch.ones(3))
    assert_close(net.describe(images(3, *size)[1:2]), found[1:2])


def test_images_find_themselves_first_through_an_index_too() -> None:
    net = network(pooling=SoftplusPooling2d(11, 5))
    gallery = images(13)
    scores = net(gallery, gallery)
    assert torch.equal(scores.argmax(1), torch.arange(13))
    stored = net.describe(gallery).detach()
    index = HashIndex(HyperplaneHashes(DIM), stored)
    found = index.search(net.describe(gallery[3:5]).detach(), 1)
    assert found.indices.flatten().tolist() == [3, 4]
    assert_close(net.compare(stored, stored), scores)


def test_queries_may_have_another_size_and_all_can_be_watched() -> None:
    net = network()
    nn.init.ones_(net.gallery.gamma)
    expected = net(images(2, 29, 31), images(5))
    with watch(net) as maps:
        assert_close(net(images(2, 29, 31), images(5)), expected)
    weights = maps["gallery.attention"]
    assert weights.shape == (1, 2, 2, 5)
    assert_close(weights.sum(-1), torch.ones(1, 2, 2))
    assert maps["pool.pooling"].shape == (5, 1, 5, 6)  # of the last call


def test_a_residual_network_is_a_backbone() -> None:
    resnet = attention_resnet(18, small_images=True)
    backbone = nn.Sequential(*list(resnet.children())[:-2])
    net = RetrievalNetwork(backbone, 512, DIM, heads=2).eval()
    assert net(images(2, 16, 24), images(3, 24, 16)).shape == (2, 3)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="heads must be a positive divisor"):
        RetrievalNetwork(nn.Identity(), 3, DIM, heads=3)
