#include "rank_checkpoint.h"

#include <cstring>

#include "flipscope/model/file_bytes.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/hash.h"

namespace flipscope::cli {

std::string rank_identity(const Differentiation& problem, const RankOptions& options,
                          const Options& asked) {
  Hasher hasher;
  hasher.update(std::string_view("rank 2"))
      .update(std::string_view(asked.metric))
      .update(std::string_view(asked.variant))
      .update(options.top)
      .update(std::string_view(model_identity(asked.campaign.model)))
      .update(std::string_view(asked.campaign.variant.requantize))
      .update(asked.campaign.variant.prune)
      .update(std::string_view(problem.identity()))
      .update(std::string_view(to_string(problem.loss())))
      .update(std::string_view(problem.against()))
      .update(options.probes)
      .update(options.seed);
  if (problem.loss().kind == LossSpec::Kind::groups) {
    hasher.update(std::string_view(read_file_bytes(problem.loss().file)));
  }
  for (const FaultTarget& target : problem.space().targets()) {
    hasher.update(std::string_view(target.tensor));
    for (const FaultTarget::Width& width : target.widths()) {
      for (const int bit : *width.bits) hasher.update(width.width).update(bit);
    }
  }
  return to_string(hasher.digest());
}

KeptSteps steps_in(ChunkLog& log) {
  const auto load = [&log](std::uint64_t step) -> std::optional<std::vector<double>> {
    const std::optional<std::string> bytes = log.load(step);
    if (!bytes) return {};
    std::vector<double> numbers(bytes->size() / sizeof(double));
    std::memcpy(numbers.data(), bytes->data(), numbers.size() * sizeof(double));
    return numbers;
  };
  const auto save = [&log](std::uint64_t step, std::span<const double> numbers) {
    const auto bytes = std::as_bytes(numbers);
    log.save(step, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  return {load, save};
}

}  // namespace flipscope::cli
