#include "rank_trace.h"

#include <optional>
#include <sstream>

#include "flipscope/campaign/chunk_log.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"
#include "rank_checkpoint.h"

namespace flipscope::cli {

namespace {

/// The bits of a space at one position of one tensor. Tensors without any stay, so that tensors,
/// and with them the words of the Hessian, are numbered alike.
FaultSpace part_of(const FaultSpace& space, std::size_t target, int bit) {
  std::vector<FaultTarget> targets = space.targets();
  for (std::size_t t = 0; t < targets.size(); ++t) {
    const auto drop = [&](int other) { return t != target || other != bit; };
    std::erase_if(targets[t].bits, drop);
    for (std::vector<int>& bits : targets[t].bits_of_width) std::erase_if(bits, drop);
  }
  return FaultSpace(std::move(targets));
}

std::vector<double> scores_from(const std::string& text) {
  std::vector<double> scores;
  std::istringstream in(text);
  for (std::string word; in >> word;) scores.push_back(*parse_number(word));
  return scores;
}

}  // namespace

Ranking rank_by_traces(const Differentiation& problem, const RankOptions& options,
                       const Options& asked, ProductCounter& counter,
                       const std::string& checkpoint) {
  const FaultSpace& space = problem.space();
  std::optional<ChunkLog> log;
  if (!checkpoint.empty()) log.emplace(checkpoint, rank_identity(problem, options, asked));
  std::vector<double> scores(space.size());
  std::size_t chunk = 0;
  for (std::size_t t = 0; t < space.targets().size(); ++t) {
    for (const int bit : space.targets()[t].bits) {
      const FaultSpace part = part_of(space, t, bit);
      const std::size_t number = chunk++;
      std::vector<double> found(part.size());
      const std::optional<std::string> held = log ? log->load(number) : std::nullopt;
      if (held) {
        found = scores_from(*held);
      } else {
        for (const RankedBit& ranked :
             flipscope::rank(problem.objective(), part, options, counter.callback())) {
          found[part.number(ranked.site)] = ranked.score;
        }
        if (log) log->save(number, fmt::format("{}", fmt::join(found, " ")));
      }
      for (std::size_t k = 0; k < found.size(); ++k) {
        scores[space.number(part.site(k))] = found[k];
      }
    }
  }
  return rank_bits(space, scores);
}

}  // namespace flipscope::cli
