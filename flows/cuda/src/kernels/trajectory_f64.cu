// Trajectories in double precision: a module of its own, so that a driver compiles no kernels that are not used.
#include "trajectory.cuh"

TRAJECTORY(f64, double)
