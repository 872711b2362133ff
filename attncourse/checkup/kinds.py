"""What an attention module can claim to be."""

KINDS = {
    "se": "squeeze-and-excitation: one factor in (0, 1) for each channel",
    "eca": "one factor for each channel, from its neighbours",
    "cbam": "a gate of channels, then one of positions",
    "spatial": "one factor for each position",
    "channel": "one factor for each channel",
    "self-attention": "each position gathers from the positions of its map",
    "cross-attention": "each query gathers from another input",
    "pooling": "one weighted mean of all positions",
    "window": "attention inside of windows",
    "axial": "attention along rows and columns",
    "stn": "reads its input along a grid of its own making",
    "gate": "one input decides how much of another one passes",
}
