// flipscope evaluate: rankings against a campaign of all bits, or of a random sample.
#include <oneapi/tbb/global_control.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>

#include "flipscope/analysis/rivals.h"
#include "flipscope/campaign/oracle.h"
#include "flipscope/model/csv_line.h"
#include "flipscope/model/output_file.h"
#include "flipscope/numeric/error.h"
#include "json.h"
#include "stop_signal.h"
#include "terminal.h"
#include "thread_count.h"
#include "verbs.h"

namespace flipscope::cli {

namespace {

constexpr const char* kBest = "(best possible)";
constexpr std::string_view kSearch = "binfi", kSample = "statfi-";

void check_rival(const std::string& method) {
  const bool is_sample =
      method.starts_with(kSample) &&
      parse_sampling_method(method.substr(kSample.size())) != SamplingMethod::network;
  if (method == kSearch || is_sample) return;
  fail("usage", "--against \"{}\" is none of binfi, statfi-layer, statfi-unaware, statfi-aware",
       method);
}

struct Judged {
  std::string name;
  Trace trace;
  Evaluation evaluation;
  std::optional<std::uint64_t> wrong;  ///< bits that it calls critical without a flip, in error
  std::optional<Interval> gain;        ///< of area over the first ranking; that has none
};

struct Share {
  std::uint64_t bits = 0, sensitive = 0;
  double of_bits() const {
    return bits == 0 ? 0 : static_cast<double>(sensitive) / static_cast<double>(bits);
  }
};

/// Shares of sensitive bits, by a key of the fault's target and bit.
template <typename Key, typename F>
std::map<Key, Share> shares(const Oracle& oracle, F key_of) {
  std::map<Key, Share> result;
  for (std::uint64_t k = 0; k < oracle.size(); ++k) {
    const FaultSite site = oracle.site(k);
    Share& share =
        result[key_of(oracle.space.targets()[static_cast<std::size_t>(site.target)], site)];
    ++share.bits;
    share.sensitive += static_cast<std::uint64_t>(oracle.sensitive[k]);
  }
  return result;
}

std::map<int, Share> shares_by_position(const Oracle& oracle) {
  return shares<int>(oracle, [](const FaultTarget& target, const FaultSite& site) {
    return target.from_msb(site.index, site.bit);
  });
}

std::map<std::string, Share> shares_by_layer(const Oracle& oracle) {
  return shares<std::string>(
      oracle, [](const FaultTarget& target, const FaultSite&) { return target.layer; });
}

std::string flips_text(const std::optional<std::uint64_t>& flips) {
  return flips ? grouped(*flips) : "never";
}

std::string correlation_text(double value) {
  return std::isnan(value) ? "" : fmt::format("{:.3f}", value);
}

/// share of Σ|change| found after so many flips, at most 1,001 points of each ranking.
void write_curves(const Oracle& oracle, const std::vector<Judged>& judged, const std::string& out) {
  constexpr std::size_t kPoints = 1000;
  OutputFile file(out);
  file.write("ranking,flips,found\n");
  for (const Judged& ranking : judged) {
    const std::vector<double> share = cumulative_share(oracle, ranking.trace);
    const std::size_t last = share.size() - 1, points = std::min(kPoints, last);
    for (std::size_t p = 0; p <= points; ++p) {
      const std::size_t flips = points == 0 ? 0 : last * p / points;
      file.write(fmt::format("{},{},{}\n", csv_field(ranking.name), flips, share[flips]));
    }
  }
  file.finish();
}

/// Flips until all bits of each top percentile are found; empty: never.
void write_reach(const std::vector<Judged>& judged, const std::string& out) {
  OutputFile file(out);
  file.write("ranking,percent,bits,flips\n");
  for (const Judged& ranking : judged) {
    for (const Reach& reach : ranking.evaluation.reach) {
      file.write(fmt::format("{},{},{},{}\n", csv_field(ranking.name), reach.percent, reach.bits,
                             reach.flips ? std::to_string(*reach.flips) : ""));
    }
  }
  file.finish();
}

/// How many times sooner than in random order 90% of the sensitive bits are found.
std::optional<double> times_sooner(const Oracle& oracle, const Evaluation& evaluation) {
  const std::optional<double> random = random_flips_to_sensitive(oracle);
  if (!random || !evaluation.flips_to_sensitive) return {};
  return *random / static_cast<double>(*evaluation.flips_to_sensitive);
}

Json judged_json(const Oracle& oracle, const Judged& judged) {
  const Evaluation& e = judged.evaluation;
  Json::Array reach;
  for (const Reach& r : e.reach) {
    reach.push_back(
        Json::Object{{"percent", r.percent}, {"bits", r.bits}, {"flips", Json(r.flips)}});
  }
  return Json::Object{
      {"ranking", judged.name},
      {"bits", e.ranked},
      {"flips", e.flips},
      {"missed_sensitive", e.missed},
      {"wrongly_implied", Json(judged.wrong)},
      {"spearman", e.spearman},
      {"spearman_from_msb", Json(e.spearman_at)},
      {"area", e.area},
      {"gain", judged.gain ? Json(Json::Array{judged.gain->lower, judged.gain->upper}) : Json()},
      {"top", std::move(reach)},
      {"flips_to_90_percent_of_sensitive", Json(e.flips_to_sensitive)},
      {"times_sooner_than_random", Json(times_sooner(oracle, e))}};
}

template <typename Shares>
Json shares_json(const Shares& shares) {
  Json::Array rows;
  for (const auto& [key, share] : shares) {
    rows.push_back(Json::Object{{"of", key}, {"bits", share.bits}, {"sensitive", share.sensitive}});
  }
  return rows;
}

std::string json_text(const Options& options, const Oracle& oracle,
                      const std::vector<Judged>& judged) {
  Json::Array rankings;
  for (const Judged& ranking : judged) rankings.push_back(judged_json(oracle, ranking));
  return text(Json::Object{
      {"store", options.store},
      {"sensitive", options.sensitive},
      {"space", oracle.space.size()},
      {"bits", oracle.size()},
      {"sensitive_bits", std::ranges::count(oracle.sensitive, char{1})},
      {"random_flips_to_90_percent_of_sensitive", Json(random_flips_to_sensitive(oracle))},
      {"by_position_from_msb", shares_json(shares_by_position(oracle))},
      {"by_layer", shares_json(shares_by_layer(oracle))},
      {"rankings", std::move(rankings)},
      {"seed", options.campaign.seed}});
}

std::string tables(const Options& options, const Oracle& oracle,
                   const std::vector<Judged>& judged) {
  const auto sensitive = static_cast<std::uint64_t>(std::ranges::count(oracle.sensitive, char{1}));
  std::string all = fmt::format(
      "{}: {} bits{}, {} of them sensitive (score {})\n\n", options.store, grouped(oracle.size()),
      oracle.is_complete() ? "" : fmt::format(" drawn from {}", grouped(oracle.space.size())),
      percent(static_cast<double>(sensitive) / static_cast<double>(oracle.size())),
      options.sensitive);

  Table by_layer({"layer", "bits", "sensitive"}, "lrr");
  for (const auto& [layer, share] : shares_by_layer(oracle)) {
    by_layer.row({layer, grouped(share.bits), percent(share.of_bits())});
  }
  std::vector<std::string> header{"from msb", "bits", "sensitive"};
  for (const Judged& ranking : judged) header.push_back("rho " + ranking.name);
  Table by_position(header, "rrr" + std::string(judged.size(), 'r'));
  for (const auto& [position, share] : shares_by_position(oracle)) {
    std::vector<std::string> row{std::to_string(position), grouped(share.bits),
                                 percent(share.of_bits())};
    for (const Judged& ranking : judged) {
      const std::vector<double>& rho = ranking.evaluation.spearman_at;
      const auto at = static_cast<std::size_t>(position);
      row.push_back(at < rho.size() ? correlation_text(rho[at]) : "");
    }
    by_position.row(row);
  }
  std::string wrong;
  Table rankings({"ranking", "flips", "rho", "area", "gain in area", "top 1%", "5%", "20%",
                  "90% of sensitive", "sooner", "missed"},
                 "lrrrrrrrrrr");
  for (const Judged& ranking : judged) {
    const Evaluation& e = ranking.evaluation;
    const auto reach = [&](double share) {
      const auto found = std::ranges::find(e.reach, share, &Reach::percent);
      return flips_text(found->flips);
    };
    const std::optional<double> sooner = times_sooner(oracle, e);
    rankings.row({ranking.name, grouped(e.flips), correlation_text(e.spearman),
                  fmt::format("{:.4f}", e.area),
                  ranking.gain
                      ? fmt::format("{:+.4f} to {:+.4f}", ranking.gain->lower, ranking.gain->upper)
                      : "",
                  reach(1), reach(5), reach(20), flips_text(e.flips_to_sensitive),
                  sooner ? fmt::format("{:.2f}x", *sooner) : "", grouped(e.missed)});
    if (ranking.wrong && *ranking.wrong > 0) {
      wrong += fmt::format("{} also implies {} bits that are not sensitive.\n", ranking.name,
                           grouped(*ranking.wrong));
    }
  }
  const std::optional<double> random = random_flips_to_sensitive(oracle);
  return all + by_layer.text() + "\n" + by_position.text() + "\n" + rankings.text() + "\n" + wrong +
         "rho: Spearman's, of order and |change of score|. area: mean over flips of the share of "
         "all change\nfound by then; its gain is over the first line, with a 95% bootstrap "
         "interval over words. Then: flips\nuntil all of the top percentiles, and 90% of the "
         "sensitive bits, are found; how many times sooner that\nis than in random order (" +
         (random ? fmt::format("{:.0f} flips in the mean", *random) : "no bit is sensitive") +
         "); sensitive bits that are never found. Seed " + std::to_string(options.campaign.seed) +
         ".\n";
}

}  // namespace

void describe_evaluate(Command& command, Options& options) {
  command.heading("Arguments");
  command.argument(
      "STORE", options.store,
      "A campaign of every single-bit fault of its space, or of random:N, on which rankings "
      "of the whole space are then judged.");
  command.heading("Judgement");
  command.option("ranking", "FILE,...", options.rankings,
                 "Rankings or fault lists; gains are over the first.");
  command.option("against", "METHOD,...", options.against,
                 "What others would find, replayed on the store: binfi (binary search; also with "
                 "the bits that it implies), statfi-layer, statfi-unaware, statfi-aware (samples, "
                 "most significant bits first).");
  describe_search(command, options);
  describe_precision(command, options);
  describe_sensitive(command, options,
                     "A bit is sensitive if its score is worse than the golden one (default), or "
                     "different.");
  command.option("out", "FILE.csv", options.out,
                 "The curves: share of all change of score that is found, against flips.");
  command.option("out-top", "FILE.csv", options.out_top,
                 "Flips until all bits of the top 1, 2, ... 100 percent are found.");
  describe_common(command, options);
  command.example("evaluate run.db --ranking hessian.csv,flip.csv --out curves.csv");
  command.example("evaluate run.db --against binfi,statfi-unaware --confidence 0.99");
}

int evaluate(const Options& options) {
  for (const std::string& method : options.against) check_rival(method);
  for (const std::string& out : {options.out, options.out_top}) {
    if (!out.empty()) check_writable(out);
  }
  std::optional<EndAtSignal> guard("flipscope: [evaluate] interrupted; nothing is kept");
  const tbb::global_control threads(tbb::global_control::max_allowed_parallelism,
                                    thread_count(options));
  // What a search or a sample would find is replayed, and may want any bit.
  const auto read = options.against.empty() ? read_oracle : read_complete_oracle;
  const Oracle oracle = read(options.store, parse_sensitive(options.sensitive), "evaluate");
  std::vector<double> percents(100);
  std::iota(percents.begin(), percents.end(), 1.0);
  std::vector<Judged> judged;
  const auto judge = [&](const std::string& name, Trace trace,
                         std::optional<std::uint64_t> wrong = {}) {
    Judged made{name, std::move(trace), {}, wrong, {}};
    made.evaluation = flipscope::evaluate(oracle, made.trace, percents);
    if (!judged.empty()) {
      made.gain = bootstrap_gain(oracle, made.trace, judged.front().trace, options.campaign.seed);
    }
    judged.push_back(std::move(made));
  };
  for (const std::string& file : options.rankings) judge(file, flip_each(read_order(file, oracle)));
  const SelectionOptions& selection = options.campaign.selection;
  for (const std::string& method : options.against) {
    if (method != kSearch) {
      judge(method, replay_sample(oracle, parse_sampling_method(method.substr(kSample.size())),
                                  selection, options.campaign.seed));
      continue;
    }
    judge(method, replay_binary_search(oracle, selection.search, false));
    Trace implied = replay_binary_search(oracle, selection.search, true);
    const std::uint64_t wrong = wrongly_implied(oracle, implied);
    judge(method + "+implied", std::move(implied), wrong);
  }
  judge(kBest, flip_each(best_order(oracle)));
  guard.reset();
  if (!options.out.empty()) write_curves(oracle, judged, options.out);
  if (!options.out_top.empty()) write_reach(judged, options.out_top);
  if (options.json) {
    print(json_text(options, oracle, judged));
  } else if (!options.quiet) {
    print(tables(options, oracle, judged));
  }
  return 0;
}

}  // namespace flipscope::cli
