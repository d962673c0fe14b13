#include "flipscope/engine/code_steps.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace flipscope {
namespace {

/// Codes of many sums: [channel][probe].
class ChainRun {
 public:
  ChainRun(const Program& program, const CodeChain& chain, int probes)
      : program_(program), chain_(chain), probes_(probes) {}

  AlignedVector<float> operator()(const std::vector<std::int64_t>& sums) const {
    AlignedVector<float> values(sums.size()), next(sums.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double factor =
          chain_.rescale[chain_.rescale.size() == 1 ? 0 : i / static_cast<std::size_t>(probes_)];
      values[i] = static_cast<float>(static_cast<double>(sums[i]) * factor);
    }
    const Graph& graph = *program_.graph;
    for (int n : chain_.nodes) {
      const Node& node = graph.nodes[n];
      Shape shape(graph.values[node.output].shape.size(), 1);
      shape[1] = chain_.channels;
      std::vector<View<float>> views;
      for (const Input& input : node.inputs) {
        if (input.kind == Input::Kind::value) {
          views.push_back({values.data(), &shape, false, nullptr});
        } else if (input.kind == Input::Kind::constant) {
          views.push_back({program_.constants[input.id].data(), &input.shape, true,
                           program_.wide[input.id].data()});
        } else {
          views.push_back({});
        }
      }
      forward<float>(node.op, views, shape, next.data(), probes_);
      values.swap(next);
    }
    return values;
  }

 private:
  const Program& program_;
  const CodeChain& chain_;
  int probes_;
};

/// (sum − shift)·factor + offset, as real numbers.
struct Line {
  double shift = 0, factor = 1, offset = 0;

  void add(double x) { offset += x; }
  void multiply(double x) {
    factor *= x;
    offset *= x;
  }
};

/// The chain of one channel, clipping left aside.
Line line_of(const Program& program, const CodeChain& chain, std::int64_t channel) {
  const auto at = [channel](const auto& numbers) {
    return static_cast<double>(numbers[numbers.size() == 1 ? 0 : channel]);
  };
  Line line{.factor = at(chain.rescale)};
  for (int n : chain.nodes) {
    const Node& node = program.graph->nodes[n];
    if (const auto* normalization = std::get_if<BatchNormalization>(&node.op)) {
      const auto parameter = [&](int k) { return program.constants[node.inputs[k].id][channel]; };
      const float factor =
          parameter(1) / std::sqrt(parameter(4) + static_cast<float>(normalization->epsilon));
      if (line.offset == 0) {
        line.shift = line.factor == 0 ? 0 : line.shift + parameter(3) / line.factor;
      } else {
        line.add(-parameter(3));
      }
      line.multiply(factor);
      line.add(parameter(2));
    } else if (const auto* binary = std::get_if<Binary>(&node.op)) {
      const bool reversed = node.inputs[0].kind == Input::Kind::constant;
      const double x = at(program.constants[node.inputs[reversed ? 0 : 1].id]);
      if (binary->function == BinaryFunction::add) {
        line.add(x);
      } else if (binary->function == BinaryFunction::subtract) {
        if (reversed) line.multiply(-1);
        line.add(reversed ? x : -x);
      } else if (binary->function == BinaryFunction::multiply) {
        line.multiply(x);
      } else if (binary->function == BinaryFunction::divide) {
        line.multiply(1 / x);
      }
    } else if (const auto* quantize = std::get_if<Quantize>(&node.op)) {
      line.multiply(1 / static_cast<double>(static_cast<float>(at(quantize->encoding.scale))));
    } else if (const auto* dequantize = std::get_if<Dequantize>(&node.op)) {
      line.multiply(at(dequantize->scale));
    }
  }
  return line;
}

/// The steps of one channel, from low codes to high ones along sign·sum.
struct Steps {
  std::int64_t sign = 1;
  int lowest = 0, highest = 0;
  std::vector<std::int64_t> first;  ///< smallest sign·sum of code lowest + 1, lowest + 2, …
};

/// Steps that are searched together in each channel, and most steps of a channel times channels.
constexpr std::int64_t kProbes = 256;
constexpr std::int64_t kMostSteps = std::int64_t{1} << 22;

/// The codes at both ends, without the steps between them. Nothing where one lies outside
/// 0 … codes − 1, or there would be too many steps.
std::optional<std::vector<Steps>> find_ends(const Program& program, const CodeChain& chain,
                                            std::int64_t bound, int zero, int codes) {
  const ChainRun ends(program, chain, kLaneGroup);
  std::vector<std::int64_t> sums(chain.channels * kLaneGroup, -bound);
  const AlignedVector<float> low = ends(sums);
  std::fill(sums.begin(), sums.end(), bound);
  const AlignedVector<float> high = ends(sums);
  std::vector<Steps> steps(chain.channels);
  std::int64_t longest = 0;
  for (std::int64_t c = 0; c < chain.channels; ++c) {
    const float a = low[c * kLaneGroup] + static_cast<float>(zero);
    const float b = high[c * kLaneGroup] + static_cast<float>(zero);
    const auto most = static_cast<float>(codes - 1);
    if (!(a >= 0 && a <= most && b >= 0 && b <= most)) return {};
    steps[c].sign = a <= b ? 1 : -1;
    steps[c].lowest = static_cast<int>(std::min(a, b));
    steps[c].highest = static_cast<int>(std::max(a, b));
    longest = std::max<std::int64_t>(longest, steps[c].highest - steps[c].lowest);
  }
  if (chain.channels * longest > kMostSteps) return {};
  return steps;
}

/// Finds steps first … first + kProbes − 1 of all channels that have them, by bisection that begins
/// beside the line.
void find_stretch(const ChainRun& run, const std::vector<Line>& lines, std::int64_t bound,
                  std::int64_t first, int zero, std::vector<Steps>& steps) {
  struct Search {
    std::int64_t before, after;  ///< the code of sign·sum = before is below the wanted one
    double guess;
    float wanted;
  };
  std::vector<Search> searches(steps.size() * kProbes, {0, 0, 0, 0});
  for (std::size_t i = 0; i < searches.size(); ++i) {
    const Steps& own = steps[i / kProbes];
    const Line& line = lines[i / kProbes];
    const std::int64_t code = own.lowest + 1 + first + static_cast<std::int64_t>(i % kProbes);
    if (code > own.highest) continue;
    const auto wanted = static_cast<double>(code);
    const double at = (wanted - 0.5 - line.offset) / line.factor + line.shift;
    searches[i] = {-bound, bound, static_cast<double>(own.sign) * at,
                   static_cast<float>(code - zero)};
  }
  std::vector<std::int64_t> probes(searches.size());
  std::vector<std::int64_t> sums(searches.size());
  bool open = true;
  for (int pass = 0; open; ++pass) {
    for (std::size_t i = 0; i < searches.size(); ++i) {
      const Search& search = searches[i];
      probes[i] = search.before + (search.after - search.before) / 2;
      const double beside = search.guess + (pass == 0 ? -2 : 2);
      if (pass < 2 && beside > static_cast<double>(search.before) &&
          beside < static_cast<double>(search.after)) {
        probes[i] = std::llround(beside);
      }
      sums[i] = steps[i / kProbes].sign * probes[i];
    }
    const AlignedVector<float> codes = run(sums);
    open = false;
    for (std::size_t i = 0; i < searches.size(); ++i) {
      Search& search = searches[i];
      if (search.after - search.before <= 1) continue;
      (codes[i] >= search.wanted ? search.after : search.before) = probes[i];
      open = open || search.after - search.before > 1;
    }
  }
  for (std::size_t i = 0; i < searches.size(); ++i) {
    Steps& own = steps[i / kProbes];
    if (std::ssize(own.first) < own.highest - own.lowest) own.first.push_back(searches[i].after);
  }
}

std::optional<std::vector<Steps>> find_steps(const Program& program, const CodeChain& chain,
                                             const std::vector<Line>& lines, std::int64_t bound,
                                             int zero, int codes) {
  std::optional<std::vector<Steps>> steps = find_ends(program, chain, bound, zero, codes);
  if (!steps) return {};
  std::int64_t most = 0;
  for (const Steps& own : *steps) most = std::max<std::int64_t>(most, own.highest - own.lowest);
  const ChainRun run(program, chain, kProbes);
  for (std::int64_t first = 0; first < most; first += kProbes) {
    find_stretch(run, lines, bound, first, zero, *steps);
  }
  return steps;
}

bool has_steps(const CodeStep& step, const Steps& steps) {
  if ((step.factor > 0) != (steps.sign > 0) && !steps.first.empty()) return false;
  for (std::size_t k = 0; k < steps.first.size(); ++k) {
    const int code = steps.lowest + 1 + static_cast<int>(k);
    if (code_of(step, steps.sign * steps.first[k]) < code) return false;
    if (code_of(step, steps.sign * (steps.first[k] - 1)) >= code) return false;
  }
  return true;
}

float moved(float x, int ulps) {
  const float to =
      ulps < 0 ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
  for (int k = std::abs(ulps); k > 0; --k) x = std::nextafter(x, to);
  return x;
}

/// Whether the step without a table is right, or one too low, for every sum.
bool is_near(const CodeStep& step, const Steps& steps) {
  if ((step.factor > 0) != (steps.sign > 0)) return false;
  for (std::size_t k = 0; k < steps.first.size(); ++k) {
    const int code = steps.lowest + 1 + static_cast<int>(k);
    if (code_of(step, steps.sign * steps.first[k]) < code - 1) return false;
    if (code_of(step, steps.sign * (steps.first[k] - 1)) >= code) return false;
  }
  return true;
}

/// A step with the given steps, near the line. Where rounding puts one of them on the wrong side of
/// a sum, a neighbouring line may still have all, or a table (by code) corrects it.
std::optional<CodeStep> fit(const Line& line, const Steps& steps,
                            std::vector<std::int32_t>& table) {
  constexpr int kNearby = 2;
  CodeStep step{.lowest = static_cast<float>(steps.lowest),
                .highest = static_cast<float>(steps.highest)};
  if (steps.first.empty()) return step;
  const bool two_codes = std::all_of(steps.first.begin(), steps.first.end(),
                                     [&](std::int64_t s) { return s == steps.first.front(); });
  if (two_codes) {
    const auto sign = static_cast<float>(steps.sign);
    step.shift = sign * (static_cast<float>(steps.first.front()) - 0.5f);
    step.factor = sign * 1024;
    step.offset = 0.5f * (step.lowest + step.highest);
    if (has_steps(step, steps)) return step;
  }
  const CodeStep apart{static_cast<float>(line.shift), static_cast<float>(line.factor),
                       static_cast<float>(line.offset), step.lowest, step.highest};
  const CodeStep joined{0, apart.factor, static_cast<float>(line.offset - line.shift * line.factor),
                        step.lowest, step.highest};
  for (const CodeStep& start : {apart, joined}) {
    for (int f = -kNearby; f <= kNearby; ++f) {
      for (int o = -kNearby; o <= kNearby; ++o) {
        step = start;
        step.factor = moved(start.factor, f);
        step.offset = moved(start.offset, o);
        if (has_steps(step, steps)) return step;
      }
    }
  }
  step = joined;
  step.offset -= 0.25f;  // too low, if anything
  if (!is_near(step, steps)) return {};
  table.assign(steps.highest + 1, steps.sign > 0 ? std::numeric_limits<std::int32_t>::max()
                                                 : std::numeric_limits<std::int32_t>::min());
  for (std::size_t k = 0; k < steps.first.size(); ++k) {
    table[steps.lowest + static_cast<int>(k)] =
        static_cast<std::int32_t>(steps.sign * (steps.first[k] - 1));
  }
  step.last = table.data();
  return step;
}

/// True for a constant of one element, or of one per channel that lies along the channels.
bool lies_along_channels(const Input& constant, const Shape& x) {
  if (constant.kind != Input::Kind::constant) return false;
  const std::int64_t count = element_count(constant.shape);
  if (count == 1) return constant.shape.size() <= x.size();
  if (count != x[1] || constant.shape.size() > x.size()) return false;
  const std::size_t lead = x.size() - constant.shape.size();
  return lead <= 1 && constant.shape[1 - lead] == x[1];
}

bool is_clipping(UnaryFunction function) {
  return function == UnaryFunction::relu || function == UnaryFunction::clip ||
         function == UnaryFunction::identity;
}

}  // namespace

bool may_join_chain(const Graph& graph, const Node& node, int from) {
  const Shape& x = graph.values[from].shape;
  if (x.size() < 2 || x[0] != 1 || graph.values[node.output].shape != x) return false;
  if (const auto* unary = std::get_if<Unary>(&node.op)) return is_clipping(unary->function);
  if (std::holds_alternative<BatchNormalization>(node.op)) {
    return node.inputs[0].kind == Input::Kind::value &&
           std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                       [](const Input& i) { return i.kind == Input::Kind::constant; });
  }
  if (const auto* binary = std::get_if<Binary>(&node.op)) {
    const bool reversed = node.inputs[0].kind == Input::Kind::constant;
    if (!lies_along_channels(node.inputs[reversed ? 0 : 1], x)) return false;
    switch (binary->function) {
      case BinaryFunction::add:
      case BinaryFunction::subtract:
      case BinaryFunction::multiply:
      case BinaryFunction::minimum:
      case BinaryFunction::maximum:
        return true;
      case BinaryFunction::divide:
        return !reversed;
      default:
        return false;
    }
  }
  const auto one_or_channels = [&](std::size_t count, int axis) {
    return count == 1 || (axis == 1 && static_cast<std::int64_t>(count) == x[1]);
  };
  if (const auto* quantize = std::get_if<Quantize>(&node.op)) {
    const Encoding& encoding = quantize->encoding;
    return one_or_channels(encoding.scale.size(), encoding.axis) &&
           encoding.zero_point.size() == 1 &&
           (encoding.format.kind == NumberFormat::Kind::bipolar ||
            (encoding.format.kind == NumberFormat::Kind::integer &&
             encoding.format.overflow == Overflow::saturate));
  }
  if (const auto* dequantize = std::get_if<Dequantize>(&node.op)) {
    return one_or_channels(dequantize->scale.size(), dequantize->axis);
  }
  return false;
}

std::optional<CodeSteps> fit_code_steps(const Program& program, const CodeChain& chain,
                                        std::int64_t bound, int zero, int codes) {
  std::vector<Line> lines;
  for (std::int64_t c = 0; c < chain.channels; ++c) {
    lines.push_back(line_of(program, chain, c));
    lines.back().add(zero);
  }
  const auto steps = find_steps(program, chain, lines, bound, zero, codes);
  if (!steps) return {};
  CodeSteps fitted;
  fitted.last.resize(chain.channels);
  for (std::int64_t c = 0; c < chain.channels; ++c) {
    const auto step = fit(lines[c], (*steps)[c], fitted.last[c]);
    if (!step) return {};
    fitted.steps.push_back(*step);
  }
  return fitted;
}

}  // namespace flipscope
