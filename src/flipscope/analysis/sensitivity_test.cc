#include "flipscope/analysis/sensitivity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "flipscope/fault/test_graph.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

void ignore(std::uint64_t) {}

/// small_network() with samples, targets, and the weights of two layers as parameters.
struct Fixture {
  explicit Fixture(int bits, const FaultSpaceOptions& options = {.parts = {Part::weights},
                                                                 .layers = {"conv", "fc2"},
                                                                 .bits = {}})
      : graph(testing::small_network(bits)), space(graph, options) {
    samples.count = 37;
    samples.values = testing::small_inputs(samples.count);
    samples.target_size = 3;
    Random random(2);
    for (int i = 0; i < 37 * 3; ++i) {
      samples.targets.push_back(static_cast<float>(random.uniform()));
    }
    loss.emplace(LossSpec{}, samples, 3);
    objective.emplace(graph, samples, *loss, parameters_of(graph, space));
  }

  Graph graph;
  FaultSpace space;
  Samples samples;
  std::optional<Loss> loss;
  std::optional<Objective> objective;
};

/// The Hessian by central differences of the gradient.
std::vector<double> explicit_hessian(const Fixture& fixture) {
  Objective moved = *fixture.objective;
  const auto w = parameter_values(fixture.graph, moved.parameters());
  const auto n = std::ssize(w);
  constexpr double kStep = 1e-5;
  std::vector<double> hessian(n * n);
  for (std::int64_t i = 0; i < n; ++i) {
    moved.set(i, w[i] + kStep);
    const auto up = moved.gradient();
    moved.set(i, w[i] - kStep);
    const auto down = moved.gradient();
    moved.set(i, w[i]);
    for (std::int64_t k = 0; k < n; ++k) hessian[i * n + k] = (up[k] - down[k]) / (2 * kStep);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k < i; ++k) {
      hessian[i * n + k] = hessian[k * n + i] = (hessian[i * n + k] + hessian[k * n + i]) / 2;
    }
  }
  return hessian;
}

std::vector<double> block_of(const std::vector<double>& matrix, std::int64_t n,
                             const LayerSpan& span) {
  std::vector<double> block;
  for (std::int64_t i = span.first; i < span.last; ++i) {
    for (std::int64_t k = span.first; k < span.last; ++k) block.push_back(matrix[i * n + k]);
  }
  return block;
}

TEST(Sensitivity, EigenvaluesAndTracesAreThoseOfAnExplicitHessian) {
  const Fixture fixture(0);
  const Parameters& parameters = fixture.objective->parameters();
  const std::int64_t n = parameters.size();
  const std::vector<double> hessian = explicit_hessian(fixture);
  const auto expect_same = [](const std::vector<Eigenpair>& found,
                              const std::vector<Eigenpair>& expected) {
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i].value, expected[i].value, 1e-6 * std::fabs(expected[i].value)) << i;
    }
  };
  LanczosOptions options;
  options.count = 5;
  expect_same(largest_eigenpairs(n, hessian_of(*fixture.objective, ignore), options),
              eigenpairs_of(hessian, n));
  const auto layers = layers_of(fixture.graph, parameters);
  ASSERT_EQ(layers.size(), 2u);
  for (const LayerSpan& layer : layers) {
    SCOPED_TRACE(layer.layer);
    expect_same(largest_eigenpairs(layer.last - layer.first,
                                   hessian_of(*fixture.objective, layer, ignore), options),
                eigenpairs_of(block_of(hessian, n, layer), layer.last - layer.first));
  }
  const auto traces =
      estimate_diagonal(parameters.first, hessian_of(*fixture.objective, ignore), n, {}, 0);
  for (std::size_t b = 0; b < traces.blocks.size(); ++b) {
    const std::int64_t first = b < layers.size() ? layers[b].first : 0;
    const std::int64_t last = b < layers.size() ? layers[b].last : n;
    double trace = 0;
    for (std::int64_t i = first; i < last; ++i) trace += hessian[i * n + i];
    EXPECT_NEAR(traces.blocks[b].trace, trace, 1e-6 * std::fabs(trace));
  }
}

TEST(Sensitivity, TaylorAndHessianGoByTheNumbersBeforeQuantizers) {
  Fixture fixture(0);
  const auto scores = [&](Metric metric) {
    RankOptions options;
    options.metric = metric;
    std::map<FaultSite, double> of;
    for (const RankedBit& bit : rank(*fixture.objective, fixture.space, options, ignore)) {
      of[bit.site] = bit.score;
    }
    return of;
  };
  std::map<Metric, std::map<FaultSite, double>> decoded;
  for (const Metric metric : {Metric::taylor, Metric::hessian, Metric::gradient}) {
    decoded[metric] = scores(metric);
  }
  for (StoredTensor& tensor : fixture.graph.stored) {
    for (std::size_t i = 0; i < tensor.words.size(); ++i) {
      const auto at = static_cast<std::int64_t>(i);
      tensor.latent.push_back(static_cast<float>(3 * real_value(tensor, at, tensor.words[i])));
    }
  }
  for (const auto& [metric, factor] :
       {std::pair(Metric::taylor, 9.0), std::pair(Metric::hessian, 3.0),
        std::pair(Metric::gradient, 1.0)}) {
    const auto latent = scores(metric);
    for (const auto& [site, score] : decoded[metric]) {
      EXPECT_NEAR(latent.at(site), factor * score, 1e-5 * factor * score);
    }
  }
}

/// In the last layer's weights the mean squared error is a parabola, and the score its curved part.
TEST(Sensitivity, FlipOfALastLayerIsTheCurvedPartOfTheChangeOfLoss) {
  const Fixture fixture(0, {.parts = {Part::weights}, .layers = {"fc2"}, .bits = "0-29"});
  RankOptions options;
  options.metric = Metric::flip;
  const Ranking ranking = rank(*fixture.objective, fixture.space, options, ignore);
  const auto changes = flip_changes(fixture.graph, fixture.space);
  const auto w = parameter_values(fixture.graph, fixture.objective->parameters());
  Objective faulty = *fixture.objective;
  const double golden = faulty.loss();
  for (const RankedBit& bit : ranking) {
    double curved = -golden;
    for (const double sign : {-1, 1}) {
      const double change = sign * changes[fixture.space.number(bit.site)];
      faulty.set(bit.site.index, w[bit.site.index] + change);
      curved += faulty.loss() / 2;
    }
    EXPECT_NEAR(bit.score, curved, 1e-9 * (golden + bit.score));
    faulty.set(bit.site.index, w[bit.site.index]);
  }
  EXPECT_TRUE(std::ranges::is_sorted(
      ranking, [](const RankedBit& a, const RankedBit& b) { return a.score > b.score; }));
}

/// Between a layer and the outputs nothing but a linear map: against the golden outputs the mean
/// squared error of a faulty network is then what the score estimates, for every flip, whatever it
/// wakes or saturates. Weights and biases of a quantized convolution, with normalization.
TEST(Sensitivity, FlipTakesTheStepThroughItsOwnLayerAsItIs) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 2, 5, 4});
  x = builder.fake_quantize("x_q", x, fixed_point(6, 2), false);
  const auto quantized = [&](const char* name, const Shape& shape, std::uint64_t stream) {
    const Symbol raw = testing::random_weights(builder, name, shape, stream);
    return builder.fake_quantize(std::string(name) + "_q", raw, fixed_point(5, 1), false);
  };
  const Convolution conv{.stride = {1, 1},
                         .dilation = {1, 1},
                         .pad_begin = {1, 0},
                         .pad_end = {0, 1},
                         .groups = 2,
                         .accumulation = {}};
  x = builder.add("conv", conv,
                  {x, quantized("conv.weight", {4, 1, 3, 2}, 1), quantized("conv.bias", {4}, 5)});
  const auto parameter = [&](const char* name, const Tensor& values) {
    return builder.initializer(name, values);
  };
  x = builder.add("bn", BatchNormalization{0.1},
                  {x, parameter("bn.weight", {.shape = {4}, .data = {1, 0.5, 2, -1}}),
                   parameter("bn.bias", {.shape = {4}, .data = {0.25, 0, -0.5, 0.5}}),
                   parameter("bn.mean", {.shape = {4}, .data = {0, 0.25, 0, 0.5}}),
                   parameter("bn.var", {.shape = {4}, .data = {1, 2, 0.5, 1}})});
  x = builder.add("relu", Unary{UnaryFunction::relu, 0, 0}, {x});
  x = builder.fake_quantize("relu_q", x, fixed_point(4, 1, false), false);
  x = builder.reshape(x, {1, element_count(x.shape)});
  x = builder.add("fc", MatrixProduct{},
                  {x, testing::random_weights(builder, "fc.weight", {x.shape[1], 3}, 2)});
  Graph graph = builder.finish("linear", {x}, {"y"});
  lower(graph);

  const FaultSpace space(graph,
                         {.parts = {Part::weights, Part::biases}, .layers = {"conv"}, .bits = {}});
  Samples samples;
  samples.count = 21;
  samples.values = testing::small_inputs(samples.count);
  samples.target_size = 3;
  samples.targets.assign(samples.count * 3, 0.0f);
  const Loss any({}, samples, 3);
  const Objective golden(graph, samples, any, parameters_of(graph, space));
  for (std::int64_t b = 0; b < golden.blocks(); ++b) {
    const auto values = golden.run(b);
    for (int lane = 0; lane < golden.samples_in(b); ++lane) {
      for (int v = 0; v < 3; ++v) {
        samples.targets[(b * Objective::kLanes + lane) * 3 + v] =
            static_cast<float>(values[golden.output()][v * Objective::kLanes + lane]);
      }
    }
  }
  RankOptions options{.metric = Metric::flip, .probes = 2000};
  const auto changes = flip_changes(graph, space);
  const auto w = parameter_values(graph, golden.parameters());
  Objective faulty = golden;
  for (const RankedBit& bit : rank(golden, space, options, ignore)) {
    const std::int64_t word = golden.parameters().first[bit.site.target] + bit.site.index;
    faulty.set(word, w[word] + changes[space.number(bit.site)]);
    const double loss = faulty.loss();
    EXPECT_NEAR(bit.score, loss, 0.1 * loss + 1e-12);
    faulty.set(word, w[word]);
  }
}

/// Of a classifier that is linear behind the struck layer, and sure of itself: how far the label's
/// probability really goes, also where its derivatives vanish.
TEST(Sensitivity, FlipOfAClassifierIsTheMoveOfItsAnswer) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 6});
  x = builder.add("fc1", MatrixProduct{}, {x, testing::random_weights(builder, "w1", {6, 5}, 1)});
  x = builder.add("relu", Unary{UnaryFunction::relu, 0, 0}, {x});
  x = builder.add("fc2", MatrixProduct{}, {x, testing::random_weights(builder, "w2", {5, 3}, 2)});
  const Symbol sure = builder.initializer("sure", {.shape = {1}, .data = {40}});
  x = builder.add("sharpen", Binary{BinaryFunction::multiply}, {x, sure});
  Graph graph = builder.finish("classifier", {x}, {"y"});
  lower(graph);
  const FaultSpace space(graph, {.parts = {Part::weights}, .layers = {"fc1", "fc2"}, .bits = {}});
  Samples samples;
  samples.count = 19;
  Random random(3, 1);
  for (int i = 0; i < 19 * 6; ++i) {
    samples.values.push_back(static_cast<float>(random.uniform() * 2 - 1));
  }
  for (int i = 0; i < 19; ++i) samples.labels.push_back(static_cast<int>(random.below(3)));
  const Loss loss({LossSpec::Kind::cross_entropy}, samples, 3);
  const Objective golden(graph, samples, loss, parameters_of(graph, space));
  const auto probabilities = [&](const Objective& objective) {
    std::vector<double> of_label;
    for (std::int64_t b = 0; b < objective.blocks(); ++b) {
      const auto values = objective.run(b);
      for (int lane = 0; lane < objective.samples_in(b); ++lane) {
        const auto y = [&](int k) {
          return values[objective.output()][k * Objective::kLanes + lane];
        };
        const int label = samples.labels[Objective::first_sample(b) + lane];
        double sum = 0;
        for (int k = 0; k < 3; ++k) sum += std::exp(y(k) - y(label));
        of_label.push_back(1 / sum);
      }
    }
    return of_label;
  };
  const auto before = probabilities(golden);
  const auto changes = flip_changes(graph, space);
  const auto w = parameter_values(graph, golden.parameters());
  Objective faulty = golden;
  int overturned = 0, finite = 0;
  for (const RankedBit& bit : rank(golden, space, {.metric = Metric::flip}, ignore)) {
    const std::int64_t word = golden.parameters().first[bit.site.target] + bit.site.index;
    const double change = changes[space.number(bit.site)];
    if (!std::isfinite(change)) {
      EXPECT_GE(bit.score, 0.5) << "no answer counts as all that can happen";
      continue;
    }
    ++finite;
    faulty.set(word, w[word] + change);
    const auto after = probabilities(faulty);
    double moved = 0;
    for (std::size_t i = 0; i < after.size(); ++i) moved += std::fabs(after[i] - before[i]) / 19;
    EXPECT_NEAR(bit.score, moved, 1e-6);
    overturned += moved > 0.1 ? 1 : 0;
    faulty.set(word, w[word]);
  }
  EXPECT_GT(finite, 1000);
  EXPECT_GT(overturned, 20);
}

TEST(Sensitivity, WordsThatOnlyMeetPadsMoveNothing) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 1, 1, 1});
  const Convolution conv{.stride = {1, 1},
                         .dilation = {1, 1},
                         .pad_begin = {1, 1},
                         .pad_end = {1, 1},
                         .groups = 1,
                         .accumulation = {}};
  x = builder.add("conv", conv, {x, testing::random_weights(builder, "w", {2, 1, 3, 3}, 1)});
  Graph graph = builder.finish("pads", {x}, {"y"});
  lower(graph);
  const FaultSpace space(graph, {.parts = {Part::weights}, .layers = {}, .bits = "20"});
  Samples samples;
  samples.count = 1;
  samples.values = {1};
  samples.targets = {0, 0};
  samples.target_size = 2;
  const Loss loss({}, samples, 2);
  const Objective objective(graph, samples, loss, parameters_of(graph, space));
  for (const RankedBit& bit : rank(objective, space, {.metric = Metric::flip}, ignore)) {
    EXPECT_EQ(bit.score > 0, bit.site.index % 9 == 4) << bit.site.index;
  }
}

TEST(Sensitivity, WordScoresFollowTheirFormulas) {
  const Fixture fixture(6);
  const auto w = latent_values(fixture.graph, fixture.objective->parameters());
  const auto g = fixture.objective->gradient();
  const Parameters& parameters = fixture.objective->parameters();
  const auto pairs =
      largest_eigenpairs(parameters.size(), hessian_of(*fixture.objective, ignore), {.count = 3});
  std::vector<double> combined(w.size(), 0.0);
  for (const Eigenpair& pair : pairs) {
    double along = 0;
    for (std::size_t i = 0; i < w.size(); ++i) along += pair.vector[i] * w[i];
    for (std::size_t i = 0; i < w.size(); ++i) combined[i] += pair.value * along * pair.vector[i];
  }
  const auto scores = [&](Metric metric, HessianVariant variant) {
    std::map<std::int64_t, double> by_word;
    const RankOptions options{.metric = metric, .variant = variant, .top = 3};
    for (const RankedBit& bit : rank(*fixture.objective, fixture.space, options, ignore)) {
      by_word[parameters.first[bit.site.target] + bit.site.index] = bit.score;
    }
    return by_word;
  };
  auto gradient = scores(Metric::gradient, {}), taylor = scores(Metric::taylor, {});
  auto exact = scores(Metric::hessian, HessianVariant::exact);
  auto paper = scores(Metric::hessian, HessianVariant::paper);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    EXPECT_EQ(gradient[at], std::fabs(g[i]));
    EXPECT_DOUBLE_EQ(taylor[at], g[i] * w[i] * g[i] * w[i]);
    EXPECT_NEAR(exact[at], std::fabs(combined[i]), 1e-9);
    EXPECT_NEAR(paper[at], combined[i], 1e-9);
  }
}

TEST(Sensitivity, TraceOfAFlipIsTheTraceOfTheFaultyNetwork) {
  const Fixture fixture(4, {.parts = {Part::weights}, .layers = {"conv"}, .bits = "msb:1"});
  RankOptions options{.metric = Metric::trace, .probes = fixture.objective->parameters().size()};
  const auto changes = flip_changes(fixture.graph, fixture.space);
  const auto w = parameter_values(fixture.graph, fixture.objective->parameters());
  for (const RankedBit& bit : rank(*fixture.objective, fixture.space, options, ignore)) {
    Objective faulty = *fixture.objective;
    faulty.set(bit.site.index, w[bit.site.index] + changes[fixture.space.number(bit.site)]);
    const auto traces = estimate_diagonal(faulty.parameters().first, hessian_of(faulty, ignore),
                                          options.probes, {}, 0);
    EXPECT_EQ(bit.score, traces.blocks.back().trace);
  }
}

TEST(Sensitivity, Mistakes) {
  EXPECT_NE(message_of([] { parse_metric("hesian"); }).find("hessian"), std::string::npos);
  EXPECT_NE(message_of([] { parse_variant("x"); }).find("exact, paper, code"), std::string::npos);
  const Graph graph = testing::small_network(6);
  const FaultSpace space(graph, {.parts = {Part::activations}, .layers = {}, .bits = {}});
  EXPECT_NE(message_of([&] { parameters_of(graph, space); }).find("not activations"),
            std::string::npos);
}

}  // namespace
}  // namespace flipscope
