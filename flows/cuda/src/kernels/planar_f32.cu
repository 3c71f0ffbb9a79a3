// Chains of planar layers, single precision: a module of its own, since a module is compiled whole when it is loaded.

#include "planar.cuh"

LAYERS(Planar, planar, float, f32)
