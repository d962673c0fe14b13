#include "ranking_output.h"

#include "flipscope/numeric/error.h"
#include "terminal.h"

namespace flipscope::cli {

namespace {

Json::Array rows_of(const FaultSpace& space, const Ranking& ranking) {
  Json::Array rows;
  rows.reserve(ranking.size());
  for (std::size_t k = 0; k < ranking.size(); ++k) {
    const FaultSite& site = ranking[k].site;
    const FaultTarget& target = space.targets()[static_cast<std::size_t>(site.target)];
    rows.push_back(Json::Object{{"rank", k},
                                {"layer", target.layer},
                                {"tensor", target.tensor},
                                {"index", site.index},
                                {"bit", site.bit},
                                {"score", ranking[k].score}});
  }
  return rows;
}

}  // namespace

int give_ranking(const Options& options, const FaultSpace& space, const Ranking& ranking,
                 const RankingBasis& basis) {
  const std::uint64_t seed = options.campaign.seed;
  if (!options.json || !options.out.empty()) write_ranking(space, ranking, options.out);
  if (options.json) {
    Json::Object object{{"model", options.campaign.model}, {"metric", options.metric}};
    object.insert(object.end(), basis.more.begin(), basis.more.end());
    if (basis.samples) object.emplace_back("samples", *basis.samples);
    object.emplace_back("bits", ranking.size());
    object.emplace_back("seconds", basis.seconds);
    object.emplace_back("seed", seed);
    if (options.out.empty()) {
      object.emplace_back("ranking", rows_of(space, ranking));
    } else {
      object.emplace_back("out", options.out);
    }
    print(text(object));
  } else if (!options.quiet && !options.out.empty()) {
    const std::string samples =
        basis.samples ? fmt::format("{}{} samples, ", basis.words,
                                    grouped(static_cast<std::uint64_t>(*basis.samples)))
                      : "";
    print(fmt::format("{}: {} bits by {} ({}seed {}), in {}\n", options.out,
                      grouped(ranking.size()), options.metric, samples, seed,
                      duration(basis.seconds)));
  }
  return 0;
}

}  // namespace flipscope::cli
