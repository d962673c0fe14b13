// What it costs to carry mass from one cell to another.
#include "flipscope/score/ground_distance.h"

#include <algorithm>
#include <cmath>

#include "flipscope/model/array_file.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr int kMostCells = 4096;
constexpr int kWholeBits = 40;

bool obeys_metric_laws(const GroundDistance& cost) {
  const int n = cost.cells();
  const double tolerance = 1e-12 * cost.diameter();
  for (int i = 0; i < n; ++i) {
    if (cost(i, i) != 0) return false;
    for (int j = 0; j < i; ++j) {
      if (std::abs(cost(i, j) - cost(j, i)) > tolerance) return false;
    }
  }
  for (int k = 0; k < n; ++k) {
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) {
        if (cost(i, j) > cost(i, k) + cost(k, j) + tolerance) return false;
      }
    }
  }
  return true;
}

/// Lowers each cost to that of its shortest detour: by a unit or so, what rounding spoiled.
void take_detours(std::vector<double>& cost, int n) {
  for (int k = 0; k < n; ++k) {
    const double* const onward = cost.data() + std::int64_t{k} * n;
    for (int i = 0; i < n; ++i) {
      double* const direct = cost.data() + std::int64_t{i} * n;
      const double first = direct[k];
      for (int j = 0; j < n; ++j) direct[j] = std::min(direct[j], first + onward[j]);
    }
  }
}

}  // namespace

GroundDistance::GroundDistance(const std::string& name, int cells, std::vector<double> cost)
    : cells_(cells), cost_(std::move(cost)) {
  for (std::size_t k = 0; k < cost_.size(); ++k) {
    if (!std::isfinite(cost_[k]) || cost_[k] < 0) {
      fail("emd", "{}: the cost from cell {} to cell {} is {}; costs are finite and not negative",
           name, k / static_cast<std::size_t>(cells), k % static_cast<std::size_t>(cells),
           cost_[k]);
    }
  }
  diameter_ = cost_.empty() ? 0 : *std::ranges::max_element(cost_);
  is_metric_ = obeys_metric_laws(*this);
  if (diameter_ > 0) whole_bits_ = kWholeBits - std::ilogb(diameter_);
  for (const double one : cost_) whole_.push_back(std::nearbyint(std::ldexp(one, whole_bits_)));
  if (is_metric_) take_detours(whole_, cells_);
  for (int j = 0; j < cells_; ++j) {
    for (int i = 0; i < cells_; ++i) whole_to_.push_back(whole_costs(i)[j]);
  }
}

GroundDistance read_ground_distance(const std::string& path) {
  Tensor table = read_array(path);
  if (table.shape.size() != 2 || table.shape[0] != table.shape[1] || table.shape[0] < 1 ||
      table.shape[0] > kMostCells) {
    fail("emd", "{}: has shape {}; a ground distance is a square table of at most {} cells", path,
         to_string(table.shape), kMostCells);
  }
  return GroundDistance(path, static_cast<int>(table.shape[0]), std::move(table.data));
}

std::vector<int> read_cell_map(const std::string& path) {
  const Tensor table = read_array(path);
  std::vector<int> cells;
  for (const double entry : table.data) {
    if (!(entry >= 0 && entry < 0x1p31) || entry != std::floor(entry)) {
      fail("emd", "{}: cell {} is output element {}; expected an index from 0", path, cells.size(),
           entry);
    }
    cells.push_back(static_cast<int>(entry));
  }
  return cells;
}

}  // namespace flipscope
