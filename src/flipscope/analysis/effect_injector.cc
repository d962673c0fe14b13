#include "flipscope/analysis/effect_injector.h"

#include <algorithm>
#include <bit>
#include <cmath>

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

Block repeated(const Program& program, const float* inputs, std::int64_t first, int samples,
               int slots) {
  const Graph& graph = *program.graph;
  const std::int64_t size = element_count(graph.values[graph.inputs[0]].shape);
  std::vector<float> all;
  for (int k = 0; k < slots; ++k) {
    all.insert(all.end(), inputs + first * size, inputs + (first + samples) * size);
  }
  return run_golden(program, all.data(), 0, samples * slots);
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
      samples_(samples),
      slots_(kBlockSamples / samples),
      narrow_(run_golden(program, inputs, first, samples)),
      wide_(repeated(program, inputs, first, samples, slots_)),
      bound_(gains, program, narrow_),
      check_(*program.graph, wide_),
      faulty_(program, space),
      perturbed_(program),
      effects_(samples),
      changed_(wide_.lanes) {}

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
    if (std::ranges::count(stops_.back().radii, 0.0) == samples_) stops_.pop_back();
  }
}

void EffectInjector::stop_at(int value, const Ranges& elements) {
  Stop stop{.value = value, .elements = elements, .waiting = {}};
  for (const Range& range : elements) stop.count += range.last - range.first;
  for (int s = 0; s < samples_; ++s) {
    stop.radii.push_back(bound_.radius_of_difference(value, elements, s));
  }
  stop.waiting.resize(samples_);
  stops_.push_back(std::move(stop));
}

void EffectInjector::add(const Fault& fault, const std::vector<bool>& proved) {
  of_fault_.emplace_back();
  result_.pairs += static_cast<std::uint64_t>(samples_);
  const auto small = static_cast<std::uint64_t>(std::ranges::count(proved, true));
  result_.proved += small;
  if (small == proved.size() && !proved.empty()) return;
  std::vector<bool> alarms(samples_, false);
  if (watch_.watches(samples_ - 1)) {
    const float* struck = faulty_.run_to(struck_, narrow_, fault);
    for (int s = watch_.first; s < samples_; ++s) {
      alarms[s] = watch_.alarm(struck, narrow_.lanes, s);
    }
  }
  Stop& end = stops_.front();
  const float* out = faulty_.run_to(end.value, narrow_, fault);
  for (int s = 0; s < samples_; ++s) {
    if (!proved.empty() && proved[s]) continue;
    const Arrival arrival = arrive(end, out, narrow_.lanes, s, s);
    if (arrival == Arrival::golden || arrival == Arrival::small) {
      ++(arrival == Arrival::golden ? result_.masked : result_.proved);
      of_fault_.back().push_back({nullptr, watch_.watches(s), alarms[s]});
      continue;
    }
    const Digest digest = Hasher().update(std::as_bytes(std::span(now_))).digest();
    const auto [at, is_new] = effects_[s].try_emplace(digest, false);
    of_fault_.back().push_back({&at->second, watch_.watches(s), alarms[s]});
    if (is_new) wait(end, s, &at->second);
  }
  while (end.waits >= 2 * wide_.lanes) run(0);
}

/// Reads what a run has at a stop into now_, and how that differs.
EffectInjector::Arrival EffectInjector::arrive(const Stop& stop, const float* values, int lanes,
                                               int lane, int sample) {
  const float* golden = narrow_.values[stop.value].data();
  now_.clear();
  bool same = true;
  double squares = 0;
  for (const Range& range : stop.elements) {
    for (std::int64_t e = range.first; e < range.last; ++e) {
      const float now = values[e * lanes + lane];
      const float before = golden[e * narrow_.lanes + sample];
      const double change = double{now} - double{before};
      now_.push_back(now);
      same = same && std::bit_cast<Word>(now) == std::bit_cast<Word>(before);
      squares += change * change;
    }
  }
  if (same) return Arrival::golden;
  return std::sqrt(squares) < stop.radii[sample] ? Arrival::small : Arrival::large;
}

void EffectInjector::wait(Stop& stop, int sample, bool* matters) const {
  stop.waiting[sample].push_back({matters, now_});
  ++stop.waits;
}

InjectedFactor EffectInjector::finish() {
  for (std::size_t k = 0; k < stops_.size(); ++k) {
    while (stops_[k].waits > 0) run(k);
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

/// Runs what waits at a stop to the next one, as much as there are lanes.
void EffectInjector::run(std::size_t k) {
  Stop& stop = stops_[k];
  numbers_.resize(stop.count * wide_.lanes);
  float* to = numbers_.data();
  for (const Range& range : stop.elements) {
    const std::int64_t numbers = (range.last - range.first) * wide_.lanes;
    to = std::copy_n(wide_.values[stop.value].data() + range.first * wide_.lanes, numbers, to);
  }
  struct Running {
    int lane, sample;
    bool* matters;
  };
  std::vector<Running> running;
  for (int s = 0; s < samples_; ++s) {
    for (int slot = 0; slot < slots_ && !stop.waiting[s].empty(); ++slot) {
      const int lane = slot * samples_ + s;
      const Waiting& next = stop.waiting[s].back();
      for (std::int64_t i = 0; i < stop.count; ++i) {
        numbers_[i * wide_.lanes + lane] = next.numbers[i];
      }
      running.push_back({lane, s, next.matters});
      stop.waiting[s].pop_back();
    }
  }
  stop.waits -= std::ssize(running);
  if (k + 1 == stops_.size()) {
    check_(perturbed_.replace(wide_, stop.value, stop.elements, numbers_.data()), changed_.data());
    for (const Running& one : running) *one.matters = changed_[one.lane] != 0;
    result_.runs += running.size();
    return;
  }
  Stop& next = stops_[k + 1];
  const float* out =
      perturbed_.replace_to(next.value, wide_, stop.value, stop.elements, numbers_.data());
  for (const Running& one : running) {
    if (arrive(next, out, wide_.lanes, one.lane, one.sample) == Arrival::large) {
      wait(next, one.sample, one.matters);
    } else {
      ++result_.ended;
    }
  }
  while (next.waits >= 2 * wide_.lanes) run(k + 1);
}

}  // namespace flipscope
