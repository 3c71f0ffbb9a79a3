// The entries of a library of kernels: how to call each with CUDA's array of pointers to parameters.
#pragma once
#include <utility>

// Numbers, and pointers to numbers or to vectors of them, hide no pointers. (Of a structure nobody knows.)
template <typename T> struct EmulatedVector : std::false_type {};
#define EMULATED_VECTOR(T) template <> struct EmulatedVector<T> : std::true_type {}
EMULATED_VECTOR(__half);
EMULATED_VECTOR(__half2);
EMULATED_VECTOR(__nv_bfloat16);
EMULATED_VECTOR(__nv_bfloat162);
EMULATED_VECTOR(__nv_fp8_e4m3);
EMULATED_VECTOR(__nv_fp8_e5m2);
EMULATED_VECTOR(float2);
EMULATED_VECTOR(float3);
EMULATED_VECTOR(float4);
EMULATED_VECTOR(double2);
EMULATED_VECTOR(int2);
EMULATED_VECTOR(int4);
EMULATED_VECTOR(uint2);
EMULATED_VECTOR(uint4);

template <typename T>
constexpr bool emulated_number = std::is_arithmetic_v<T> || std::is_enum_v<T> || EmulatedVector<std::remove_cv_t<T>>::value;
template <typename T>
constexpr bool emulated_plain = std::is_pointer_v<T> ? emulated_number<std::remove_pointer_t<T>> : emulated_number<T>;

template <typename... Types> struct EmulatedSignature {
  static constexpr EmulatedParameter parameters[sizeof...(Types) + 1] = {
      {static_cast<unsigned>(sizeof(Types)), std::is_pointer_v<Types>, emulated_plain<Types>}..., {0, false, false}};
};

template <typename... Types> constexpr EmulatedSignature<Types...> emulated_signature(void (*)(Types...)) { return {}; }

template <auto kernel, typename... Types, size_t... I>
inline void emulated_call(void (*)(Types...), void *const *parameters, std::index_sequence<I...>) {
  kernel(*static_cast<std::remove_reference_t<Types> *>(parameters[I])...);
}
template <typename... Types> constexpr size_t emulated_count(void (*)(Types...)) { return sizeof...(Types); }

template <auto kernel> void emulated_thread([[maybe_unused]] void *const *parameters) {
  emulated_call<kernel>(kernel, parameters, std::make_index_sequence<emulated_count(kernel)>{});
}
