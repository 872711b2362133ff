"""Small faces and patches without one, from the scikit-image wheel."""

from io import BytesIO

import numpy as np
import torch

from attncourse.data.installed import bytes_of, intact, package_folder
from attncourse.data.scenes import Scenes

FACES = 100
FACES_SHA256 = (
    "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c"
)


def faces() -> Scenes:
    """Load 100 faces and 100 patches that show none, 25 x 25 grey pixels.

    Faces and patches are cut out of the same photographs, Labeled Faces in
    the Wild, and come with scikit-image. Nobody's name comes with them, so
    that a split cannot keep the pictures of one person together.

    Returns
    -------
    Scenes
        images (200, 1, 25, 25), labels 1 for a face and 0 for none, the
        faces first, no masks.

    Raises
    ------
    ModuleNotFoundError, FileNotFoundError, OSError
        If scikit-image is not installed, or its file is missing or damaged.

    References
    ----------
    Huang, Ramesh, Berg and Learned-Miller, "Labeled Faces in the Wild: a
    Database for Studying Face Recognition in Unconstrained Environments",
    University of Massachusetts, Amherst, 2007.
    """
    project = "scikit-image"
    path = package_folder("skimage", project, "faces") / "data/lfw_subset.npy"
    content = intact(bytes_of(path, project), FACES_SHA256, path, project)
    pixels = np.load(BytesIO(content))
    labels = torch.arange(len(pixels)) < FACES
    return Scenes(
        torch.from_numpy(pixels).float()[:, None], labels.long(), None
    )
