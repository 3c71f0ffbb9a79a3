// Barriers of a block and the operations of a warp.
#pragma once

inline void __syncthreads() { emulated_barrier(0); }
inline int __syncthreads_count(int predicate) { return emulated_barrier(predicate); }
inline int __syncthreads_or(int predicate) { return emulated_barrier(predicate) != 0; }
inline int __syncthreads_and(int predicate) { return emulated_barrier(!predicate) == 0; }

inline unsigned emulated_lane() {
  const uint3 &t = emulated_position.thread;
  const dim3 &d = emulated_position.block_dim;
  return (t.x + d.x * (t.y + d.y * t.z)) & 31;
}
inline unsigned __activemask() { return emulated_alive(); }
inline void __syncwarp(unsigned mask = ~0u) {
  uint64_t values[32];
  emulated_exchange(mask, 0, values);
}

// The value of another lane; of a lane that takes no part it is all ones (NaN).
template <typename T> inline T emulated_shuffle(unsigned mask, T value, int source) {
  static_assert(sizeof(T) <= 8);
  uint64_t mine = 0, values[32];
  memcpy(&mine, &value, sizeof value);
  emulated_exchange(mask, mine, values);
  T result;
  memcpy(&result, &values[source & 31], sizeof result);
  return result;
}
template <typename T> inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  int base = static_cast<int>(emulated_lane()) & ~(width - 1);
  return emulated_shuffle(mask, value, base | (lane & (width - 1)));
}
template <typename T> inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  int lane = static_cast<int>(emulated_lane()), base = lane & ~(width - 1), source = lane - static_cast<int>(delta);
  return emulated_shuffle(mask, value, source < base ? lane : source);
}
template <typename T> inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  int lane = static_cast<int>(emulated_lane()), end = (lane & ~(width - 1)) + width, source = lane + static_cast<int>(delta);
  return emulated_shuffle(mask, value, source >= end ? lane : source);
}
template <typename T> inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  int lane = static_cast<int>(emulated_lane()), end = (lane & ~(width - 1)) + width, source = lane ^ bits;
  return emulated_shuffle(mask, value, source >= end ? lane : source);
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  uint64_t values[32];
  unsigned present = emulated_exchange(mask, predicate != 0, values), votes = 0;
  for (int i = 0; i < 32; i++)
    if (present >> i & 1) votes |= static_cast<unsigned>(values[i]) << i;
  return votes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

template <typename T> inline unsigned __match_any_sync(unsigned mask, T value) {
  uint64_t mine = 0, values[32];
  memcpy(&mine, &value, sizeof value);
  unsigned present = emulated_exchange(mask, mine, values), same = 0;
  for (int i = 0; i < 32; i++) same |= static_cast<unsigned>((present >> i & 1) && values[i] == mine) << i;
  return same;
}
template <typename T> inline unsigned __match_all_sync(unsigned mask, T value, int *all) {
  unsigned same = __match_any_sync(mask, value), everyone = __ballot_sync(mask, 1);
  *all = same == everyone;
  return *all ? everyone : 0;
}

template <typename T, typename F> inline T emulated_reduce(unsigned mask, T value, F combine) {
  uint64_t values[32];
  unsigned present = emulated_exchange(mask, static_cast<uint64_t>(value), values);
  T result = value;
  bool first = true;
  for (int i = 0; i < 32; i++) {
    if (!(present >> i & 1)) continue;
    T next = static_cast<T>(values[i]);
    result = first ? next : combine(result, next);
    first = false;
  }
  return result;
}
#define EMULATED_REDUCE(NAME, T, EXPRESSION)                                                                           \
  inline T NAME(unsigned mask, T value) {                                                                              \
    return emulated_reduce(mask, value, [](T a, T b) { return static_cast<T>(EXPRESSION); });                          \
  }
EMULATED_REDUCE(__reduce_add_sync, unsigned, a + b)
EMULATED_REDUCE(__reduce_add_sync, int, a + b)
EMULATED_REDUCE(__reduce_min_sync, unsigned, min(a, b))
EMULATED_REDUCE(__reduce_min_sync, int, min(a, b))
EMULATED_REDUCE(__reduce_max_sync, unsigned, max(a, b))
EMULATED_REDUCE(__reduce_max_sync, int, max(a, b))
EMULATED_REDUCE(__reduce_and_sync, unsigned, a &b)
EMULATED_REDUCE(__reduce_or_sync, unsigned, a | b)
EMULATED_REDUCE(__reduce_xor_sync, unsigned, a ^ b)
