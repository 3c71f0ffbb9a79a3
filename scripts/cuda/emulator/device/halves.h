// Functions of half-precision numbers that CUDA's headers only define for the device.
#pragma once

#define EMULATED_HALF(NAME, FUNCTION)                                                                                  \
  inline __half NAME(__half x) { return __float2half(FUNCTION(__half2float(x))); }                                     \
  inline __nv_bfloat16 NAME(__nv_bfloat16 x) { return __float2bfloat16(FUNCTION(__bfloat162float(x))); }
EMULATED_HALF(hsqrt, sqrtf)
EMULATED_HALF(hrsqrt, rsqrtf)
EMULATED_HALF(hcos, cosf)
EMULATED_HALF(hsin, sinf)
EMULATED_HALF(hexp, expf)
EMULATED_HALF(hexp2, exp2f)
EMULATED_HALF(hexp10, exp10f)
EMULATED_HALF(hlog, logf)
EMULATED_HALF(hlog2, log2f)
EMULATED_HALF(hlog10, log10f)
EMULATED_HALF(htanh, tanhf)
EMULATED_HALF(hrcp, 1.f /)
EMULATED_HALF(hceil, ceilf)
EMULATED_HALF(hfloor, floorf)
EMULATED_HALF(hrint, rintf)
EMULATED_HALF(htrunc, truncf)
