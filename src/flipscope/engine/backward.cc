#include "flipscope/engine/backward.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cassert>
#include <utility>

#include "flipscope/engine/line_check.h"
#include "flipscope/numeric/aligned.h"
#include "flipscope/numeric/error.h"
#include "flipscope/ops/derivative.h"

namespace flipscope {
namespace {

constexpr int kLanes = Objective::kLanes;

/// Blocks are dealt to this many sums, which are added in order: a number that results depend on,
/// and so no function of the threads.
constexpr std::int64_t kSums = 16;

template <typename T>
using Constants = std::vector<std::vector<T>>;

template <typename T>
View<T> view_of(const Input& input, const BlockValues<T>& values, const Constants<T>& constants) {
  if (input.kind == Input::Kind::value) return {values[input.id].data(), &input.shape};
  if (input.kind == Input::Kind::constant) return {constants[input.id].data(), &input.shape, true};
  return {};
}

template <typename T>
std::vector<View<T>> views_of(const Node& node, const BlockValues<T>& values,
                              const Constants<T>& constants) {
  std::vector<View<T>> views;
  for (const Input& input : node.inputs) views.push_back(view_of(input, values, constants));
  return views;
}

/// Pairs numbers with their tangents (an empty vector: zero).
template <typename Numbers>
auto paired(const Numbers& values, const Numbers& tangents, auto made) {
  made.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    made[i] = Dual(values[i], tangents.empty() ? 0 : tangents[i]);
  }
  return made;
}

}  // namespace

Parameters::Parameters(const Graph& graph, std::vector<int> tensors)
    : stored(std::move(tensors)), first{0} {
  for (const int id : stored) first.push_back(first.back() + element_count(graph.stored[id].shape));
}

std::vector<double> parameter_values(const Graph& graph, const Parameters& parameters) {
  std::vector<double> values;
  for (const int id : parameters.stored) {
    const StoredTensor& tensor = graph.stored[id];
    for (std::size_t i = 0; i < tensor.words.size(); ++i) {
      values.push_back(real_value(tensor, static_cast<std::int64_t>(i), tensor.words[i]));
    }
  }
  return values;
}

std::vector<double> latent_values(const Graph& graph, const Parameters& parameters) {
  std::vector<double> values = parameter_values(graph, parameters);
  for (std::size_t k = 0; k < parameters.stored.size(); ++k) {
    const std::vector<float>& latent = graph.stored[parameters.stored[k]].latent;
    std::ranges::copy(latent, values.begin() + parameters.first[k]);
  }
  return values;
}

template <typename T>
struct Objective::Sums {
  double loss = 0;
  Constants<T> constants;  ///< cotangents, [constant][element]; empty where no parameter is read

  void add(const Sums& other) {
    loss += other.loss;
    for (std::size_t c = 0; c < constants.size(); ++c) {
      for (std::size_t i = 0; i < constants[c].size(); ++i) {
        constants[c][i] += other.constants[c][i];
      }
    }
  }
};

int Objective::loss_input(const Graph& graph, const LossSpec& spec) {
  if (graph.inputs.size() != 1 || graph.outputs.size() != 1) {
    fail("loss", "'{}' has {} inputs and {} outputs; derivatives need one of each", graph.name,
         graph.inputs.size(), graph.outputs.size());
  }
  return spec.kind == LossSpec::Kind::cross_entropy ? decision_input(graph) : graph.outputs.front();
}

Objective::Objective(const Graph& graph, const Samples& samples, const Loss& loss,
                     Parameters parameters)
    : graph_(&graph),
      samples_(&samples),
      loss_(&loss),
      parameters_(std::move(parameters)),
      output_(loss_input(graph, loss.spec())),
      reads_(graph.constants.size()),
      factors_(graph.constants.size()),
      varies_(graph.values.size(), 0) {
  for (std::size_t c = 0; c < graph.constants.size(); ++c) {
    const Constant& constant = graph.constants[c];
    constants_.push_back(read_constant(graph, constant));
    const auto at = std::ranges::find(parameters_.stored, constant.stored);
    if (at == parameters_.stored.end()) continue;
    const std::int64_t first = parameters_.first[at - parameters_.stored.begin()];
    const StoredTensor& stored = graph.stored[constant.stored];
    for (std::size_t i = 0; i < constants_[c].size(); ++i) {
      const std::int64_t from =
          constant.source.empty() ? static_cast<std::int64_t>(i) : constant.source[i];
      if (from < 0) {
        reads_[c].push_back(-1);
        factors_[c].push_back(0);
        continue;
      }
      const std::size_t channel = stored.encoding.channel(from, stored.shape);
      reads_[c].push_back(first + from);
      factors_[c].push_back(constant.scale[constant.scale.size() == 1 ? 0 : channel] /
                            stored.encoding.scale_of(channel));
    }
  }
  for (const Node& node : graph.nodes) {
    for (const Input& input : node.inputs) {
      const bool moves = (input.kind == Input::Kind::value && varies_[input.id] != 0) ||
                         (input.kind == Input::Kind::constant && !reads_[input.id].empty());
      if (moves) varies_[node.output] = 1;
    }
  }
}

void Objective::set(std::int64_t parameter, double value) {
  for (std::size_t c = 0; c < constants_.size(); ++c) {
    for (std::size_t i = 0; i < reads_[c].size(); ++i) {
      if (reads_[c][i] == parameter) constants_[c][i] = value * factors_[c][i];
    }
  }
}

std::int64_t Objective::blocks() const {
  return (samples_->count + kLanes - 1) / kLanes;
}

int Objective::samples_in(std::int64_t b) const {
  return static_cast<int>(std::min<std::int64_t>(kLanes, samples_->count - b * kLanes));
}

BlockValues<double> Objective::run(std::int64_t b) const {
  const std::int64_t first = b * kLanes;
  const int count = samples_in(b);
  BlockValues<double> values(graph_->values.size());
  const int input = graph_->inputs.front();
  const std::int64_t elements = element_count(graph_->values[input].shape);
  values[input].resize(elements * kLanes);
  for (std::int64_t e = 0; e < elements; ++e) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::int64_t sample = first + std::min(lane, count - 1);
      values[input][e * kLanes + lane] = samples_->values[sample * elements + e];
    }
  }
  for (const Node& node : graph_->nodes) {
    const Shape& shape = graph_->values[node.output].shape;
    AlignedVector<double>& out = values[node.output];
    out.resize(element_count(shape) * kLanes);
    forward<double>(node.op, views_of<double>(node, values, constants_), shape, out.data(), kLanes);
  }
  return values;
}

BlockValues<double> Objective::push_tangents(const BlockValues<double>& values,
                                             const Constants<double>& constant_tangents) const {
  BlockValues<double> tangents(values.size());
  for (const Node& node : graph_->nodes) {
    if (varies_[node.output] == 0) continue;
    std::vector<const double*> from;
    for (const Input& input : node.inputs) {
      const bool value = input.kind == Input::Kind::value && varies_[input.id] != 0;
      const bool constant = input.kind == Input::Kind::constant && !reads_[input.id].empty();
      from.push_back(value      ? tangents[input.id].data()
                     : constant ? constant_tangents[input.id].data()
                                : nullptr);
    }
    AlignedVector<double>& out = tangents[node.output];
    out.resize(values[node.output].size());
    jvp(node.op, views_of<double>(node, values, constants_), graph_->values[node.output].shape,
        values[node.output].data(), from, out.data(), kLanes);
  }
  return tangents;
}

/// With sums, cotangents are given up once they have been passed on.
template <typename T>
void Objective::pull_back(const BlockValues<T>& values, const Constants<T>& constants,
                          BlockValues<T>& cotangents, Sums<T>* sums) const {
  for (std::size_t n = graph_->nodes.size(); n-- > 0;) {
    const Node& node = graph_->nodes[n];
    AlignedVector<T>& cotangent = cotangents[node.output];
    if (cotangent.empty()) continue;
    std::vector<T*> to;
    for (const Input& input : node.inputs) {
      T* target = nullptr;
      if (input.kind == Input::Kind::value && varies_[input.id] != 0) {
        if (cotangents[input.id].empty()) {
          cotangents[input.id].assign(values[input.id].size(), T(0));
        }
        target = cotangents[input.id].data();
      } else if (sums && input.kind == Input::Kind::constant && !reads_[input.id].empty()) {
        target = sums->constants[input.id].data();
      }
      to.push_back(target);
    }
    vjp<T>(node.op, views_of<T>(node, values, constants), graph_->values[node.output].shape,
           values[node.output].data(), cotangent.data(), to, kLanes);
    if (sums) AlignedVector<T>().swap(cotangent);
  }
}

template <typename T>
BlockValues<T> Objective::loss_seed(std::int64_t b, const BlockValues<T>& values) const {
  BlockValues<T> cotangents(values.size());
  cotangents[output_].resize(values[output_].size());
  loss_->derive<T>(b * kLanes, samples_in(b), values[output_].data(), kLanes,
                   cotangents[output_].data());
  return cotangents;
}

/// Runs `block(b, sums)` on all blocks of samples.
template <typename T, typename Block>
Objective::Sums<T> Objective::over_blocks(const Block& block) const {
  std::vector<Sums<T>> all(std::min(blocks(), kSums));
  tbb::parallel_for(std::size_t{0}, all.size(), [&](std::size_t s) {
    Sums<T>& sums = all[s];
    for (const auto& reads : reads_) sums.constants.emplace_back(reads.size());
    for (auto b = static_cast<std::int64_t>(s); b < blocks(); b += kSums) block(b, sums);
  });
  for (std::size_t s = 1; s < all.size(); ++s) all[0].add(all[s]);
  return std::move(all[0]);
}

std::vector<double> Objective::to_parameters(const Constants<double>& constants) const {
  const auto samples = static_cast<double>(samples_->count);
  std::vector<double> result(parameters_.size(), 0.0);
  for (std::size_t c = 0; c < constants.size(); ++c) {
    for (std::size_t i = 0; i < constants[c].size(); ++i) {
      if (reads_[c][i] < 0) continue;
      result[reads_[c][i]] += factors_[c][i] * constants[c][i] / samples;
    }
  }
  return result;
}

double Objective::loss() const {
  const auto sums = over_blocks<double>([&](std::int64_t b, Sums<double>& to) {
    const BlockValues<double> values = run(b);
    AlignedVector<double> unused(values[output_].size());
    to.loss += loss_->derive<double>(b * kLanes, samples_in(b), values[output_].data(), kLanes,
                                     unused.data());
  });
  return sums.loss / static_cast<double>(samples_->count);
}

std::vector<double> Objective::gradient() const {
  const auto sums = over_blocks<double>([&](std::int64_t b, Sums<double>& to) {
    const BlockValues<double> values = run(b);
    BlockValues<double> cotangents = loss_seed<double>(b, values);
    pull_back<double>(values, constants_, cotangents, &to);
  });
  return to_parameters(sums.constants);
}

BlockValues<double> Objective::loss_cotangents(std::int64_t b,
                                               const BlockValues<double>& values) const {
  BlockValues<double> cotangents = loss_seed<double>(b, values);
  pull_back<double>(values, constants_, cotangents, nullptr);
  return cotangents;
}

BlockValues<double> Objective::curvature_cotangents(std::int64_t b,
                                                    const BlockValues<double>& values,
                                                    std::uint64_t seed, std::uint64_t probe) const {
  BlockValues<double> cotangents(values.size());
  cotangents[output_].resize(values[output_].size());
  loss_->probe_curvature(b * kLanes, samples_in(b), values[output_].data(), kLanes, seed, probe,
                         cotangents[output_].data());
  pull_back<double>(values, constants_, cotangents, nullptr);
  return cotangents;
}

BlockValues<double> Objective::output_cotangents(const BlockValues<double>& values,
                                                 std::int64_t element) const {
  BlockValues<double> cotangents(values.size());
  cotangents[output_].assign(values[output_].size(), 0.0);
  std::fill_n(cotangents[output_].data() + element * kLanes, kLanes, 1.0);
  pull_back<double>(values, constants_, cotangents, nullptr);
  return cotangents;
}

std::vector<double> Objective::hessian_product(std::span<const double> direction) const {
  assert(std::ssize(direction) == parameters_.size());
  Constants<double> tangents(constants_.size());
  Constants<Dual> constants;
  for (std::size_t c = 0; c < constants_.size(); ++c) {
    for (std::size_t i = 0; i < reads_[c].size(); ++i) {
      const std::int64_t parameter = reads_[c][i];
      tangents[c].push_back(parameter < 0 ? 0 : direction[parameter] * factors_[c][i]);
    }
    constants.push_back(paired(constants_[c], tangents[c], std::vector<Dual>()));
  }
  const auto sums = over_blocks<Dual>([&](std::int64_t b, Sums<Dual>& to) {
    BlockValues<double> values = run(b);
    BlockValues<double> value_tangents = push_tangents(values, tangents);
    BlockValues<Dual> dual;
    for (std::size_t v = 0; v < values.size(); ++v) {
      dual.push_back(paired(values[v], value_tangents[v], AlignedVector<Dual>()));
      AlignedVector<double>().swap(values[v]);
      AlignedVector<double>().swap(value_tangents[v]);
    }
    BlockValues<Dual> cotangents = loss_seed<Dual>(b, dual);
    pull_back<Dual>(dual, constants, cotangents, &to);
  });
  Constants<double> derived;
  for (const std::vector<Dual>& cotangents : sums.constants) {
    derived.emplace_back();
    for (const Dual x : cotangents) derived.back().push_back(x.tangent);
  }
  return to_parameters(derived);
}

}  // namespace flipscope
