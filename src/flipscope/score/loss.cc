#include "flipscope/score/loss.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "flipscope/model/csv.h"
#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/dual.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/random.h"

namespace flipscope {

LossSpec parse_loss(const std::string& text) {
  constexpr const char* kGroups = "groups:";
  if (text == "mse") return {LossSpec::Kind::mse};
  if (text == "cross-entropy") return {LossSpec::Kind::cross_entropy};
  if (text.starts_with(kGroups) && text != kGroups) {
    return {LossSpec::Kind::groups, text.substr(std::string(kGroups).size())};
  }
  fail("loss", "\"{}\" is no loss; the losses are mse, cross-entropy, groups:FILE.csv", text);
}

std::string to_string(const LossSpec& spec) {
  switch (spec.kind) {
    case LossSpec::Kind::mse:
      return "mse";
    case LossSpec::Kind::cross_entropy:
      return "cross-entropy";
    case LossSpec::Kind::groups:
      break;
  }
  return "groups:" + spec.file;
}

std::vector<LossLevel> read_loss_groups(const std::string& file, std::int64_t outputs) {
  const Tensor table = read_csv(file);
  constexpr std::int64_t kColumns = 5;
  if (table.shape.size() != 2 || table.shape[1] != kColumns) {
    fail("loss",
         "{}: a table of groups has the columns level,factor,group,weight,element; this one "
         "is {}",
         file, to_string(table.shape));
  }
  struct Level {
    LossLevel level;
    std::map<double, std::size_t> group_at;
  };
  std::map<double, std::size_t> level_at;
  std::vector<Level> levels;
  for (std::int64_t row = 0; row < table.shape[0]; ++row) {
    const double* field = table.data.data() + row * kColumns;
    const auto [at, new_level] = level_at.try_emplace(field[0], levels.size());
    if (new_level) levels.push_back({{field[1], {}}, {}});
    auto& [level, group_at] = levels[at->second];
    const auto [group, new_group] = group_at.try_emplace(field[2], level.groups.size());
    if (new_group) level.groups.push_back({field[3], {}});
    LossLevel::Group& members = level.groups[group->second];
    if (level.factor != field[1] || members.weight != field[3]) {
      fail("loss",
           "{}: row {}: factor {} and weight {} of level {}, group {} differ from {} and {} "
           "before",
           file, row + 1, field[1], field[3], field[0], field[2], level.factor, members.weight);
    }
    const double element = field[4];
    if (element != std::floor(element) || element < 0 || element >= static_cast<double>(outputs)) {
      fail("loss", "{}: row {}: element {} is not one of the outputs 0 to {}", file, row + 1,
           element, outputs - 1);
    }
    members.elements.push_back(static_cast<std::int64_t>(element));
  }
  if (levels.empty()) fail("loss", "{} names no groups", file);
  std::vector<LossLevel> result;
  for (Level& level : levels) result.push_back(std::move(level.level));
  return result;
}

Loss::Loss(const LossSpec& spec, const Samples& samples, std::int64_t outputs)
    : spec_(spec), samples_(&samples), outputs_(outputs) {
  if (spec.kind == LossSpec::Kind::cross_entropy) {
    if (samples.labels.empty()) fail("loss", "cross-entropy needs labels (--labels FILE)");
    if (outputs < 2) fail("loss", "cross-entropy needs two outputs or more, the model has one");
    check_labels(samples, outputs);
    return;
  }
  if (samples.targets.empty()) {
    fail("loss", "{} needs targets (--targets FILE, or inputs)", to_string(spec));
  }
  if (samples.target_size != outputs) {
    fail("loss", "{}: the model has {} outputs, the targets {}", to_string(spec), outputs,
         samples.target_size);
  }
  if (spec.kind == LossSpec::Kind::groups) levels_ = read_loss_groups(spec.file, outputs);
}

template <typename T>
T Loss::mse(const float* target, const T* y, T* to, int lanes) const {
  const double share = 1.0 / static_cast<double>(outputs_);
  T sum = 0;
  for (std::int64_t v = 0; v < outputs_; ++v) {
    const T difference = y[v * lanes] - static_cast<double>(target[v]);
    sum += share * (difference * difference);
    to[v * lanes] = 2 * share * difference;
  }
  return sum;
}

template <typename T>
T Loss::cross_entropy(std::int32_t label, const T* y, T* to, int lanes) const {
  double most = smooth::value(y[0]);
  for (std::int64_t v = 1; v < outputs_; ++v) most = std::max(most, smooth::value(y[v * lanes]));
  T sum = 0;
  for (std::int64_t v = 0; v < outputs_; ++v) {
    to[v * lanes] = smooth::exp(y[v * lanes] - most);
    sum += to[v * lanes];
  }
  for (std::int64_t v = 0; v < outputs_; ++v) to[v * lanes] = to[v * lanes] / sum;
  T& own = to[label * lanes];
  own = own - 1;
  return smooth::log(sum) + most - y[label * lanes];
}

template <typename T>
T Loss::groups(const float* target, const T* y, T* to, int lanes) const {
  for (std::int64_t v = 0; v < outputs_; ++v) to[v * lanes] = 0;
  T loss = 0;
  for (const LossLevel& level : levels_) {
    const double share = level.factor / static_cast<double>(level.groups.size());
    for (const LossLevel::Group& group : level.groups) {
      T ours = 0;
      double wanted = 0;
      for (const std::int64_t v : group.elements) {
        ours += y[v * lanes];
        wanted += static_cast<double>(target[v]);
      }
      const T difference = ours - wanted;
      const T squared = difference * difference;
      const T larger = ours > wanted ? ours : T(wanted);
      loss += share * group.weight * (squared * larger);
      const T slope = 2 * (difference * larger) + (ours > wanted ? squared : T(0));
      for (const std::int64_t v : group.elements) {
        to[v * lanes] += share * group.weight * slope;
      }
    }
  }
  return loss;
}

template <typename T>
double Loss::derive(std::int64_t first, int count, const T* output, int lanes, T* cotangent) const {
  T sum = 0;
  std::fill_n(cotangent, outputs_ * lanes, T(0));
  for (int lane = 0; lane < count; ++lane) {
    const std::int64_t sample = first + lane;
    const float* target =
        samples_->targets.empty() ? nullptr : samples_->targets.data() + sample * outputs_;
    switch (spec_.kind) {
      case LossSpec::Kind::mse:
        sum += mse(target, output + lane, cotangent + lane, lanes);
        break;
      case LossSpec::Kind::cross_entropy:
        sum += cross_entropy(samples_->labels[sample], output + lane, cotangent + lane, lanes);
        break;
      case LossSpec::Kind::groups:
        sum += groups(target, output + lane, cotangent + lane, lanes);
        break;
    }
  }
  return smooth::value(sum);
}

void Loss::probe_curvature(std::int64_t first, int count, const double* output, int lanes,
                           std::uint64_t seed, std::uint64_t probe, double* to) const {
  std::fill_n(to, outputs_ * lanes, 0.0);
  for (int lane = 0; lane < count; ++lane) {
    const double* y = output + lane;
    double* q = to + lane;
    Random random(seed, probe * static_cast<std::uint64_t>(samples_->count) +
                            static_cast<std::uint64_t>(first + lane));
    const auto sign = [&] { return random.below(2) == 0 ? -1.0 : 1.0; };
    switch (spec_.kind) {
      case LossSpec::Kind::mse:  // 2/n·1
        for (std::int64_t v = 0; v < outputs_; ++v) {
          q[v * lanes] = std::sqrt(2.0 / static_cast<double>(outputs_)) * sign();
        }
        break;
      case LossSpec::Kind::cross_entropy: {  // diag(p) − p·pᵀ
        std::vector<double> p(outputs_);
        cross_entropy(0, y, q, lanes);
        double along = 0;
        for (std::int64_t v = 0; v < outputs_; ++v) {
          p[v] = q[v * lanes] + (v == 0 ? 1 : 0);
          q[v * lanes] = std::sqrt(p[v]) * sign();
          along += q[v * lanes];
        }
        for (std::int64_t v = 0; v < outputs_; ++v) q[v * lanes] -= p[v] * along;
        break;
      }
      case LossSpec::Kind::groups: {
        const float* target = samples_->targets.data() + (first + lane) * outputs_;
        for (const LossLevel& level : levels_) {
          const double share = level.factor / static_cast<double>(level.groups.size());
          for (const LossLevel::Group& group : level.groups) {
            double ours = 0, wanted = 0;
            for (const std::int64_t v : group.elements) {
              ours += y[v * lanes];
              wanted += static_cast<double>(target[v]);
            }
            // (Y − T)²·max(Y, T), twice differentiated: 6Y − 4T above T, 2T below.
            const double curvature = ours > wanted ? 6 * ours - 4 * wanted : 2 * wanted;
            const double step = std::sqrt(std::max(0.0, share * group.weight * curvature)) * sign();
            for (const std::int64_t v : group.elements) q[v * lanes] += step;
          }
        }
        break;
      }
    }
  }
}

template double Loss::derive(std::int64_t, int, const double*, int, double*) const;
template double Loss::derive(std::int64_t, int, const Dual*, int, Dual*) const;

double Loss::answer_moved(std::int64_t sample, const double* y, const double* m, int lanes) const {
  constexpr double kTie = 1e-9;
  const std::int64_t label = samples_->labels[sample];
  std::int64_t top = 0;
  for (std::int64_t k = 1; k < outputs_; ++k) {
    if (y[k * lanes] > y[top * lanes]) top = k;
  }
  double before = 0, after = 0, lost = 0;
  for (std::int64_t k = 0; k < outputs_; ++k) {
    const double gap = y[k * lanes] - y[label * lanes];
    const double step = m[k * lanes] - m[label * lanes], gain = m[k * lanes] - m[top * lanes];
    if (std::isnan(step) || std::isnan(gain)) return 1 + kTie;
    before += det::exp(gap);
    after += det::exp(gap + step);
    if (gain > 0) lost = std::max(lost, gain / (y[top * lanes] - y[k * lanes]));
  }
  return std::fabs(1 / after - 1 / before) + kTie * (std::isinf(lost) ? 1 : lost / (1 + lost));
}

}  // namespace flipscope
