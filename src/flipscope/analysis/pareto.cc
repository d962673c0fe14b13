#include "flipscope/analysis/pareto.h"

#include <cstddef>

namespace flipscope {
namespace {

bool dominates(const std::vector<double>& a, const std::vector<double>& b) {
  bool less = false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
    less |= a[k] < b[k];
  }
  return less;
}

}  // namespace

std::vector<bool> pareto_front(const std::vector<std::vector<double>>& rows) {
  std::vector<bool> on_front;
  for (const std::vector<double>& row : rows) {
    bool beaten = false;
    for (const std::vector<double>& other : rows) beaten |= dominates(other, row);
    on_front.push_back(!beaten);
  }
  return on_front;
}

}  // namespace flipscope
