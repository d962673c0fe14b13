#include "flipscope/engine/backward.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <cmath>

#include "flipscope/engine/test_random_network.h"
#include "flipscope/numeric/test_error.h"

namespace flipscope {
namespace {

/// All stored tensors of a graph that a fault can strike.
std::vector<int> every_tensor(const Graph& graph) {
  std::vector<int> ids;
  for (std::size_t i = 0; i < graph.stored.size(); ++i) {
    if (graph.stored[i].part != Part::none) ids.push_back(static_cast<int>(i));
  }
  return ids;
}

Samples samples_for(const Graph& graph, testing::RandomNetwork& network, int count) {
  Samples samples;
  samples.count = count;
  samples.values = network.samples(graph, count);
  samples.target_size = element_count(graph.values[graph.outputs[0]].shape);
  Random random(3);
  for (std::int64_t i = 0; i < count * samples.target_size; ++i) {
    samples.targets.push_back(static_cast<float>(random.uniform() - 0.5));
  }
  for (int i = 0; i < count; ++i) {
    samples.labels.push_back(static_cast<std::int32_t>(random.below(samples.target_size)));
  }
  return samples;
}

/// A float network: tanh between two dense layers, then softmax.
Graph smooth_network() {
  GraphBuilder builder("test", Layout::channel_first);
  Random random(5);
  const auto weights = [&](const char* name, const Shape& shape) {
    Tensor tensor{.shape = shape, .data = {}};
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
      tensor.data.push_back(static_cast<float>(random.normal() * 0.7));
    }
    return builder.initializer(name, tensor);
  };
  Symbol x = builder.add_input("x", {1, 3});
  x = builder.add("fc1", MatrixProduct{},
                  {x, weights("fc1.weight", {3, 4}), weights("fc1.bias", {4})});
  x = builder.add("tanh", Unary{UnaryFunction::tanh}, {x});
  x = builder.add("fc2", MatrixProduct{}, {x, weights("fc2.weight", {4, 3})});
  x = builder.add("softmax", Softmax{}, {x});
  Graph graph = builder.finish("smooth", {x}, {"y"});
  lower(graph);
  return graph;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

std::vector<double> random_direction(std::int64_t size) {
  Random random(11);
  std::vector<double> direction(size);
  for (double& x : direction) x = random.normal();
  return direction;
}

void move(Objective& objective, const std::vector<double>& at, const std::vector<double>& along,
          double step) {
  for (std::size_t p = 0; p < at.size(); ++p) {
    objective.set(static_cast<std::int64_t>(p), at[p] + step * along[p]);
  }
}

bool is_smooth(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (std::holds_alternative<Quantize>(node.op)) return false;
  }
  return true;
}

TEST(Backward, GradientAndHessianOfFloatNetworksAreWhatFiniteDifferencesSay) {
  constexpr double kStep = 1e-6;
  int networks = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    testing::RandomNetwork network(seed);
    const Graph graph = network.make();
    if (!is_smooth(graph)) continue;
    ++networks;
    const Samples samples = samples_for(graph, network, 19);
    const auto outputs = element_count(graph.values[graph.outputs[0]].shape);
    const Loss loss({seed % 2 == 0 ? LossSpec::Kind::mse : LossSpec::Kind::cross_entropy}, samples,
                    outputs);
    Objective objective(graph, samples, loss, Parameters(graph, every_tensor(graph)));
    const auto at = parameter_values(graph, objective.parameters());
    const auto along = random_direction(objective.parameters().size());
    const auto gradient = objective.gradient();
    const auto product = objective.hessian_product(along);

    move(objective, at, along, kStep);
    const double up = objective.loss();
    const auto gradient_up = objective.gradient();
    move(objective, at, along, -kStep);
    const double down = objective.loss();
    const auto gradient_down = objective.gradient();

    double size = 0;
    for (const double h : product) size = std::max(size, std::abs(h));
    EXPECT_NEAR(dot(gradient, along), (up - down) / (2 * kStep), 1e-6 * (1 + std::abs(up)));
    for (std::size_t p = 0; p < at.size(); ++p) {
      EXPECT_NEAR(product[p], (gradient_up[p] - gradient_down[p]) / (2 * kStep), 1e-5 * (1 + size));
    }
  }
  EXPECT_GT(networks, 15);
}

TEST(Backward, HessianOfQuantizedNetworksIsSymmetric) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    testing::RandomNetwork network(seed);
    const Graph graph = network.make();
    const Samples samples = samples_for(graph, network, 5);
    const Loss loss({}, samples, samples.target_size);
    const Objective objective(graph, samples, loss, Parameters(graph, every_tensor(graph)));
    const auto a = random_direction(objective.parameters().size());
    auto b = a;
    std::ranges::reverse(b);
    const double one = dot(a, objective.hessian_product(b));
    const double other = dot(b, objective.hessian_product(a));
    EXPECT_NEAR(one, other, 1e-10 * (1 + std::abs(one)));
  }
}

/// y = Q(w·x) with a step of 1/8 and Σ(y − t)²: by straight-through ∂/∂w = 2(y − t)·x and the
/// Hessian is 2x², whatever the rounding.
TEST(Backward, StraightThroughByHand) {
  GraphBuilder builder("test", Layout::channel_first);
  Symbol x = builder.add_input("x", {1, 1});
  x = builder.fake_quantize("in", x, fixed_point(6, 2), false);
  Symbol w = builder.initializer("fc.weight", {.shape = {1, 1}, .data = {0.75}});
  w = builder.fake_quantize("wq", w, fixed_point(4, 1), false);
  Symbol y = builder.add("fc", MatrixProduct{}, {x, w});
  y = builder.fake_quantize("out", y, fixed_point(6, 3), false);
  Graph graph = builder.finish("one", {y}, {"y"});
  lower(graph);
  Samples samples;
  samples.count = 2;
  samples.values = {1.0625f, 100};  // read as 1.0625; as 1.9375, the largest: y = 1.453 → 1.5
  samples.targets = {0.5f, 1};
  samples.target_size = 1;
  const Loss loss({}, samples, 1);
  const Objective objective(graph, samples, loss, Parameters(graph, every_tensor(graph)));
  EXPECT_EQ(parameter_values(graph, objective.parameters()), std::vector<double>{0.75});
  const double y0 = 0.75, y1 = 1.5, x0 = 1.0625, x1 = 1.9375;  // 1.0625·0.75 = 0.797 → 0.75
  EXPECT_DOUBLE_EQ(objective.loss(), ((y0 - 0.5) * (y0 - 0.5) + (y1 - 1) * (y1 - 1)) / 2);
  EXPECT_DOUBLE_EQ(objective.gradient()[0], (2 * (y0 - 0.5) * x0 + 2 * (y1 - 1) * x1) / 2);
  EXPECT_DOUBLE_EQ(objective.hessian_product(std::vector<double>{1})[0],
                   (2 * x0 * x0 + 2 * x1 * x1) / 2);
}

TEST(Backward, CrossEntropyReadsTheInputOfAFinalSoftmax) {
  const Graph graph = smooth_network();
  const int read = Objective::loss_input(graph, {LossSpec::Kind::cross_entropy});
  EXPECT_EQ(read, graph.nodes.back().inputs[0].id);
  EXPECT_EQ(Objective::loss_input(graph, {LossSpec::Kind::mse}), graph.outputs[0]);
}

TEST(Backward, ResultsDoNotDependOnThreads) {
  testing::RandomNetwork network(4);
  const Graph graph = network.make();
  const Samples samples = samples_for(graph, network, 333);
  const Loss loss({}, samples, samples.target_size);
  const Objective objective(graph, samples, loss, Parameters(graph, every_tensor(graph)));
  const auto direction = random_direction(objective.parameters().size());
  const auto gradient = objective.gradient(), product = objective.hessian_product(direction);
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  EXPECT_EQ(objective.gradient(), gradient);
  EXPECT_EQ(objective.hessian_product(direction), product);
}

}  // namespace
}  // namespace flipscope
