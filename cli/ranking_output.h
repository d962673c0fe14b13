// What `rank` gives, whatever ranked the bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "flipscope/analysis/ranking.h"
#include "json.h"
#include "options.h"

namespace flipscope::cli {

/// What a ranking was made of.
struct RankingBasis {
  std::optional<std::int64_t> samples;  ///< nothing where it needs none
  std::string words;                    ///< before "… samples": "mse against targets of "
  Json::Object more;                    ///< further members of the JSON object
  double seconds = 0;
};

/// Writes --out, or, without it, standard output: CSV, or rows within the JSON object. Gives the
/// exit code.
int give_ranking(const Options& options, const FaultSpace& space, const Ranking& ranking,
                 const RankingBasis& basis);

}  // namespace flipscope::cli
