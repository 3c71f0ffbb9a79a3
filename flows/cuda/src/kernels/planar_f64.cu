// Chains of planar layers, double precision: a module of its own, since a module is compiled whole when it is loaded.

#include "planar.cuh"

LAYERS(Planar, planar, double, f64)
