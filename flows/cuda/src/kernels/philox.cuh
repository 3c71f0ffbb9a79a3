// Philox blocks: the words of flow-kernels' `philox4x32`, bit for bit.
//
// Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), table 2.
// Deviation: none.
#pragma once

#include <stdint.h>

namespace philox {

struct Words {
  uint32_t at[4];
};

// The block of counter [block, block >> 32, 0, last] under `seed`.
__device__ __forceinline__ Words words(uint64_t seed, uint64_t block, uint32_t last) {
  // Multipliers of the two S-boxes and the increments of the key schedule (Salmon et al. 2011, section 4.3).
  const uint32_t multiplier[2] = {0xD2511F53u, 0xCD9E8D57u};
  const uint32_t weyl[2] = {0x9E3779B9u, 0xBB67AE85u};
  uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0u, last};
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = (uint64_t)multiplier[0] * c[0];
    const uint64_t b = (uint64_t)multiplier[1] * c[2];
    const uint32_t upper = (uint32_t)(b >> 32) ^ c[1] ^ key[0];
    const uint32_t lower = (uint32_t)(a >> 32) ^ c[3] ^ key[1];
    c[0] = upper, c[1] = (uint32_t)b, c[2] = lower, c[3] = (uint32_t)a;
    key[0] += weyl[0], key[1] += weyl[1];
  }
  return Words{{c[0], c[1], c[2], c[3]}};
}

} // namespace philox
