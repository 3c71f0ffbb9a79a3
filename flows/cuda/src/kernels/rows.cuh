// Rows of a matrix [n, d] on the lanes of warps: 1, 2, 4 … 32 threads a row, so that neighbours read neighbours.
//
// Sums over a row go by exchanges of lanes, always in the same order: the same bits each run, in every lane.

#pragma once

#include <math.h>
#include <stddef.h>

/// The row of a thread, its lane in it. Threads beyond the last row stay for the exchanges, and read and write nothing.
struct Row {
    size_t index;
    int lane;
    int lanes;

    __device__ explicit Row(int lanes)
        : index(((size_t)blockIdx.x * blockDim.x + threadIdx.x) / lanes), lane(threadIdx.x & (lanes - 1)), lanes(lanes) {}

    /// The sum over the row's lanes, in each of them.
    template <typename T>
    __device__ T sum(T value) const {
        for (int distance = lanes / 2; distance > 0; distance /= 2) {
            value += __shfl_xor_sync(0xffffffffu, value, distance);
        }
        return value;
    }

    /// The largest of the row's lanes, in each of them; what is not a number is not the largest of anything.
    template <typename T>
    __device__ T largest(T value) const {
        for (int distance = lanes / 2; distance > 0; distance /= 2) {
            T other = __shfl_xor_sync(0xffffffffu, value, distance);
            value = other > value ? other : value;
        }
        return value;
    }
};
