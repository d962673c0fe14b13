#include "flipscope/fault/until.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "flipscope/fault/chooser.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/interval.h"

namespace flipscope {
namespace {

constexpr std::uint64_t kLook = 100;  ///< faults between two looks at the interval
constexpr std::uint64_t kChunks = 16;

class Until : public Selection {
 public:
  Until(std::unique_ptr<Selection> faults, double margin, double confidence)
      : faults_(std::move(faults)), margin_(margin), confidence_(confidence) {}

  std::uint64_t size() const override { return faults_->size(); }
  std::uint64_t population() const override { return faults_->population(); }
  Fault fault(std::uint64_t row) const override { return faults_->fault(row); }
  std::unique_ptr<Chooser> chooser() const override;

  /// Few enough that little is run in vain.
  std::uint64_t chunk_rows(std::uint64_t most) const override {
    return std::min(most, std::max(kLook, size() / kChunks));
  }

  bool is_enough(double share, std::uint64_t n) const {
    const auto faults = static_cast<double>(n);
    const Interval interval =
        wilson_interval(std::min(share, 1.0) * faults, faults, confidence_, population());
    return (interval.upper - interval.lower) / 2 <= margin_;
  }

  std::string precision() const {
    return fmt::format("±{} at {}% confidence", margin_, 100 * confidence_);
  }

 private:
  std::unique_ptr<Selection> faults_;
  double margin_;
  double confidence_;
};

class UntilChooser : public Chooser {
 public:
  explicit UntilChooser(const Until& until) : until_(until), size_(until.size()) {}

  std::vector<std::uint64_t> next(std::uint64_t first, std::uint64_t count) override {
    std::vector<std::uint64_t> rows;
    for (std::uint64_t row = std::max(first, seen_); row < std::min(first + count, size_); ++row) {
      rows.push_back(row);
    }
    return rows;
  }

  void observe(const Observation& observation) override {
    if (observation.row >= size_) return;
    seen_ = observation.row + 1;
    sum_ += observation.critical_share;
    if (seen_ % kLook == 0 && until_.is_enough(sum_ / static_cast<double>(seen_), seen_)) {
      size_ = seen_;
    }
  }

  std::uint64_t size() const override { return size_; }
  bool in_order() const override { return true; }

  std::vector<std::string> notes() const override {
    if (seen_ < size_) return {};
    return {fmt::format("the rate of critical faults is known to {} after {} faults, of {} at most",
                        until_.precision(), seen_, until_.size())};
  }

 private:
  const Until& until_;
  std::uint64_t size_;
  std::uint64_t seen_ = 0;
  double sum_ = 0;
};

std::unique_ptr<Chooser> Until::chooser() const {
  return std::make_unique<UntilChooser>(*this);
}

}  // namespace

std::uint64_t most_until(double margin, double confidence) {
  const double z = two_sided_z(confidence), z2 = z * z;
  const double faults = std::ceil(z2 / (4 * margin * margin) - z2);
  const double looks = std::ceil(std::max(faults, 1.0) / static_cast<double>(kLook));
  return static_cast<std::uint64_t>(looks) * kLook;
}

std::unique_ptr<Selection> until_margin(std::unique_ptr<Selection> faults, double margin,
                                        double confidence) {
  return std::make_unique<Until>(std::move(faults), margin, confidence);
}

}  // namespace flipscope
