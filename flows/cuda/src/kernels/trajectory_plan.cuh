// What a trajectory is, as tables that the host wrote: `flows/cuda/src/trajectory/plan.rs` has the other side.
//
// Offsets count elements. Widths are padded: to whole 16-byte vectors where a product sums over them ("depth"), to whole runs of
// 16 vectors where threads share them out ("width"); what pads weights and biases is zero.
#pragma once

namespace trajectory {

typedef unsigned int u32;

// A layer ℝᴵ → ℝᴼ of a network, the first one hidden.
struct Layer {
  u32 inputs, outputs;          // I and O
  u32 inputs_depth, inputs_width;
  u32 outputs_depth, outputs_width;
  u32 source;                   // W [O, I] and b [O] in the flat parameters
  u32 up, bias, down;           // packed: Wᵀ [inputs_depth, outputs_width], b, W [outputs_depth, inputs_width]
  u32 weights_grad, bias_grad;  // in a block's gradients
  u32 z, e;                     // columns of a record: see Record
  u32 bend;                     // columns of a block's scratch
  u32 spare;
};

enum Kind : u32 { NETWORK, QUADRATIC, UNIT };

struct Energy {
  u32 kind, activation;
  u32 layers, depth;            // the first one's index, their number
  u32 source, out_source;       // parameters, and those w of the output among them
  u32 out;                      // packed: w of a network, e^−λ of a quadratic energy
  u32 grad, count, out_grad;    // in a block's gradients: all, how many, those of w
  u32 spare[2];
};

struct Move {
  u32 energy, kick, step;
  u32 fresh;                    // whether its energy has no gradients yet when the first tile comes back to it
  u32 record;                   // where its columns begin among those of all moves
  u32 spare;
  double sign;                  // coefficient of h·∇E: kicks subtract
};

// The first words of the tables.
struct Header {
  u32 dim, moves, energies, layers;
  u32 steps, gradients;         // how many
  u32 state_depth;              // d, padded
  u32 state_stride, stride;     // of the rows of states and of arrays in shared memory
  u32 arrays;                   // that the reverse pass works in
  u32 scratch, scratch_bend;    // columns of a block's scratch: a record, then bends
  u32 row;                      // of a block's gradients, padded: those in parameters, in step sizes
  u32 spare[3];
};

struct Plan {
  const Header *header;
  const Move *moves;
  const Energy *energies;
  const Layer *layers;

  __device__ explicit Plan(const void *tables) {
    header = static_cast<const Header *>(tables);
    moves = reinterpret_cast<const Move *>(header + 1);
    energies = reinterpret_cast<const Energy *>(moves + header->moves);
    layers = reinterpret_cast<const Layer *>(energies + header->energies);
  }
};

}  // namespace trajectory
