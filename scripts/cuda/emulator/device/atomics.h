// Atomic functions: threads of a kernel take turns only where they wait, so that plain code is atomic.
#pragma once

template <typename T, typename F> inline T emulated_atomic(T *address, F change) {
  T old = *address;
  *address = change(old);
  return old;
}
// The type of the value must not take part in choosing the type: atomicAdd(float *, 1) adds a float.
template <typename T> struct EmulatedSame { using type = T; };
template <typename T> using EmulatedValue = typename EmulatedSame<T>::type;

#define EMULATED_ATOMIC(NAME, EXPRESSION)                                                                              \
  template <typename T> inline T NAME(T *address, EmulatedValue<T> value) {                                            \
    return emulated_atomic(address, [&](T old) { return static_cast<T>(EXPRESSION); });                                \
  }                                                                                                                    \
  template <typename T> inline T NAME##_block(T *address, EmulatedValue<T> value) { return NAME(address, value); }     \
  template <typename T> inline T NAME##_system(T *address, EmulatedValue<T> value) { return NAME(address, value); }
EMULATED_ATOMIC(atomicAdd, old + value)
EMULATED_ATOMIC(atomicSub, old - value)
EMULATED_ATOMIC(atomicExch, value)
EMULATED_ATOMIC(atomicMin, value < old ? value : old)
EMULATED_ATOMIC(atomicMax, old < value ? value : old)
EMULATED_ATOMIC(atomicAnd, old &value)
EMULATED_ATOMIC(atomicOr, old | value)
EMULATED_ATOMIC(atomicXor, old ^ value)
EMULATED_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
EMULATED_ATOMIC(atomicDec, old == 0 || old > value ? value : old - 1)

template <typename T> inline T atomicCAS(T *address, EmulatedValue<T> expected, EmulatedValue<T> value) {
  return emulated_atomic(address, [&](T old) { return old == expected ? value : old; });
}
