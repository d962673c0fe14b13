#include "flipscope/analysis/effect_injector.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>
#include <numeric>

#include "flipscope/ops/kernels.h"

namespace flipscope {
namespace {

/// Behind a value: what its only reader makes of every channel on its own, as far as that goes.
int end_of_channel(const Graph& graph, int value) {
  for (;;) {
    const Node* reader = nullptr;
    for (const Node& node : graph.nodes) {
      for (const Input& input : node.inputs) {
        if (input.kind != Input::Kind::value || input.id != value) continue;
        if (reader != nullptr) return value;
        reader = &node;
      }
    }
    const bool output = std::ranges::find(graph.outputs, value) != graph.outputs.end();
    const bool own = reader != nullptr && !output &&
                     (std::holds_alternative<BatchNormalization>(reader->op) ||
                      std::holds_alternative<Unary>(reader->op));
    if (!own || graph.values[reader->output].shape != graph.values[value].shape) return value;
    value = reader->output;
  }
}

/// The values that all that a change of `value` does to the outputs passes through and that a
/// weighted node reads, in order.
std::vector<int> narrows_behind(const Program& program, int value) {
  const Graph& graph = *program.graph;
  std::vector<bool> differs(graph.values.size(), false);
  differs[value] = true;
  const auto is_read = [&](const Node& node, const std::vector<bool>& set) {
    return std::ranges::any_of(node.inputs, [&](const Input& input) {
      return input.kind == Input::Kind::value && set[input.id];
    });
  };
  std::vector<int> narrows;
  for (int n = 0; n < std::ssize(graph.nodes); ++n) {
    const int output = graph.nodes[n].output;
    if (!is_read(graph.nodes[n], differs)) continue;
    differs[output] = true;
    std::vector<bool> live = differs;
    for (std::size_t v = 0; v < live.size(); ++v) live[v] = live[v] && program.last_reader[v] > n;
    const bool weighted =
        std::any_of(graph.nodes.begin() + n, graph.nodes.end(),
                    [&](const Node& node) { return is_weighted(node) && is_read(node, live); });
    if (weighted && live[output] && std::ranges::count(live, true) == 1) narrows.push_back(output);
  }
  return narrows;
}

}  // namespace

EffectInjector::EffectInjector(const Program& program, const FaultSpace& space,
                               const DecisionGains& gains, const float* inputs, std::int64_t first,
                               int samples)
    : program_(&program),
      golden_(run_golden(program, inputs, first, samples)),
      bound_(gains, program, golden_),
      check_(*program.graph, golden_),
      faulty_(program, space),
      perturbed_(program),
      effects_(samples),
      own_lanes_(golden_.lanes) {
  std::iota(own_lanes_.begin(), own_lanes_.end(), 0);
}

void EffectInjector::begin(const AnalysedLayer& layer, const Ranges& elements, const Watch& watch) {
  const Graph& graph = *program_->graph;
  struck_ = layer.value;
  watch_ = watch;
  for (auto& effects : effects_) effects.clear();
  of_fault_.clear();
  result_ = {};
  stops_.clear();
  const int end = end_of_channel(graph, layer.value);
  stop_at(end, elements);
  for (const int value : narrows_behind(*program_, end)) {
    stop_at(value, {{0, element_count(graph.values[value].shape)}});
    if (std::ranges::count(stops_.back().radii, 0.0) == golden_.samples) stops_.pop_back();
  }
}

void EffectInjector::stop_at(int value, const Ranges& elements) {
  Stop stop{.value = value, .elements = elements};
  for (const Range& range : elements) stop.count += range.last - range.first;
  for (int s = 0; s < golden_.samples; ++s) {
    stop.radii.push_back(bound_.radius_of_difference(value, elements, s));
  }
  stops_.push_back(std::move(stop));
}

void EffectInjector::add(const Fault& fault, const std::vector<bool>& proved) {
  of_fault_.emplace_back();
  result_.pairs += static_cast<std::uint64_t>(golden_.samples);
  const auto small = static_cast<std::uint64_t>(std::ranges::count(proved, true));
  result_.proved += small;
  if (small == proved.size() && !proved.empty()) return;
  std::vector<bool> alarms(golden_.samples, false);
  if (watch_.watches(golden_.samples - 1)) {
    const float* struck = faulty_.run_to(struck_, golden_, fault);
    for (int s = watch_.first; s < golden_.samples; ++s) {
      alarms[s] = watch_.alarm(struck, golden_.lanes, s);
    }
  }
  Stop& end = stops_.front();
  const float* out = faulty_.run_to(end.value, golden_, fault);
  picked_ = own_lanes_;
  measure(end, out);
  for (int s = 0; s < golden_.samples; ++s) {
    if (!proved.empty() && proved[s]) continue;
    const Arrival how = arrival(end, s);
    if (how != Arrival::large) {
      ++(how == Arrival::golden ? result_.masked : result_.proved);
      of_fault_.back().push_back({nullptr, watch_.watches(s), alarms[s]});
      continue;
    }
    std::vector<float> numbers = numbers_of(end, out, s);
    const Digest digest = Hasher().update(std::as_bytes(std::span(numbers))).digest();
    const auto [at, is_new] = effects_[s].try_emplace(digest, false);
    of_fault_.back().push_back({&at->second, watch_.watches(s), alarms[s]});
    if (is_new) end.waiting.push_back({&at->second, s, std::move(numbers)});
  }
  run_full(0);
}

/// How what a run has at a stop differs, in all picked lanes.
void EffectInjector::measure(const Stop& stop, const float* values) {
  const int lanes = static_cast<int>(picked_.size());
  squares_.assign(lanes, 0.0);
  differing_.assign(lanes, 0);
  row_.resize(lanes);
  for (const Range& range : stop.elements) {
    for (std::int64_t e = range.first; e < range.last; ++e) {
      const float* now = values + e * lanes;
      const float* golden = golden_.values[stop.value].data() + e * golden_.lanes;
      pick_lanes(golden, picked_.data(), lanes, row_.data());
      for (int lane = 0; lane < lanes; ++lane) {
        const double change = double{now[lane]} - double{row_[lane]};
        squares_[lane] += change * change;
        differing_[lane] |= std::bit_cast<Word>(now[lane]) ^ std::bit_cast<Word>(row_[lane]);
      }
    }
  }
}

/// Of the last measure().
EffectInjector::Arrival EffectInjector::arrival(const Stop& stop, int lane) const {
  if (differing_[lane] == 0) return Arrival::golden;
  return std::sqrt(squares_[lane]) < stop.radii[picked_[lane]] ? Arrival::small : Arrival::large;
}

std::vector<float> EffectInjector::numbers_of(const Stop& stop, const float* values,
                                              int lane) const {
  std::vector<float> numbers;
  numbers.reserve(stop.count);
  for (const Range& range : stop.elements) {
    for (std::int64_t e = range.first; e < range.last; ++e) {
      numbers.push_back(values[e * std::ssize(picked_) + lane]);
    }
  }
  return numbers;
}

InjectedFactor EffectInjector::finish() {
  for (std::size_t k = 0; k < stops_.size(); ++k) {
    while (!stops_[k].waiting.empty()) run(k);
  }
  for (const std::vector<Pair>& pairs : of_fault_) {
    std::uint32_t matter = 0;
    for (const Pair& pair : pairs) {
      const bool matters = pair.matters != nullptr && *pair.matters;
      matter += matters ? 1 : 0;
      if (pair.watched) result_.detection.count(matters, pair.alarm);
    }
    result_.by_fault.push_back(matter);
    result_.matter += matter;
  }
  return result_;
}

void EffectInjector::run_full(std::size_t k) {
  while (std::ssize(stops_[k].waiting) >= kBlockSamples) run(k);
}

/// Runs the last of what waits at a stop to the next one, as much as there are lanes.
void EffectInjector::run(std::size_t k) {
  Stop& stop = stops_[k];
  const auto count = std::min<std::size_t>(stop.waiting.size(), kBlockSamples);
  std::vector<Waiting> running(std::make_move_iterator(stop.waiting.end() - count),
                               std::make_move_iterator(stop.waiting.end()));
  stop.waiting.resize(stop.waiting.size() - count);
  // Lanes beyond repeat the last one.
  const auto lanes = static_cast<std::size_t>(lanes_of(static_cast<int>(count)));
  const auto size = static_cast<std::size_t>(stop.count);
  picked_.resize(lanes);
  numbers_.resize(size * lanes);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const Waiting& one = running[std::min(lane, count - 1)];
    picked_[lane] = one.sample;
    for (std::size_t i = 0; i < size; ++i) numbers_[i * lanes + lane] = one.numbers[i];
  }
  for (Waiting& one : running) one.numbers = {};
  const bool is_last = k + 1 == stops_.size();
  const int to = is_last ? program_->graph->outputs[0] : stops_[k + 1].value;
  const float* out =
      perturbed_.replace_to(to, golden_, picked_, stop.value, stop.elements, numbers_.data());
  if (is_last) {
    changed_.resize(lanes);
    check_(out, picked_, changed_.data());
    for (std::size_t lane = 0; lane < count; ++lane) *running[lane].matters = changed_[lane] != 0;
    result_.runs += count;
    return;
  }
  Stop& next = stops_[k + 1];
  measure(next, out);
  for (std::size_t lane = 0; lane < count; ++lane) {
    if (arrival(next, static_cast<int>(lane)) == Arrival::large) {
      next.waiting.push_back({running[lane].matters, running[lane].sample,
                              numbers_of(next, out, static_cast<int>(lane))});
    } else {
      ++result_.ended;
    }
  }
  run_full(k + 1);
}

}  // namespace flipscope
