// Reads from the text of PTX what entries it has and how large their parameters are; nothing of it is run.
#include "launch.h"
#include <regex>

namespace emulated {
namespace {

unsigned size_of(const std::string &type) {
  size_t digits = type.find_first_of("0123456789");
  return digits == std::string::npos ? 1 : static_cast<unsigned>(std::stoul(type.substr(digits)) / 8);
}

} // namespace

Entries entries_of_ptx(const std::string &text) {
  static const std::regex parameter(R"(\.param\s+(?:\.align\s+\d+\s+)?\.(\w+)\s+(?:\.ptr\s+)?[^,\)]*?(\w+)(?:\[(\d+)\])?\s*(?:,|$))");
  Entries entries;
  for (size_t at = 0; (at = text.find(".entry", at)) != std::string::npos;) {
    size_t name_from = text.find_first_not_of(" \t\n", at + 6);
    size_t name_to = text.find_first_of(" \t\n(", name_from);
    size_t open = text.find('(', name_from), body = text.find('{', name_from);
    at = name_to;
    std::vector<unsigned> sizes;
    if (open < body) {
      std::string list = text.substr(open + 1, text.find(')', open) - open - 1);
      list.erase(list.find_last_not_of(" \t\r\n") + 1);
      for (std::sregex_iterator it(list.begin(), list.end(), parameter), end; it != end; ++it)
        sizes.push_back(size_of((*it)[1]) * ((*it)[3].matched ? static_cast<unsigned>(std::stoul((*it)[3])) : 1));
    }
    entries[text.substr(name_from, name_to - name_from)] = sizes;
  }
  return entries;
}

} // namespace emulated
