#include "flipscope/analysis/protection_text.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdint>
#include <map>
#include <set>

#include "flipscope/fault/fault_list.h"

namespace flipscope {
namespace {

/// The words of a target's elements, one bit for each that is protected.
using Masks = std::vector<std::uint32_t>;

std::map<int, Masks> masks_of(const FaultSpace& space, const std::vector<FaultSite>& bits) {
  std::map<int, Masks> masks;
  for (const FaultSite& site : bits) {
    Masks& of_target = masks[site.target];
    of_target.resize(static_cast<std::size_t>(space.targets()[site.target].elements));
    of_target[static_cast<std::size_t>(site.index)] |= std::uint32_t{1} << site.bit;
  }
  return masks;
}

/// A name of letters, digits and underscores, of its own among those taken.
std::string identifier(const std::string& text, std::set<std::string>& taken) {
  std::string name;
  for (const char c : text) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) name.insert(0, 1, '_');
  std::string own = name;
  for (int k = 2; !taken.insert(own).second; ++k) own = fmt::format("{}_{}", name, k);
  return own;
}

constexpr std::size_t kPerLine = 8;

/// Numbers between commas, kPerLine a line.
template <typename F>
std::string list(const Masks& masks, F text_of) {
  std::string text;
  for (std::size_t i = 0; i < masks.size(); ++i) {
    if (i % kPerLine == 0) text += "\n    ";
    text += text_of(masks[i]);
    if (i + 1 < masks.size()) text += i % kPerLine + 1 == kPerLine ? "," : ", ";
  }
  return text;
}

}  // namespace

std::string protection_csv(const FaultSpace& space, const std::vector<FaultSite>& bits) {
  std::string text = "layer,tensor,index,bit\n";
  for (const FaultSite& site : bits) {
    const FaultTarget& target = space.targets()[site.target];
    text += fmt::format("{},{},{},{}\n", csv_field(target.layer), csv_field(target.tensor),
                        site.index, site.bit);
  }
  return text;
}

std::string protection_c_header(const FaultSpace& space, const std::vector<FaultSite>& bits) {
  std::string text =
      "/* Bits to triplicate: a mask for each stored word, in C order, bit 0 least significant. "
      "*/\n"
      "#ifndef FLIPSCOPE_PROTECTION_H\n#define FLIPSCOPE_PROTECTION_H\n\n#include <stdint.h>\n";
  std::set<std::string> taken;
  for (const auto& [index, masks] : masks_of(space, bits)) {
    const FaultTarget& target = space.targets()[index];
    const std::string name = identifier("protect_" + target.tensor, taken);
    text +=
        fmt::format("\n/* {}: {} words of {} bits */\n#define {}_WORDS {}\n#define {}_BITS {}\n",
                    target.tensor, masks.size(), target.encoding.format.bits, name, masks.size(),
                    name, target.encoding.format.bits);
    text += fmt::format("static const uint32_t {}[{}] = {{{}}};\n", name, masks.size(),
                        list(masks, [](std::uint32_t m) { return fmt::format("0x{:x}u", m); }));
  }
  return text + "\n#endif\n";
}

std::string protection_systemverilog(const FaultSpace& space, const std::vector<FaultSite>& bits) {
  std::string text =
      "// Bits to triplicate: a mask for each stored word, in C order, bit 0 least significant.\n"
      "package flipscope_protection;\n";
  std::set<std::string> taken;
  for (const auto& [index, masks] : masks_of(space, bits)) {
    const FaultTarget& target = space.targets()[index];
    const int width = target.encoding.format.bits;
    text += fmt::format(
        "\n  // {}\n  parameter logic [{}:0] {}[{}] = '{{{}}};\n", target.tensor, width - 1,
        identifier("protect_" + target.tensor, taken), masks.size(),
        list(masks, [width](std::uint32_t m) { return fmt::format("{}'h{:x}", width, m); }));
  }
  return text + "\nendpackage\n";
}

}  // namespace flipscope
