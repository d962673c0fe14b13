// What it costs to carry mass from one cell to another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace flipscope {

class GroundDistance {
 public:
  /// cost[i·cells + j] from cell i to cell j. Throws Error naming `name` unless every cost is
  /// finite and not negative.
  GroundDistance(const std::string& name, int cells, std::vector<double> cost);

  int cells() const { return cells_; }
  double operator()(int i, int j) const { return cost_[std::int64_t{i} * cells_ + j]; }
  /// The largest cost.
  double diameter() const { return diameter_; }
  /// Zero on the diagonal, symmetric, and no detour is shorter (to 1e-12 of the diameter). Mass
  /// that both sides share can then stay where it is.
  bool is_metric() const { return is_metric_; }
  /// The costs from cell i in whole units of 2^−whole_bits(), at least 2^40 to the diameter; of a
  /// metric so that no detour is shorter, exactly.
  const double* whole_costs(int i) const { return whole_.data() + std::int64_t{i} * cells_; }
  /// The same from every cell to cell j.
  const double* whole_costs_to(int j) const { return whole_to_.data() + std::int64_t{j} * cells_; }
  int whole_bits() const { return whole_bits_; }

 private:
  int cells_;
  std::vector<double> cost_;
  double diameter_;
  bool is_metric_;
  int whole_bits_ = 0;
  std::vector<double> whole_, whole_to_;
};

/// A square table from a .csv file (or any other array file). Throws Error naming it.
GroundDistance read_ground_distance(const std::string& path);

/// Which output element each cell is: one integer a line, or a comma-separated list. Throws Error
/// naming the file where an entry is no index.
std::vector<int> read_cell_map(const std::string& path);

}  // namespace flipscope
