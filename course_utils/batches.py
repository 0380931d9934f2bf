"""How many pictures to send through a model at a time: the one formula that every storey uses."""


def pictures_at_once(pixels: int) -> int:
    """Return how many pictures of so many pixels each (height × width) a CPU should take together, 1 … 32.

    It is fastest while the feature maps of all of them fit into its cache, near 100 000 pixels. Up to 8 small
    pictures save overhead. Beyond that only memory counts: a backward pass takes about 2 kB a pixel, so that
    a photograph of a million pixels goes alone.
    """
    fast = min(2**17 // pixels, 32)
    return max(fast, min(2**18 // pixels, 8), 1)
