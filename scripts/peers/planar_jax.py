"""A planar flow trained on u1 by reverse KL, in JAX. `--scan`: the steps of a window are a loop inside one program."""

import protocol

args = protocol.arguments(__doc__, "scan", layers=8, batch=512)

from reverse_kl_jax import main  # noqa: E402

# Unrolled, 32 layers are twice as fast within a loop of steps, and slower in a step by itself.
main("planar", args, unroll=args.scan)
