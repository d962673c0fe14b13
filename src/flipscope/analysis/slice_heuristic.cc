#include "flipscope/analysis/slice_heuristic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "flipscope/numeric/deterministic_math.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// √(a + change) − √a without cancellation, for squared distances.
double root_change(double a, double change) {
  const double before = std::sqrt(std::max(a, 0.0)), after = std::sqrt(std::max(a + change, 0.0));
  return before + after == 0 ? 0 : change / (before + after);
}

double affected(const SampleChange& c) {
  return c.l1 > 0 ? 1 : 0;
}
double l1(const SampleChange& c) {
  return c.l1;
}
double l2(const SampleChange& c) {
  return std::sqrt(c.squared);
}
double linf(const SampleChange& c) {
  return c.largest;
}
double relative_l2(const SampleChange& c) {
  return c.squared > 0 ? std::sqrt(c.squared / c.golden_squared) : 0;
}

double cosine(const SampleChange& c) {
  const double faulty = c.golden_squared + 2 * c.along + c.squared;
  const double lengths = std::sqrt(c.golden_squared) * std::sqrt(std::max(faulty, 0.0));
  if (c.squared == 0) return 0;
  return lengths > 0 ? std::max(1 - (c.golden_squared + c.along) / lengths, 0.0) : 1;
}

/// Change of ‖y − c_k‖².
double centroid_change(const SampleChange& c, int k) {
  return c.squared + 2 * (c.along - c.to_centroid[k]);
}

double centroid(const SampleChange& c) {
  double sum = 0;
  for (int k = 0; k < c.to_centroid.size; ++k) {
    sum += std::fabs(root_change(c.distance[k], centroid_change(c, k)));
  }
  return sum / c.to_centroid.size;
}

double centroid_own(const SampleChange& c) {
  return std::fabs(root_change(c.distance[c.own], centroid_change(c, c.own)));
}

/// Least distance to another class's centroid, golden or faulty.
double nearest_other(const SampleChange& c, bool faulty) {
  double least = kInfinity;
  for (int k = 0; k < c.to_centroid.size; ++k) {
    if (k == c.own) continue;
    const double squared = c.distance[k] + (faulty ? centroid_change(c, k) : 0);
    least = std::min(least, std::sqrt(std::max(squared, 0.0)));
  }
  return least;
}

double centroid_margin(const SampleChange& c) {
  const double own = root_change(c.distance[c.own], centroid_change(c, c.own));
  const double other = nearest_other(c, true) - nearest_other(c, false);
  return std::max(own - other, 0.0);  // In this order NaN stays NaN.
}

double nearest_centroid(const SampleChange& c) {
  int before = 0, after = 0;
  if (std::isnan(centroid_change(c, 0))) return 1;
  for (int k = 1; k < c.to_centroid.size; ++k) {
    if (c.distance[k] < c.distance[before]) before = k;
    if (c.distance[k] + centroid_change(c, k) < c.distance[after] + centroid_change(c, after)) {
      after = k;
    }
  }
  return before != after ? 1 : 0;
}

/// Mahalanobis distances under a covariance that is `variance` along the axes and one number off
/// them: (‖x‖² − Σ(vᵢ·x)²)/rest + Σ(vᵢ·x)²/varianceᵢ.
double mahalanobis(const SampleChange& c) {
  const int axes = c.on_axis.size;
  const double rest = c.variance[axes];
  double sum = 0;
  for (int k = 0; k < c.to_centroid.size; ++k) {
    double before = c.distance[k] / rest, change = centroid_change(c, k) / rest;
    for (int i = 0; i < axes; ++i) {
      const double x = c.position[i] - c.centroid_position[k * axes + i], d = c.on_axis[i];
      const double weight = 1 / c.variance[i] - 1 / rest;
      before += weight * x * x;
      change += weight * (2 * x + d) * d;
    }
    sum += std::fabs(root_change(before, change));
  }
  return sum / c.to_centroid.size;
}

double length(const Strided& x) {
  double sum = 0;
  for (int i = 0; i < x.size; ++i) sum += x[i] * x[i];
  return std::sqrt(sum);
}

/// How much of its lead over another output the decision loses; from 1 on it changes.
double margin_lost(const SampleChange& c, const Strided& moved) {
  int decision = 0;
  for (int k = 1; k < moved.size; ++k) {
    if (c.output[k] > c.output[decision]) decision = k;
  }
  double most = 0;
  for (int k = 0; k < moved.size; ++k) {
    const double gain = moved[k] - moved[decision];
    if (std::isnan(gain)) return kInfinity;
    if (k != decision && gain > 0) most = std::max(most, gain / (c.output[decision] - c.output[k]));
  }
  return most;
}

/// log Σ e^(z + moved), less its largest term's exponent, which is put to `top`.
double log_sum(const SampleChange& c, const Strided* moved, double& top) {
  top = -kInfinity;
  for (int k = 0; k < c.output.size; ++k) {
    top = std::max(top, c.output[k] + (moved ? (*moved)[k] : 0));
  }
  double sum = 0;
  for (int k = 0; k < c.output.size; ++k) {
    sum += det::exp(c.output[k] + (moved ? (*moved)[k] : 0) - top);
  }
  return det::log(sum);
}

double loss_change(const SampleChange& c, const Strided& moved) {
  if (c.loss == LossSpec::Kind::mse) {
    double sum = 0;
    for (int k = 0; k < moved.size; ++k) {
      sum += moved[k] * (2 * (c.output[k] - c.target[k]) + moved[k]);
    }
    return sum / moved.size;
  }
  double before = 0, after = 0;
  const double sum_before = log_sum(c, nullptr, before), sum_after = log_sum(c, &moved, after);
  return (after - before) + (sum_after - sum_before) - moved[c.label];
}

/// What the softmax of the outputs gives the label less, 0 to 1, or more, 0 to −1.
double probability_lost(const SampleChange& c, const Strided& moved) {
  double top = 0;
  const double before = log_sum(c, nullptr, top);
  const double golden = det::exp(c.output[c.label] - top - before);
  const double after = log_sum(c, &moved, top);
  return golden - det::exp(c.output[c.label] + moved[c.label] - top - after);
}

double read_out(const SampleChange& c) {
  return length(c.read_out);
}
double read_out_margin(const SampleChange& c) {
  return margin_lost(c, c.read_out);
}
double read_out_loss(const SampleChange& c) {
  return loss_change(c, c.read_out);
}
double read_out_probability(const SampleChange& c) {
  return probability_lost(c, c.read_out);
}
double jacobian(const SampleChange& c) {
  return length(c.jacobian);
}
double jacobian_margin(const SampleChange& c) {
  return margin_lost(c, c.jacobian);
}
double jacobian_loss(const SampleChange& c) {
  return loss_change(c, c.jacobian);
}
double jacobian_probability(const SampleChange& c) {
  return probability_lost(c, c.jacobian);
}
double gradient(const SampleChange& c) {
  return c.gradient;
}

constexpr std::array kHeuristics{
    Heuristic{"affected", "1 where d is not 0", kNeedsNothing, 0, affected},
    Heuristic{"l1", "sum |d|", kNeedsNothing, 0, l1},
    Heuristic{"l2", "|d|", kNeedsNorms, 0, l2},
    Heuristic{"linf", "max |d|", kNeedsNorms, 0, linf},
    Heuristic{"relative-l2", "|d|/|y|", kNeedsNorms, 0, relative_l2},
    Heuristic{"cosine", "1 - y.y'/(|y||y'|)", kNeedsNorms, 0, cosine},
    Heuristic{"centroid", "mean over k of ||y' - c_k| - |y - c_k||", kNeedsNorms | kNeedsCentroids,
              0, centroid},
    Heuristic{"centroid-own", "||y' - c_own| - |y - c_own||", kNeedsNorms | kNeedsCentroids, 0,
              centroid_own},
    Heuristic{"centroid-margin", "rise of |y - c_own| - min over others k of |y - c_k|, or 0",
              kNeedsNorms | kNeedsCentroids, 0, centroid_margin},
    Heuristic{"nearest-centroid", "1 where another c_k is nearest to y' than to y",
              kNeedsNorms | kNeedsCentroids, 0, nearest_centroid},
    Heuristic{"mahalanobis", "mean over k of |M(y', c_k) - M(y, c_k)|",
              kNeedsNorms | kNeedsCentroids | kNeedsAxes, 0, mahalanobis},
    Heuristic{"read-out", "|Wd|", kNeedsReadOut, 0, read_out},
    Heuristic{"read-out-margin", "largest share of the decision's lead that Wd takes, or 0",
              kNeedsReadOut | kNeedsDecision, 1, read_out_margin},
    Heuristic{"read-out-loss", "loss(z + Wd) - loss(z)", kNeedsReadOut, 0, read_out_loss},
    Heuristic{"read-out-probability", "p(label; z) - p(label; z + Wd), p: softmax",
              kNeedsReadOut | kNeedsDecision, 0, read_out_probability},
    Heuristic{"jacobian", "|Jd|", kNeedsJacobian, 0, jacobian},
    Heuristic{"jacobian-margin", "largest share of the decision's lead that Jd takes, or 0",
              kNeedsJacobian | kNeedsDecision, 1, jacobian_margin},
    Heuristic{"jacobian-loss", "loss(z + Jd) - loss(z)", kNeedsJacobian, 0, jacobian_loss},
    Heuristic{"jacobian-probability", "p(label; z) - p(label; z + Jd), p: softmax",
              kNeedsJacobian | kNeedsDecision, 0, jacobian_probability},
    Heuristic{"gradient", "grad loss(z) . d", kNeedsGradient, 0, gradient},
};

constexpr std::array<const char*, 6> kReductions{"mean", "net", "rms", "max", "share", "bounded"};

}  // namespace

std::span<const Heuristic> heuristics() {
  return kHeuristics;
}

std::span<const char* const> reduction_names() {
  return kReductions;
}

std::string SliceColumn::name() const {
  return fmt::format("{}:{}", heuristic->name, kReductions[static_cast<std::size_t>(reduction)]);
}

std::vector<SliceColumn> parse_columns(const std::vector<std::string>& texts, bool decides) {
  std::vector<SliceColumn> columns;
  for (const std::string& text : texts) {
    const std::size_t colon = text.find(':');
    const std::string name = text.substr(0, colon);
    const std::string how = colon == std::string::npos ? "mean" : text.substr(colon + 1);
    const std::size_t before = columns.size();
    bool known = false, without_decision = false;
    for (const Heuristic& heuristic : kHeuristics) {
      if (name != "all" && name != heuristic.name) continue;
      known = true;
      if (!decides && (heuristic.needs & kNeedsDecision) != 0) {
        without_decision = true;
        continue;
      }
      for (std::size_t r = 0; r < kReductions.size(); ++r) {
        if (how == "all" || how == kReductions[r]) {
          columns.push_back({&heuristic, static_cast<Reduction>(r)});
        }
      }
    }
    if (!known) {
      std::vector<const char*> names;
      for (const Heuristic& heuristic : kHeuristics) names.push_back(heuristic.name);
      fail("usage", "heuristic \"{}\" is unknown; there are {}, all", name, fmt::join(names, ", "));
    }
    if (columns.size() == before && without_decision) {
      fail("usage", "heuristic \"{}\" is about decisions, and this network has none", name);
    }
    if (columns.size() == before) {
      fail("usage", "heuristic \"{}\": reduction \"{}\" is none of {}, all", text, how,
           fmt::join(kReductions, ", "));
    }
  }
  for (std::size_t i = 0; i < columns.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (columns[i].name() == columns[j].name()) {
        fail("usage", "heuristic \"{}\" comes twice", columns[i].name());
      }
    }
  }
  return columns;
}

void Reducer::add(double h, double& sum) const {
  if (std::isnan(h)) h = kInfinity;
  if (column_.reduction == Reduction::net) {
    sum += h;
    return;
  }
  h = std::fabs(h);
  switch (column_.reduction) {
    case Reduction::net:
    case Reduction::mean:
      sum += h;
      return;
    case Reduction::rms:
      sum += h * h;
      return;
    case Reduction::max:
      sum = std::max(sum, h);
      return;
    case Reduction::share:
      sum += h > column_.heuristic->bar ? 1 : 0;
      return;
    case Reduction::bounded:
      sum += std::isinf(h) ? 1 : h / (1 + h);
      return;
  }
}

double Reducer::finish(double sum, std::int64_t samples) const {
  const double mean = sum / static_cast<double>(samples);
  switch (column_.reduction) {
    case Reduction::max:
      return sum;
    case Reduction::net:
      return std::isnan(mean) ? kInfinity : std::fabs(mean);
    case Reduction::rms:
      return std::sqrt(mean);
    default:
      return mean;
  }
}

}  // namespace flipscope
