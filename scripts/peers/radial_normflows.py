"""A radial flow trained on u1 by reverse KL, by normflows: eager as it comes, or `--compile`."""

import protocol

args = protocol.arguments(__doc__, "compile", layers=16, batch=512)

from reverse_kl_normflows import main  # noqa: E402

main("radial", args)
