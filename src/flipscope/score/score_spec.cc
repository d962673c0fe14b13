// Scores by name.
#include <string_view>

#include "flipscope/model/text.h"
#include "flipscope/numeric/error.h"
#include "flipscope/score/score.h"

namespace flipscope {
namespace {

using Kind = ScoreSpec::Kind;

constexpr std::pair<std::string_view, Kind> kNames[] = {
    {"mispredict", Kind::mispredict},
    {"accuracy", Kind::accuracy},
    {"mse", Kind::mse},
    {"mae", Kind::mae},
    {"emd", Kind::emd},
};

}  // namespace

ScoreSpec parse_score(const std::string& text) {
  for (const auto& [name, kind] : kNames) {
    if (text == name) return {.kind = kind};
  }
  const std::size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (name == "exec" && !rest.empty()) return {.kind = Kind::exec, .program = rest};
  const std::optional<int> k = parse_whole<int>(rest);
  if (name == "topk" && k && *k > 0) return {.kind = Kind::topk, .k = *k};
  fail("score",
       "--score '{}' is unknown; it is one of mispredict, topk:K (K ≥ 1), accuracy, mse, "
       "mae, emd, exec:PROGRAM",
       text);
}

std::string to_string(const ScoreSpec& spec) {
  for (const auto& [name, kind] : kNames) {
    if (spec.kind == kind) return std::string(name);
  }
  if (spec.kind == Kind::topk) return fmt::format("topk:{}", spec.k);
  return "exec:" + spec.program;
}

bool higher_is_better(const std::string& score) {
  return score == "accuracy";
}

}  // namespace flipscope
