#include "flipscope/campaign/recorded_options.h"

#include "flipscope/model/number_text.h"
#include "flipscope/model/text.h"

namespace flipscope {
namespace {

std::vector<std::string> recorded_list(const std::string& text) {
  return text.empty() ? std::vector<std::string>{} : split_text(text);
}

std::vector<double> numbers(const std::string& text) {
  std::vector<double> values;
  for (const std::string& word : recorded_list(text))
    values.push_back(parse_number(word).value_or(0));
  return values;
}

}  // namespace

CampaignOptions recorded_options(const CampaignRecord& record) {
  const auto text = [](const auto& map, const char* name) {
    const auto found = map.find(name);
    return found == map.end() ? std::string() : found->second;
  };
  const auto info = [&](const char* name) { return text(record.info, name); };
  const auto field = [&](const char* name) { return text(record.fields, name); };
  const auto whole = [&](const char* name) {
    return static_cast<std::int64_t>(parse_number(info(name)).value_or(0));
  };
  CampaignOptions options;
  options.model = info("model");
  options.variant = {.requantize = info("requantize"),
                     .prune = parse_number(info("prune")).value_or(0)};
  SampleOptions& samples = options.samples;
  samples.inputs = info("inputs");
  samples.labels = info("labels");
  samples.targets = info("targets");
  samples.scale = parse_number(info("scale")).value_or(1);
  samples.mean = numbers(info("mean"));
  samples.std = numbers(info("std"));
  if (info("layout") == "nchw") samples.layout = Layout::channel_first;
  if (info("layout") == "nhwc") samples.layout = Layout::channel_last;
  samples.first = info("first").empty() ? -1 : whole("first");
  samples.skip = whole("skip");
  options.space.parts.clear();
  for (const std::string& part : recorded_list(field("in"))) {
    if (const auto known = part_named(part)) options.space.parts.push_back(*known);
  }
  options.space.layers = recorded_list(field("layers"));
  options.space.bits = field("bits");
  options.faults = field("faults");
  options.score = field("score");
  options.critical = field("critical");
  if (options.score == "emd") {
    options.emd_cost = info("emd-cost");
    options.emd_cells = info("emd-cells");
    if (!info("emd-empty").empty()) options.emd_empty = info("emd-empty");
  }
  options.count_only_correct = field("count-only-correct") == "yes";
  options.arithmetic =
      field("arithmetic").starts_with("fast") ? Arithmetic::fast : Arithmetic::exact;
  options.seed = record.seed;
  return options;
}

}  // namespace flipscope
