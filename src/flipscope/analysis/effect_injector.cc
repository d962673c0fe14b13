#include "flipscope/analysis/effect_injector.h"

#include <algorithm>
#include <bit>

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

}  // namespace

EffectInjector::EffectInjector(const Program& program, const FaultSpace& space, const float* inputs,
                               std::int64_t first, int samples)
    : graph_(program.graph),
      samples_(samples),
      slots_(kBlockSamples / samples),
      narrow_(run_golden(program, inputs, first, samples)),
      wide_(repeated(program, inputs, first, samples, slots_)),
      check_(*program.graph, wide_),
      faulty_(program, space),
      perturbed_(program),
      effects_(samples),
      waiting_(samples),
      changed_(wide_.lanes) {}

void EffectInjector::begin(const AnalysedLayer& layer, const Ranges& elements, const Watch& watch) {
  struck_ = layer.value;
  watch_ = watch;
  value_ = end_of_channel(*graph_, layer.value);
  elements_ = elements;
  count_ = 0;
  for (const Range& range : elements_) count_ += range.last - range.first;
  now_.resize(count_);
  numbers_.resize(count_ * wide_.lanes);
  for (auto& effects : effects_) effects.clear();
  of_fault_.clear();
  result_ = {};
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
  const float* out = faulty_.run_to(value_, narrow_, fault);
  const float* golden = narrow_.values[value_].data();
  for (int s = 0; s < samples_; ++s) {
    if (!proved.empty() && proved[s]) continue;
    std::size_t i = 0;
    bool same = true;
    for (const Range& range : elements_) {
      for (std::int64_t at = range.first * narrow_.lanes + s; at < range.last * narrow_.lanes;
           at += narrow_.lanes) {
        now_[i++] = out[at];
        same = same && std::bit_cast<Word>(out[at]) == std::bit_cast<Word>(golden[at]);
      }
    }
    if (same) {
      ++result_.masked;
      of_fault_.back().push_back({nullptr, watch_.watches(s), alarms[s]});
      continue;
    }
    const Digest digest = Hasher().update(std::as_bytes(std::span(now_))).digest();
    const auto [at, is_new] = effects_[s].try_emplace(digest, false);
    of_fault_.back().push_back({&at->second, watch_.watches(s), alarms[s]});
    if (is_new) {
      waiting_[s].push_back({&at->second, now_});
      if (++waiting_count_ >= 2 * wide_.lanes) run();
    }
  }
}

InjectedFactor EffectInjector::finish() {
  while (waiting_count_ > 0) run();
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

/// Runs what waits, as much as there are lanes.
void EffectInjector::run() {
  float* to = numbers_.data();
  for (const Range& range : elements_) {
    const std::int64_t numbers = (range.last - range.first) * wide_.lanes;
    to = std::copy_n(wide_.values[value_].data() + range.first * wide_.lanes, numbers, to);
  }
  std::vector<std::pair<int, bool*>> running;
  for (int s = 0; s < samples_; ++s) {
    for (int slot = 0; slot < slots_ && !waiting_[s].empty(); ++slot) {
      const int lane = slot * samples_ + s;
      const Waiting& next = waiting_[s].back();
      for (std::int64_t i = 0; i < count_; ++i) numbers_[i * wide_.lanes + lane] = next.numbers[i];
      running.emplace_back(lane, next.matters);
      waiting_[s].pop_back();
    }
  }
  waiting_count_ -= std::ssize(running);
  check_(perturbed_.replace(wide_, value_, elements_, numbers_.data()), changed_.data());
  for (const auto& [lane, matters] : running) *matters = changed_[lane] != 0;
  result_.runs += running.size();
}

}  // namespace flipscope
