// Our outputs beside another framework's.
#include "compare_outputs.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "flipscope/model/array_file.h"
#include "flipscope/numeric/error.h"
#include "flipscope/score/classification.h"

namespace flipscope::cli {

std::vector<std::int32_t> decisions(const std::vector<float>& outputs, std::int64_t count) {
  const std::size_t size = outputs.size() / static_cast<std::size_t>(count);
  std::vector<std::int32_t> decision(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < decision.size(); ++i) {
    decide(outputs.data() + i * size, static_cast<int>(size), 1, &decision[i]);
  }
  return decision;
}

Comparison compare_outputs(const std::vector<float>& outputs, std::int64_t count, std::int64_t skip,
                           const std::string& expected) {
  const Tensor tensor = read_array(expected);
  const std::int64_t size = std::ssize(outputs) / count;
  const std::int64_t rows = std::ssize(tensor.data) / size;
  const bool whole_rows =
      rows * size == std::ssize(tensor.data) && !tensor.shape.empty() && tensor.shape[0] == rows;
  if (!whole_rows || (rows != count && rows < skip + count)) {
    fail("run", "{}: holds {}, but the run gives [{},{}]: one row for each sample is needed",
         expected, to_string(tensor.shape), count, size);
  }
  const double* wanted = tensor.data.data() + (rows == count ? 0 : skip * size);
  Comparison result;
  for (std::int64_t i = 0; i < std::ssize(outputs); ++i) {
    const double ours = outputs[static_cast<std::size_t>(i)];
    const double theirs = wanted[i];
    if (ours == theirs || (std::isnan(ours) && std::isnan(theirs))) continue;
    double difference = std::abs(ours - theirs);
    if (std::isnan(difference)) difference = std::numeric_limits<double>::infinity();
    if (difference <= result.largest) continue;
    result.largest = difference;
    result.sample = i / size;
    result.value = i % size;
  }
  std::vector<float> rounded(wanted, wanted + outputs.size());
  const std::vector<std::int32_t> a = decisions(outputs, count);
  const std::vector<std::int32_t> b = decisions(rounded, count);
  for (std::size_t i = 0; i < a.size(); ++i) result.decisions += a[i] != b[i] ? 1 : 0;
  return result;
}

}  // namespace flipscope::cli
