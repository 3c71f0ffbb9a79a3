// Modules: which library of compiled kernels stands for a module's PTX, and its functions.
#include "launch.h"
#include "memory.h"
#include <algorithm>
#include <cstring>
#include <dirent.h>
#include <dlfcn.h>
#include <set>

namespace emulated {
namespace {

std::set<Module *> modules;
std::set<Function *> functions;

std::string own_folder() {
  Dl_info info{};
  dladdr(reinterpret_cast<void *>(&own_folder), &info);
  std::string path = info.dli_fname ? info.dli_fname : "";
  size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

Library *open_library(const std::string &path) {
  void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    warn("%s", dlerror());
    return nullptr;
  }
  auto *table = static_cast<const EmulatedKernels *>(dlsym(handle, "emulated_kernels"));
  if (!table) return nullptr;
  auto *library = new Library{path, {}};
  for (unsigned i = 0; i < table->count; i++) library->kernels[table->first[i].name] = &table->first[i];
  return library;
}

const std::vector<Library *> &libraries() {
  static const std::vector<Library *> all = [] {
    std::vector<std::string> paths;
    std::string folder = own_folder() + "/kernels";
    if (DIR *listing = opendir(folder.c_str())) {
      while (dirent *entry = readdir(listing)) {
        std::string name = entry->d_name;
        if (name.size() > 3 && name.substr(name.size() - 3) == ".so") paths.push_back(folder + "/" + name);
      }
      closedir(listing);
    }
    std::sort(paths.begin(), paths.end());
    std::vector<Library *> found;
    for (const std::string &path : paths)
      if (Library *library = open_library(path)) found.push_back(library);
    if (found.empty()) warn("no compiled kernels in %s", folder.c_str());
    return found;
  }();
  return all;
}

bool same_parameters(const EmulatedKernel &kernel, const std::vector<unsigned> &sizes) {
  if (sizes.size() != kernel.parameter_count) return false;
  for (unsigned i = 0; i < sizes.size(); i++)
    if (sizes[i] != kernel.parameters[i].size) return false;
  return true;
}

// The library that fits best: most entries in common, with the same parameters if it can be, and least besides.
const Library *library_for(const Entries &entries) {
  const Library *best = nullptr;
  long best_score = 0;
  for (const Library *library : libraries()) {
    long fits = 0, common = 0;
    for (auto &[name, sizes] : entries) {
      auto kernel = library->kernels.find(name);
      if (kernel == library->kernels.end()) continue;
      common++;
      fits += same_parameters(*kernel->second, sizes);
    }
    long score = 4 * common + 2 * fits - (static_cast<long>(library->kernels.size()) - common);
    if (common && (!best || score > best_score)) best = library, best_score = score;
  }
  return best;
}

const EmulatedKernel *kernel_for(const Module &module, const std::string &name) {
  if (module.library) {
    auto found = module.library->kernels.find(name);
    if (found != module.library->kernels.end()) return found->second;
  }
  for (const Library *library : libraries()) {
    auto found = library->kernels.find(name);
    if (found != library->kernels.end()) return found->second;
  }
  return nullptr;
}

} // namespace

bool is_module(CUmodule module) { return modules.count(reinterpret_cast<Module *>(module)) != 0; }
bool is_function(CUfunction function) { return functions.count(reinterpret_cast<Function *>(function)) != 0; }

} // namespace emulated

using namespace emulated;

EXPORT CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned, CUjit_option *, void **) {
  ENTER;
  NEED(module && image, CUDA_ERROR_INVALID_VALUE);
  auto *text = static_cast<const char *>(image);
  auto *made = new Module;
  bool elf = memcmp(text, "\177ELF", 4) == 0, fat = memcmp(text, "\x50\xED\x55\xBA", 4) == 0;
  if (!elf && !fat) {
    made->entries = entries_of_ptx(text);
    if (made->entries.empty()) {
      delete made;
      warn("a module was loaded whose PTX has no entries");
      return CUDA_ERROR_INVALID_PTX;
    }
    made->library = library_for(made->entries);
  }
  modules.insert(made);
  *module = reinterpret_cast<CUmodule>(made);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}

EXPORT CUresult cuModuleUnload(CUmodule module) {
  ENTER;
  NEED(is_module(module), CUDA_ERROR_INVALID_HANDLE);
  auto *gone = reinterpret_cast<Module *>(module);
  for (auto &[name, function] : gone->functions) {
    functions.erase(function);
    delete function;
  }
  modules.erase(gone);
  delete gone;
  return CUDA_SUCCESS;
}

EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  ENTER;
  NEED(function && name, CUDA_ERROR_INVALID_VALUE);
  NEED(is_module(module), CUDA_ERROR_INVALID_HANDLE);
  auto &in = *reinterpret_cast<Module *>(module);
  Function *&known = in.functions[name];
  if (!known) {
    in.functions.erase(name);
    auto entry = in.entries.find(name);
    if (!in.entries.empty() && entry == in.entries.end()) {
      warn("the module has no entry %s", name);
      return CUDA_ERROR_NOT_FOUND;
    }
    const EmulatedKernel *kernel = kernel_for(in, name);
    if (!kernel) {
      warn("no library in %s/kernels has the kernel %s", own_folder().c_str(), name);
      return CUDA_ERROR_NOT_FOUND;
    }
    if (entry != in.entries.end() && !same_parameters(*kernel, entry->second)) {
      warn("the parameters of the kernel %s are not those of the module's PTX: build the kernels again", name);
      return CUDA_ERROR_INVALID_IMAGE;
    }
    auto *made = new Function{kernel};
    in.functions[name] = made;
    functions.insert(made);
    *function = reinterpret_cast<CUfunction>(made);
    return CUDA_SUCCESS;
  }
  *function = reinterpret_cast<CUfunction>(known);
  return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function) {
  ENTER;
  NEED(value, CUDA_ERROR_INVALID_VALUE);
  NEED(is_function(function), CUDA_ERROR_INVALID_HANDLE);
  auto &f = *reinterpret_cast<Function *>(function);
  switch (attribute) {
  case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    *value = f.kernel->max_threads ? static_cast<int>(f.kernel->max_threads) : 1024;
    break;
  case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = f.dynamic_shared_limit; break;
  case CU_FUNC_ATTRIBUTE_PTX_VERSION:
  case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = 90; break;
  case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 32; break;
  default: *value = 0;
  }
  return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  ENTER;
  NEED(is_function(function), CUDA_ERROR_INVALID_HANDLE);
  if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
    NEED(value >= 0 && value <= 227 << 10, CUDA_ERROR_INVALID_VALUE);
    reinterpret_cast<Function *>(function)->dynamic_shared_limit = value;
  }
  return CUDA_SUCCESS;
}

EXPORT CUresult cuFuncSetCacheConfig(CUfunction function, CUfunc_cache) {
  ENTER;
  return is_function(function) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}
