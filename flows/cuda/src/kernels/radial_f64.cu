// Chains of radial layers, double precision: a module of its own, since a module is compiled whole when it is loaded.

#include "radial.cuh"

LAYERS(Radial, radial, double, f64)
