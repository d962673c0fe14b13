#include "flipscope/analysis/protection_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <map>
#include <set>

#include "flipscope/model/csv_line.h"

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

int widest(const FaultTarget& target) {
  return target.widths().back().width;
}

/// "8 bits", "0 to 8 bits".
std::string bits_text(const FaultTarget& target) {
  const auto widths = target.widths();
  const std::string most = fmt::format("{} bits", widths.back().width);
  return widths.size() == 1 ? most : fmt::format("{} to {}", widths.front().width, most);
}

/// Where words have widths of their own: the width of each.
std::vector<int> own_widths(const FaultTarget& target) {
  std::vector<int> widths;
  for (const ElementBits& element : target.encoding.elements) widths.push_back(element.count);
  return widths;
}

constexpr std::size_t kPerLine = 8;

/// Between commas, kPerLine a line.
template <typename T, typename F>
std::string list(const std::vector<T>& things, F text_of) {
  std::string text;
  for (std::size_t i = 0; i < things.size(); ++i) {
    if (i % kPerLine == 0) text += "\n    ";
    text += text_of(things[i]);
    if (i + 1 < things.size()) text += i % kPerLine + 1 == kPerLine ? "," : ", ";
  }
  return text;
}

/// A concatenation, which Verilog writes from the most significant bit on.
std::string joined(std::vector<std::string> bits) {
  std::ranges::reverse(bits);
  return "{" + list(bits, [](const std::string& bit) { return bit; }) + "}";
}

std::string tmrg_module(const std::string& name, const FaultTarget& target, const Masks& masks) {
  std::vector<std::string> words, kept, other;
  for (std::size_t i = 0; i < masks.size(); ++i) {
    for (int bit = 0; bit < target.encoding.width(static_cast<std::int64_t>(i)); ++bit) {
      std::vector<std::string>& held = masks[i] >> bit & 1 ? kept : other;
      words.push_back(fmt::format("{}[{}]", &held == &kept ? "keptVoted" : "other", held.size()));
      held.push_back(fmt::format("in[{}]", words.size() - 1));
    }
  }
  const auto range = [](std::size_t bits) { return fmt::format("[{}:0]", bits - 1); };
  const int width = widest(target);
  const std::string place = target.encoding.elements.empty()
                                ? fmt::format("word i in [{}*i +: {}]", width, width)
                                : "each right above the one before";
  std::string text = fmt::format(
      "\n// {}: {} words of {}, {}; {} of {} bits are triplicated.\n"
      "module {} (clk, load, in, words);\n"
      "  // tmrg default do_not_triplicate\n"
      "  // tmrg triplicate kept keptVoted keptNext\n"
      "  input clk;\n  input load;\n  input {} in;\n  output {} words;\n"
      "  reg {} kept;\n  wire {} keptVoted = kept;\n"
      "  wire {} keptNext = load ? {} : keptVoted;\n"
      "  always @(posedge clk) kept <= keptNext;\n",
      target.tensor, masks.size(), bits_text(target), place, kept.size(), words.size(), name,
      range(words.size()), range(words.size()), range(kept.size()), range(kept.size()),
      range(kept.size()), joined(kept));
  if (!other.empty()) {
    text += fmt::format("  reg {} other;\n  always @(posedge clk) if (load) other <= {};\n",
                        range(other.size()), joined(other));
  }
  return text + fmt::format("  assign words = {};\nendmodule\n", joined(words));
}

}  // namespace

std::string protection_csv(const FaultSpace& space, const std::vector<FaultSite>& bits,
                           const ProtectionCost& cost) {
  const bool is_default = cost == ProtectionCost{};
  const std::string area = is_default ? "" : fmt::format(",{}", cost.per_bit());
  std::string text = fmt::format("layer,tensor,index,bit{}\n", is_default ? "" : ",area");
  for (const FaultSite& site : bits) {
    const FaultTarget& target = space.targets()[site.target];
    text += fmt::format("{},{},{},{}{}\n", csv_field(target.layer), csv_field(target.tensor),
                        site.index, site.bit, area);
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
    text += fmt::format("\n/* {}: {} words of {} */\n#define {}_WORDS {}\n#define {}_BITS {}\n",
                        target.tensor, masks.size(), bits_text(target), name, masks.size(), name,
                        widest(target));
    text += fmt::format("static const uint32_t {}[{}] = {{{}}};\n", name, masks.size(),
                        list(masks, [](std::uint32_t m) { return fmt::format("0x{:x}u", m); }));
    if (target.encoding.elements.empty()) continue;
    text += fmt::format("static const uint8_t {}_width[{}] = {{{}}};\n", name, masks.size(),
                        list(own_widths(target), [](int width) { return std::to_string(width); }));
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
    const int width = widest(target);
    const std::string name = identifier("protect_" + target.tensor, taken);
    text += fmt::format("\n  // {}\n  parameter logic [{}:0] {}[{}] = '{{{}}};\n", target.tensor,
                        width - 1, name, masks.size(), list(masks, [width](std::uint32_t m) {
                          return fmt::format("{}'h{:x}", width, m);
                        }));
    if (target.encoding.elements.empty()) continue;
    text += fmt::format("  parameter int {}_width[{}] = '{{{}}};\n", name, masks.size(),
                        list(own_widths(target), [](int own) { return std::to_string(own); }));
  }
  return text + "\nendpackage\n";
}

std::string protection_tmrg(const FaultSpace& space, const std::vector<FaultSite>& bits) {
  std::string text =
      "// Stored words in registers, for TMRG: `load` takes them from `in`; else they are kept, "
      "the\n"
      "// triplicated bits by their votes. Bit 0 of a word is the least significant.\n";
  std::set<std::string> taken;
  for (const auto& [index, masks] : masks_of(space, bits)) {
    const FaultTarget& target = space.targets()[index];
    text += tmrg_module(identifier("protected_" + target.tensor, taken), target, masks);
  }
  return text;
}

}  // namespace flipscope
