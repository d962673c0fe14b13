#include "flipscope/analysis/sensitivity.h"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>

#include <array>
#include <cmath>
#include <mutex>
#include <numeric>
#include <utility>

#include "flipscope/analysis/inflection.h"
#include "flipscope/analysis/local_step.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr std::array<std::pair<const char*, Metric>, 8> kMetrics{{
    {"random", Metric::random},
    {"msb", Metric::msb},
    {"gradient", Metric::gradient},
    {"taylor", Metric::taylor},
    {"hessian", Metric::hessian},
    {"inflection", Metric::inflection},
    {"trace", Metric::trace},
    {"flip", Metric::flip},
}};

constexpr std::array<std::pair<const char*, HessianVariant>, 3> kVariants{{
    {"exact", HessianVariant::exact},
    {"paper", HessianVariant::paper},
    {"code", HessianVariant::code},
}};

std::int64_t word_number(const Parameters& parameters, const FaultSite& site) {
  return parameters.first[site.target] + site.index;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::vector<double> gradient_scores(const Objective& objective, Metric metric,
                                    const ProductsDone& done) {
  std::vector<double> score = objective.gradient();
  done(1);
  const std::vector<double> w = latent_values(objective.graph(), objective.parameters());
  for (std::size_t i = 0; i < score.size(); ++i) {
    const double change = score[i] * w[i];
    score[i] = metric == Metric::gradient ? std::fabs(score[i]) : change * change;
  }
  return score;
}

std::vector<double> hessian_scores(const Objective& objective, const RankOptions& options,
                                   const ProductsDone& done) {
  const std::vector<double> w = latent_values(objective.graph(), objective.parameters());
  std::vector<double> score(w.size(), 0.0);
  for (const Eigenpair& pair : ranking_eigenpairs(objective, options, done)) {
    const double along = dot(pair.vector, w);
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double share = pair.value * along * pair.vector[i];
      score[i] += options.variant == HessianVariant::code ? std::fabs(pair.value * share) : share;
    }
  }
  if (options.variant == HessianVariant::exact) {
    for (double& s : score) s = std::fabs(s);
  }
  return score;
}

/// ½|H_ww|·Δ² of the bits of some words.
void curvature_scores(const Objective& objective, const std::vector<WordFlips>& words,
                      const RankOptions& options, const ProductsDone& done,
                      std::vector<double>& score) {
  const Parameters& parameters = objective.parameters();
  const Product hessian = hessian_of(objective, done);
  LanczosOptions lanczos;
  lanczos.count = options.top;
  lanczos.seed = options.seed;
  const auto pairs = parameters.size() <= options.probes
                         ? std::vector<Eigenpair>()
                         : largest_eigenpairs(parameters.size(), hessian, lanczos);
  const DiagonalEstimate curvature =
      estimate_diagonal(parameters.first, hessian, options.probes, pairs, options.seed);
  for (const WordFlips& flips : words) {
    for (std::size_t f = 0; f < flips.change.size(); ++f) {
      const double change = flips.change[f];
      score[flips.position[f]] = 0.5 * std::fabs(curvature.diagonal[flips.word]) * change * change;
    }
  }
}

std::vector<double> flip_scores(const Objective& objective, const FaultSpace& space,
                                const RankOptions& options, const ProductsDone& done) {
  const std::vector<double> changes = flip_changes(objective.graph(), space);
  std::vector<WordFlips> flips;
  for (std::uint64_t k = 0; k < space.size(); ++k) {
    const std::int64_t word = word_number(objective.parameters(), space.site(k));
    if (flips.empty() || flips.back().word != word) flips.push_back({word, {}, {}});
    flips.back().change.push_back(changes[k]);
    flips.back().position.push_back(k);
  }
  std::vector<double> score(space.size());
  const std::vector<WordFlips> left = score_locally(objective, std::move(flips), options.probes,
                                                    options.seed, score, options.kept, done);
  if (!left.empty()) curvature_scores(objective, left, options, done, score);
  return score;
}

/// The same probes for every flip, so that their traces differ by the flip alone.
std::vector<double> trace_scores(const Objective& objective, const FaultSpace& space,
                                 const RankOptions& options, const ProductsDone& done) {
  const Parameters& parameters = objective.parameters();
  const std::vector<double> golden = parameter_values(objective.graph(), parameters);
  const std::vector<double> change = flip_changes(objective.graph(), space);
  std::vector<double> score(space.size());
  tbb::enumerable_thread_specific<Objective> copies(objective);
  std::mutex counting;
  std::uint64_t products = 0;
  tbb::parallel_for(std::uint64_t{0}, space.size(), [&](std::uint64_t k) {
    const std::int64_t word = word_number(parameters, space.site(k));
    // A task may take up another while its own inner loop waits: its copy is its own meanwhile.
    tbb::this_task_arena::isolate([&] {
      Objective& faulty = copies.local();
      faulty.set(word, golden[word] + change[k]);
      const Product hessian = hessian_of(faulty, [](std::uint64_t) {});
      const DiagonalEstimate traces =
          estimate_diagonal(parameters.first, hessian, options.probes, {}, options.seed);
      score[k] = traces.blocks.back().trace;
      faulty.set(word, golden[word]);
      const std::lock_guard lock(counting);
      done(products += static_cast<std::uint64_t>(traces.products));
    });
  });
  return score;
}

template <typename Table>
auto parse(const Table& table, const char* what, const std::string& text) {
  std::string known;
  for (const auto& [name, value] : table) {
    if (text == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  fail("rank", "\"{}\" is no {}; there are {}", text, what, known);
}

}  // namespace

Metric parse_metric(const std::string& text) {
  return parse(kMetrics, "metric", text);
}

HessianVariant parse_variant(const std::string& text) {
  return parse(kVariants, "variant of the Hessian ranking", text);
}

Parameters parameters_of(const Graph& graph, const FaultSpace& space) {
  std::vector<int> tensors;
  for (const FaultTarget& target : space.targets()) {
    if (!is_stored(target.part)) {
      fail("rank", "derivatives rank stored words: --in weights, biases or normalization, not {}",
           to_string(target.part));
    }
    tensors.push_back(target.id);
  }
  return Parameters(graph, std::move(tensors));
}

std::vector<LayerSpan> layers_of(const Graph& graph, const Parameters& parameters) {
  std::vector<LayerSpan> layers;
  for (std::size_t t = 0; t < parameters.stored.size(); ++t) {
    const std::string& name = graph.stored[parameters.stored[t]].layer;
    if (layers.empty() || layers.back().layer != name) {
      layers.push_back({name, parameters.first[t], 0});
    }
    layers.back().last = parameters.first[t + 1];
  }
  return layers;
}

Product hessian_of(const Objective& objective, const ProductsDone& done) {
  return [&objective, done, count = std::uint64_t{0}](std::span<const double> v) mutable {
    std::vector<double> product = objective.hessian_product(v);
    done(++count);
    return product;
  };
}

Product hessian_of(const Objective& objective, const LayerSpan& layer, const ProductsDone& done) {
  return [whole = hessian_of(objective, done), layer,
          size = objective.parameters().size()](std::span<const double> v) {
    std::vector<double> padded(size, 0.0);
    std::copy(v.begin(), v.end(), padded.begin() + layer.first);
    const std::vector<double> product = whole(padded);
    return std::vector<double>(product.begin() + layer.first, product.begin() + layer.last);
  };
}

std::vector<Eigenpair> ranking_eigenpairs(const Objective& objective, const RankOptions& options,
                                          const ProductsDone& done) {
  const Parameters& parameters = objective.parameters();
  const Product hessian = [&, made = hessian_of(objective, done),
                           number = std::uint64_t{0}](std::span<const double> v) mutable {
    return options.kept.step(number++, [&] { return made(v); });
  };
  if (options.variant == HessianVariant::code) {
    constexpr int kIterations = 500;
    constexpr double kTolerance = 1e-3;
    return blockwise_power_iteration(parameters.first, hessian, options.top, kIterations,
                                     kTolerance, options.seed);
  }
  LanczosOptions lanczos;
  lanczos.count = options.top;
  lanczos.seed = options.seed;
  return largest_eigenpairs(parameters.size(), hessian, lanczos);
}

std::vector<double> flip_changes(const Graph& graph, const FaultSpace& space) {
  std::vector<double> changes(space.size());
  for (std::uint64_t k = 0; k < space.size(); ++k) {
    const FaultSite site = space.site(k);
    const StoredTensor& tensor = graph.stored[space.targets()[site.target].id];
    const Word word = tensor.words[site.index];
    const Word struck = word ^ tensor.encoding.mask(site.index, site.bit);
    changes[k] = real_value(tensor, site.index, struck) - real_value(tensor, site.index, word);
  }
  return changes;
}

Ranking rank(const Objective& objective, const FaultSpace& space, const RankOptions& options,
             const ProductsDone& done) {
  switch (options.metric) {
    case Metric::random:
      return random_ranking(space, options.seed);
    case Metric::msb:
      return rank_words(space, std::vector<double>(objective.parameters().size(), 0.0));
    case Metric::gradient:
    case Metric::taylor:
      return rank_words(space, gradient_scores(objective, options.metric, done));
    case Metric::hessian:
      return rank_words(space, hessian_scores(objective, options, done));
    case Metric::inflection: {
      const std::vector<double> moves = flip_scores(objective, space, options, done);
      return rank_bits(space,
                       heights_above_inflection(objective.graph(), space,
                                                [&](std::uint64_t k) { return !(moves[k] <= 0); }));
    }
    case Metric::trace:
      return rank_bits(space, trace_scores(objective, space, options, done));
    case Metric::flip: {
      std::vector<double> change = flip_changes(objective.graph(), space);
      for (double& x : change) x = std::fabs(x);
      return rank_bits(space, flip_scores(objective, space, options, done), change);
    }
  }
  return {};
}

}  // namespace flipscope
