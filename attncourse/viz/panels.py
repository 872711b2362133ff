"""Rows of images and of the maps that belong to them."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from jaxtyping import Bool, Float
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from attncourse.viz.inputs import as_image
from attncourse.viz.maps import heatmap
from attncourse.viz.style import WEIGHTS_CMAP, WIDTH, course_style


def panels(
    images: Float[Tensor, "count channels height width"],
    maps: Mapping[str, Float[Tensor, "count 1 map_height map_width"]],
    *,
    masks: Bool[Tensor, "count 1 mask_height mask_width"] | None = None,
    titles: Sequence[str] | None = None,
    scores: Mapping[str, Sequence[str]] | None = None,
) -> Figure:
    """Draw a row of images and below it one row of maps for each entry.

    All maps share one colour scale, which starts at zero and is stated below
    them.

    Parameters
    ----------
    images
        At most six, values from 0 to 1.
    maps
        Weights of every image, by the name that stands left of the row.
    masks
        Ground-truth masks, outlined on every map.
    titles
        One above each image.
    scores
        One text below each map, by the name of its row.

    Raises
    ------
    ValueError
        If the numbers of images, maps, titles and scores differ, or if a
        tensor has the wrong shape or range.
    """
    count = len(images)
    _check_counts(count, maps, masks, titles, scores or {})
    top = max(float(weights.max()) for weights in maps.values()) or 1.0
    width = max(WIDTH, 1.05 * count + 0.3)
    shape = images.shape[2] / images.shape[3]
    row = (width - 0.3) / count * shape
    with course_style():
        fig, axes = plt.subplots(
            1 + len(maps),
            count,
            figsize=(width, (row + 0.25) * (1 + len(maps)) + 0.5),
            squeeze=False,
            layout="compressed",
        )
        for column, ax in enumerate(axes[0]):
            ax.imshow(as_image(images[column]))
            ax.set(xticks=[], yticks=[])
            ax.spines[:].set_visible(False)
            if titles is not None:
                ax.set_title(titles[column], loc="center")
        for line, (name, weights) in zip(axes[1:], maps.items(), strict=True):
            for column, ax in enumerate(line):
                mask = None if masks is None else masks[column]
                heatmap(
                    weights[column], ax=ax, vmax=top, mask=mask, scale=False
                )
                ax.set_aspect(weights.shape[3] / weights.shape[2] * shape)
                if scores and name in scores:
                    ax.set_xlabel(scores[name][column], fontsize=9)
            line[0].set_ylabel(name, fontsize=9)
        scale = ScalarMappable(Normalize(0, top), WEIGHTS_CMAP)
        bar = fig.colorbar(
            scale,
            ax=axes,
            location="bottom",
            fraction=0.04,
            aspect=40,
            label="weight",
        )
        bar.outline.set_visible(False)
    return fig


def _check_counts(
    count: int,
    maps: Mapping[str, Tensor],
    masks: Tensor | None,
    titles: Sequence[str] | None,
    scores: Mapping[str, Sequence[str]],
) -> None:
    if not 1 <= count <= 6 or not maps:
        raise ValueError(
            f"images holds {count} images and maps {len(maps)} rows; "
            "1 to 6 images and one row or more are needed"
        )
    sizes = {f"maps[{name!r}]": len(row) for name, row in maps.items()}
    sizes |= {f"scores[{name!r}]": len(row) for name, row in scores.items()}
    if masks is not None:
        sizes["masks"] = len(masks)
    if titles is not None:
        sizes["titles"] = len(titles)
    for name, size in sizes.items():
        if size != count:
            raise ValueError(
                f"{name} has {size} entries; one for each of the {count} "
                "images is needed"
            )
    for name in scores:
        if name not in maps:
            raise ValueError(
                f"scores has a row {name!r}; rows of maps, {list(maps)}, "
                "are needed"
            )
