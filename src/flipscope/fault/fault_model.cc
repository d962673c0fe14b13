// Fault models: what strikes together, and what it does to a bit.
#include "flipscope/fault/fault_model.h"

#include <optional>
#include <string_view>

#include "flipscope/model/number_text.h"
#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

std::optional<std::string_view> after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return {};
  return text.substr(prefix.size());
}

int parse_bits(std::string_view digits, const std::string& text) {
  const std::optional<int> count = parse_whole<int>(digits);
  if (!count || *count < 1) {
    fail("faults", "--faults '{}': the number of bits is 1 or more", text);
  }
  return *count;
}

}  // namespace

FaultModel parse_fault_model(const std::string& text) {
  FaultModel model;
  if (text == "bit-flip") return model;
  if (text == "stuck-at-0") {
    model.effect = FaultEffect::stuck_at_0;
  } else if (text == "stuck-at-1") {
    model.effect = FaultEffect::stuck_at_1;
  } else if (const auto burst = after(text, "burst:")) {
    model.kind = FaultModel::Kind::burst;
    model.count = parse_bits(*burst, text);
  } else if (const auto multi = after(text, "multi:")) {
    model.kind = FaultModel::Kind::multi;
    model.count = parse_bits(*multi, text);
  } else if (const auto rate = after(text, "rate:")) {
    model.kind = FaultModel::Kind::rate;
    const auto probability = parse_number(*rate);
    if (!probability || !(*probability > 0) || !(*probability <= 1)) {
      fail("faults", "--faults '{}': a bit error rate is above 0 and at most 1", text);
    }
    model.probability = *probability;
  } else {
    fail("faults",
         "--faults '{}' is none of bit-flip, stuck-at-0, stuck-at-1, burst:K, multi:K, rate:BER",
         text);
  }
  return model;
}

}  // namespace flipscope
