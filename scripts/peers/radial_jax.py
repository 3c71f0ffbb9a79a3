"""A radial flow trained on u1 by reverse KL, in JAX. `--scan`: the steps of a window are a loop inside one program."""

import protocol

args = protocol.arguments(__doc__, "scan", layers=16, batch=512)

from reverse_kl_jax import main  # noqa: E402

# Unrolled, layers are half as fast.
main("radial", args, unroll=False)
