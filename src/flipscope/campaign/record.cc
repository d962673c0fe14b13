// What a store holds.
#include "flipscope/campaign/record.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/same_bits.h"

namespace flipscope {

std::string difference(const CampaignRecord& wanted, const CampaignRecord& held) {
  static constexpr std::string_view kFiles[] = {"model", "samples", "emd-cost", "emd-cells",
                                                "protect"};
  // The first fields are the ones that a user is most likely to have changed.
  std::vector<std::string> names{"semantics", "model", "samples"};
  for (const auto& [name, value] : wanted.fields) names.push_back(name);
  for (const char* name : {"requantize", "prune"}) {
    const auto mine = wanted.fields.find(name), theirs = held.fields.find(name);
    const auto text = [name](const auto& found, const auto& fields) {
      return found == fields.end() ? fmt::format("no --{}", name)
                                   : fmt::format("--{} '{}'", name, found->second);
    };
    const std::string one = text(mine, wanted.fields), other = text(theirs, held.fields);
    if (one != other) return fmt::format("it has {}, not {}", other, one);
  }
  for (const std::string& name : names) {
    const auto mine = wanted.fields.find(name);
    const auto theirs = held.fields.find(name);
    if (mine != wanted.fields.end() && theirs != held.fields.end() &&
        mine->second == theirs->second) {
      continue;
    }
    if (mine == wanted.fields.end() || theirs == held.fields.end() || name == "semantics") {
      return "it was written by another version of flipscope";
    }
    if (std::ranges::find(kFiles, name) != std::end(kFiles)) {
      return fmt::format("its {} differ{}", name == "samples" ? "samples" : name + " file",
                         name == "samples" ? "" : "s");
    }
    return fmt::format("it has --{} '{}', not '{}'", name, theirs->second, mine->second);
  }
  return "its options differ";
}

bool FaultRow::same_as(const FaultRow& other) const {
  const auto same = [](const std::optional<double>& a, const std::optional<double>& b) {
    return a && b ? same_bits(*a, *b) : a.has_value() == b.has_value();
  };
  return fault == other.fault && site == other.site && same(golden, other.golden) &&
         same(faulty, other.faulty) && outcomes == other.outcomes && same(score, other.score);
}

}  // namespace flipscope
