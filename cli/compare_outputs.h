// Our outputs beside another framework's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "flipscope/campaign/campaign.h"

namespace flipscope::cli {

struct Comparison {
  double largest = 0;                  ///< largest absolute difference; infinite where one is NaN
  std::int64_t sample = 0, value = 0;  ///< where that is
  std::int64_t decisions = 0;          ///< samples whose largest output is another
};

/// `outputs` is [sample][value] for samples `skip` … skip + count − 1 of the inputs' file;
/// `expected` an array file with one row for each of them, or for each of the inputs' file. Equal
/// NaNs and equal infinities do not differ. Throws Error naming the file where its shape is
/// another.
Comparison compare_outputs(const std::vector<float>& outputs, std::int64_t count, std::int64_t skip,
                           const std::string& expected);

/// For each sample its decision, ties to the lowest.
std::vector<std::int32_t> decisions(const std::vector<float>& outputs, std::int64_t count);

}  // namespace flipscope::cli
