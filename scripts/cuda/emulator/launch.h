// Modules, functions and launches, as the driver's calls and the rest of the emulator see them.
#pragma once
#include "common.h"
#include "kernel.h"
#include <map>
#include <string>
#include <vector>

namespace emulated {

// The sizes of the parameters of each entry of a module's PTX.
using Entries = std::map<std::string, std::vector<unsigned>>;
Entries entries_of_ptx(const std::string &text);

struct Library {
  std::string path;
  std::map<std::string, const EmulatedKernel *> kernels;
};

struct Function {
  const EmulatedKernel *kernel;
  int dynamic_shared_limit = 48 << 10;
};

struct Module {
  Entries entries; // empty where the image is not PTX
  const Library *library = nullptr;
  std::map<std::string, Function *> functions;
};

bool is_module(CUmodule module);
bool is_function(CUfunction function);

} // namespace emulated
