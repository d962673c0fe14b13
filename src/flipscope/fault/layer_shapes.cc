#include "flipscope/fault/layer_shapes.h"

#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "flipscope/fault/bit_range.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

using nlohmann::json;

constexpr const char* kForm =
    "a file of shapes maps each network to a list of {\"name\": ..., \"weights\": N, \"ifmap\": N}";

constexpr double kMostElements = 1LL << 48;  ///< all bits of thousands of layers can be counted

const char* member_of(Part part) {
  if (part == Part::weights) return "weights";
  if (part == Part::activations) return "ifmap";
  fail("faults", "--in {}: a file of shapes has weights and activations", to_string(part));
}

std::int64_t elements(const std::string& file, const json& layer, const std::string& name,
                      const char* member) {
  const auto found = layer.find(member);
  if (found == layer.end() || !found->is_number_integer() || found->get<double>() < 1 ||
      found->get<double>() > kMostElements) {
    fail("faults", "{}: layer '{}' has no number of \"{}\" from 1 to 2^48", file, name, member);
  }
  return found->get<std::int64_t>();
}

bool is_wanted(const std::string& layer, const std::vector<std::string>& globs) {
  return globs.empty() || std::ranges::any_of(globs, [&](const std::string& glob) {
           return fnmatch(glob.c_str(), layer.c_str(), 0) == 0;
         });
}

}  // namespace

std::vector<NamedSpace> read_layer_shapes(const std::string& file,
                                          const FaultSpaceOptions& options) {
  const json networks = json::parse(read_file_bytes(file), nullptr, false);
  if (!networks.is_object() || networks.empty()) fail("faults", "{}: {}", file, kForm);
  std::vector<NamedSpace> spaces;
  for (const auto& [network, layers] : networks.items()) {
    if (!layers.is_array() || layers.empty()) fail("faults", "{}: '{}': {}", file, network, kForm);
    std::vector<FaultTarget> targets;
    for (const Part part : options.parts) {
      const char* const member = member_of(part);
      for (const json& layer : layers) {
        if (!layer.is_object() || !layer.contains("name") || !layer["name"].is_string()) {
          fail("faults", "{}: '{}': {}", file, network, kForm);
        }
        FaultTarget target;
        target.part = part;
        target.layer = layer["name"].get<std::string>();
        target.tensor = target.layer + "." + member;
        if (!is_wanted(target.layer, options.layers)) continue;
        target.elements = elements(file, layer, target.layer, member);
        target.shape = {target.elements};
        target.encoding.format = float32_format();
        target.bits = allowed_bits(parse_bit_ranges(options.bits), target.encoding.format.bits);
        if (!target.bits.empty()) targets.push_back(std::move(target));
      }
    }
    if (targets.empty()) {
      fail("faults", "{}: '{}': --layers and --bits leave nothing", file, network);
    }
    spaces.push_back({network, FaultSpace(std::move(targets))});
  }
  return spaces;
}

}  // namespace flipscope
