#include "flipscope/analysis/local_step.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "flipscope/ops/affine_runs.h"
#include "flipscope/ops/dot.h"

namespace flipscope {
namespace {

constexpr int kLanes = Objective::kLanes;
constexpr std::int64_t kNoData = -1;
constexpr std::int64_t kMostClasses = 32;

/// One output of a layer that reads a constant's element: out += factor·Δ·data (data: 1 for a
/// bias).
struct Touch {
  std::int64_t output = 0, data = kNoData;
  double factor = 1;
};

/// A weighted node and the element-wise nodes that alone follow it.
struct Layer {
  const Node* node = nullptr;
  int data = -1;  ///< the value that it sums over
  std::vector<const Node*> then;
  int end = -1;  ///< the last value
};

/// Where a word enters a layer: an element of a constant, with the outputs it touches, which are
/// all of one channel.
struct Entry {
  std::size_t layer = 0;
  std::int64_t channel = 0;
  double factor = 1;  ///< ∂element/∂word
  std::vector<Touch> touches;
};

int only_reader(const Graph& graph, int value) {
  int reader = -1;
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const Input& input : graph.nodes[n].inputs) {
      if (input.kind != Input::Kind::value || input.id != value) continue;
      if (reader >= 0) return -1;
      reader = static_cast<int>(n);
    }
  }
  return reader;
}

bool is_product(const Node& node) {
  return std::holds_alternative<MatrixProduct>(node.op);
}

std::int64_t channels_of(const Node& node, const Shape& shape) {
  return is_product(node) ? shape.back() : shape[1];
}

/// True where the third input of a layer has one element for each channel.
bool is_bias(const Graph& graph, const Node& node) {
  const Shape& shape = node.inputs[2].shape;
  const std::int64_t channels = channels_of(node, graph.values[node.output].shape);
  return node.inputs[0].kind == Input::Kind::value && element_count(shape) == channels &&
         (!is_product(node) || (!shape.empty() && shape.back() == channels));
}

/// True where every input of `node` beside `value` is a constant with one element, or one per
/// channel of the layer's output.
bool is_per_channel(const Graph& graph, const Node& layer, const Node& node, int value) {
  const Shape& shape = graph.values[value].shape;
  if (std::ranges::count(shape, 1) + 1 < std::ssize(shape) && is_product(layer)) return false;
  const std::int64_t channels = channels_of(layer, shape);
  return std::ranges::all_of(node.inputs, [&](const Input& input) {
    if (input.kind == Input::Kind::value) return input.id == value && input.shape == shape;
    const std::int64_t elements = element_count(input.shape);
    if (elements == 1 || std::holds_alternative<BatchNormalization>(node.op)) return true;
    const std::size_t from_end = is_product(layer) ? 1 : shape.size() - 1;
    return elements == channels && input.shape.size() >= from_end &&
           input.shape[input.shape.size() - from_end] == channels;
  });
}

bool is_element_wise(const Node& node) {
  if (const auto* quantize = std::get_if<Quantize>(&node.op)) {
    return quantize->encoding.scale.size() == 1 && quantize->encoding.zero_point.size() == 1;
  }
  if (const auto* dequantize = std::get_if<Dequantize>(&node.op)) {
    return dequantize->scale.size() == 1;
  }
  return std::holds_alternative<Unary>(node.op) || std::holds_alternative<Binary>(node.op) ||
         std::holds_alternative<BatchNormalization>(node.op);
}

/// The layer of a node whose constant is input `operand`.
Layer layer_of(const Graph& graph, const Node& node, int data, int output) {
  Layer layer{&node, data, {}, node.output};
  while (layer.end != output) {
    const int next = only_reader(graph, layer.end);
    if (next < 0 || !is_element_wise(graph.nodes[next]) ||
        !is_per_channel(graph, node, graph.nodes[next], layer.end)) {
      break;
    }
    layer.then.push_back(&graph.nodes[next]);
    layer.end = graph.nodes[next].output;
  }
  return layer;
}

/// Element-wise nodes on `count` elements of one channel, in place.
void follow(const Objective& objective, const Layer& layer, std::int64_t channel,
            std::int64_t count, AlignedVector<double>& elements, AlignedVector<double>& scratch) {
  const Shape shape{1, 1, count}, one{1};
  for (const Node* node : layer.then) {
    std::vector<View<double>> views;
    for (const Input& input : node->inputs) {
      if (input.kind == Input::Kind::value) {
        views.push_back({elements.data(), &shape});
      } else {
        const std::vector<double>& constant = objective.constant(input.id);
        views.push_back({constant.data() + (constant.size() == 1 ? 0 : channel), &one, true});
      }
    }
    scratch.resize(elements.size());
    forward<double>(node->op, views, shape, scratch.data(), kLanes);
    elements.swap(scratch);
  }
}

class LocalSteps {
 public:
  LocalSteps(const Objective& objective, std::vector<WordFlips> flips) : objective_(objective) {
    std::vector<std::int64_t> at(objective.parameters().size(), -1);
    for (std::size_t i = 0; i < flips.size(); ++i) {
      at[flips[i].word] = static_cast<std::int64_t>(i);
    }
    entries_.resize(flips.size());
    std::vector<char> elsewhere(flips.size(), 0);
    const Graph& graph = objective.graph();
    for (const Node& node : graph.nodes) {
      for (std::size_t input = 0; input < node.inputs.size(); ++input) {
        if (node.inputs[input].kind != Input::Kind::constant) continue;
        add_entries(node, input, at, elsewhere);
      }
    }
    for (std::size_t i = 0; i < flips.size(); ++i) {
      const bool covered = !entries_[i].empty() && elsewhere[i] == 0;
      if (!covered) {
        left_.push_back(std::move(flips[i]));
        continue;
      }
      if (flips_.size() < i) entries_[flips_.size()] = std::move(entries_[i]);
      flips_.push_back(std::move(flips[i]));
    }
    entries_.resize(flips_.size());
  }

  const std::vector<WordFlips>& flips() const { return flips_; }
  /// Words that are read elsewhere too.
  const std::vector<WordFlips>& left() const { return left_; }

  /// Adds one block's samples to the scores.
  void add_block(std::int64_t b, std::int64_t probes, std::uint64_t seed,
                 std::vector<double>& score) {
    values_ = objective_.run(b);
    const std::int64_t outputs = std::ssize(values_[objective_.output()]) / kLanes;
    const bool classifies =
        objective_.loss_function().spec().kind == LossSpec::Kind::cross_entropy &&
        outputs <= kMostClasses;
    directions_.assign(classifies ? outputs : probes, {});
    tbb::parallel_for(std::int64_t{0}, std::ssize(directions_), [&](std::int64_t r) {
      const auto cotangents = classifies ? objective_.output_cotangents(values_, r)
                                         : objective_.curvature_cotangents(
                                               b, values_, seed, static_cast<std::uint64_t>(r));
      for (const Layer& layer : layers_) directions_[r].push_back(cotangents[layer.end]);
    });
    tbb::parallel_for(std::size_t{0}, flips_.size(), [&](std::size_t i) {
      for (std::size_t f = 0; f < flips_[i].change.size(); ++f) {
        const auto moves = along(entries_[i], flips_[i].change[f]);
        score[flips_[i].position[f]] += classifies ? answers_moved(b, moves) : curvature(moves);
      }
    });
  }

 private:
  void add_entries(const Node& node, std::size_t input, const std::vector<std::int64_t>& at,
                   std::vector<char>& elsewhere) {
    const int id = node.inputs[input].id;
    const std::vector<std::int64_t>& reads = objective_.reads(id);
    if (reads.empty()) return;
    const bool weighted = accumulation(node.op) != nullptr;
    const std::size_t other = input == 0 ? 1 : 0;
    if (!weighted || node.inputs[other].kind != Input::Kind::value ||
        (input == 2 && !is_bias(objective_.graph(), node))) {
      for (const std::int64_t word : reads) {
        if (word >= 0 && at[word] >= 0) elsewhere[at[word]] = 1;
      }
      return;
    }
    std::vector<std::optional<Entry>> made(reads.size());
    std::vector<char> split(reads.size(), 0);
    const auto touch = [&](std::int64_t element, std::int64_t channel, const Touch& what) {
      if (reads[element] < 0 || at[reads[element]] < 0) return;
      if (!made[element]) {
        made[element] = Entry{layers_.size(), channel, objective_.factors(id)[element], {}};
      }
      if (made[element]->channel != channel) split[element] = 1;
      made[element]->touches.push_back(what);
    };
    std::visit([&](const auto& op) { each_touch(op, node, input, touch); }, node.op);
    layers_.push_back(layer_of(objective_.graph(), node, node.inputs[input == 2 ? 0 : other].id,
                               objective_.output()));
    for (std::size_t e = 0; e < reads.size(); ++e) {
      const std::int64_t i = reads[e] < 0 ? -1 : at[reads[e]];
      if (i < 0) continue;
      if (split[e] != 0) elsewhere[i] = 1;
      // A word that no output reads (all its taps lie in pads) is covered, and moves nothing.
      if (!made[e]) made[e] = Entry{layers_.size() - 1, 0, 1, {}};
      entries_[i].push_back(std::move(*made[e]));
    }
  }

  template <typename Op, typename F>
  void each_touch(const Op& op, const Node& node, std::size_t input, F touch) const {
    if constexpr (requires { op.accumulation; }) {
      const Shape& out = objective_.graph().values[node.output].shape;
      if (input == 2) {
        const std::int64_t plane = is_product(node) ? 1 : strides_of(out)[1];
        const std::int64_t channels = channels_of(node, out), elements = element_count(out);
        for (std::int64_t o = 0; o < elements; ++o) {
          const std::int64_t c = o / plane % channels;
          touch(c, c, Touch{o, kNoData, rescale_of(op.accumulation, c)});
        }
        return;
      }
      for_each_term(op, node.inputs[0].shape, node.inputs[1].shape, out, [&](const AffineTerm& t) {
        touch(input == 0 ? t.first : t.second, t.channel,
              Touch{t.output, input == 0 ? t.second : t.first,
                    rescale_of(op.accumulation, t.channel)});
      });
    }
  }

  /// The layer's output elements that a word touches, moved by its change.
  void move(const Entry& entry, double change, AlignedVector<double>& moved) const {
    const AlignedVector<double>& sums = values_[layers_[entry.layer].node->output];
    moved.resize(entry.touches.size() * kLanes);
    for (std::size_t k = 0; k < entry.touches.size(); ++k) {
      const Touch& touch = entry.touches[k];
      const double step = touch.factor * entry.factor * change;
      const double* sum = sums.data() + touch.output * kLanes;
      double* to = moved.data() + k * kLanes;
      if (touch.data == kNoData) {
        for (int l = 0; l < kLanes; ++l) to[l] = sum[l] + step;
      } else {
        const double* x = values_[layers_[entry.layer].data].data() + touch.data * kLanes;
        for (int l = 0; l < kLanes; ++l) to[l] = sum[l] + step * x[l];
      }
    }
  }

  using Lanes = std::array<double, kLanes>;

  /// q·d of every direction q and sample.
  std::vector<Lanes> along(const std::vector<Entry>& entries, double change) const {
    std::vector<Lanes> moves(directions_.size());
    AlignedVector<double> moved, scratch;
    for (const Entry& entry : entries) {
      const Layer& layer = layers_[entry.layer];
      move(entry, change, moved);
      follow(objective_, layer, entry.channel, std::ssize(entry.touches), moved, scratch);
      for (std::size_t k = 0; k < entry.touches.size(); ++k) {
        const std::int64_t at = entry.touches[k].output * kLanes;
        const double* golden = values_[layer.end].data() + at;
        Lanes d{};
        bool any = false;
        for (int l = 0; l < kLanes; ++l) {
          d[l] = moved[k * kLanes + l] - golden[l];
          any = any || d[l] != 0;
        }
        for (std::size_t r = 0; any && r < directions_.size(); ++r) {
          if (directions_[r][entry.layer].empty()) continue;  // no path to the loss
          const double* const q = directions_[r][entry.layer].data() + at;
          Lanes sum = moves[r];
          for (int l = 0; l < kLanes; ++l) sum[l] += q[l] * d[l];
          moves[r] = sum;
        }
      }
    }
    return moves;
  }

  /// Σ over a block's samples of ½·dᵀGd. (Lanes without a sample have no cotangents.)
  double curvature(const std::vector<Lanes>& moves) const {
    double sum = 0;
    for (const Lanes& lanes : moves) {
      for (const double q : lanes) sum += q * q;
    }
    return sum / (2 * static_cast<double>(moves.size()));
  }

  double answers_moved(std::int64_t b, const std::vector<Lanes>& moves) const {
    const double* y = values_[objective_.output()].data();
    double sum = 0;
    for (int lane = 0; lane < objective_.samples_in(b); ++lane) {
      bool any = false;
      for (const Lanes& lanes : moves) any = any || lanes[lane] != 0;
      if (!any) continue;
      sum += objective_.loss_function().answer_moved(Objective::first_sample(b) + lane, y + lane,
                                                     moves.front().data() + lane, kLanes);
    }
    return sum;
  }

  const Objective& objective_;
  std::vector<Layer> layers_;
  std::vector<WordFlips> flips_, left_;
  std::vector<std::vector<Entry>> entries_;  ///< [flip]
  BlockValues<double> values_;
  /// [direction][layer][element][lane]: probes of the curvature, or rows of the Jacobian.
  std::vector<std::vector<AlignedVector<double>>> directions_;
};

}  // namespace

std::vector<WordFlips> score_locally(const Objective& objective, std::vector<WordFlips> flips,
                                     std::int64_t probes, std::uint64_t seed,
                                     std::vector<double>& score, const KeptSteps& kept,
                                     const std::function<void(std::uint64_t)>& progress) {
  LocalSteps steps(objective, std::move(flips));
  for (const WordFlips& word : steps.flips()) {
    for (const std::uint64_t k : word.position) score[k] = 0;
  }
  // A number for each flip is kept each time, so few times, however many the samples.
  constexpr std::int64_t kMostParts = 8;
  const std::int64_t blocks = objective.blocks(), parts = std::min(blocks, kMostParts);
  for (std::int64_t part = 0; part < parts; ++part) {
    const std::int64_t end = blocks * (part + 1) / parts;
    score = kept.step(static_cast<std::uint64_t>(part), [&] {
      for (std::int64_t b = blocks * part / parts; b < end; ++b) {
        steps.add_block(b, probes, seed, score);
        progress(static_cast<std::uint64_t>(b + 1));
      }
      return std::move(score);
    });
    progress(static_cast<std::uint64_t>(end));
  }
  std::int64_t samples = 0;
  for (std::int64_t b = 0; b < blocks; ++b) samples += objective.samples_in(b);
  for (const WordFlips& word : steps.flips()) {
    for (const std::uint64_t k : word.position) score[k] /= static_cast<double>(samples);
  }
  return steps.left();
}

}  // namespace flipscope
