// Class labels from files.
#include "flipscope/model/labels.h"

#include <algorithm>
#include <cmath>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

std::int32_t integer_label(const std::string& name, std::int64_t row, double value) {
  if (value != std::floor(value) || !(std::abs(value) < 0x1p31)) {
    fail("labels", "{}: label {} is {}; labels are integers", name, row, value);
  }
  return static_cast<std::int32_t>(value);
}

std::int32_t one_hot_label(const std::string& name, std::int64_t row,
                           const std::vector<double>& scores) {
  const auto largest = std::ranges::max_element(scores);
  if (std::ranges::any_of(scores, [](double x) { return !std::isfinite(x); }) ||
      std::ranges::count(scores, *largest) != 1) {
    fail("labels", "{}: row {} names no class; one entry must be the largest", name, row);
  }
  return static_cast<std::int32_t>(largest - scores.begin());
}

}  // namespace

std::vector<std::int32_t> labels_from(const ArrayFile& file) {
  if (file.is_cifar) return file.labels;
  const StoredArray& array = file.array;
  const Shape& shape = array.shape;
  if (shape.empty() || shape.size() > 2 || (shape.size() == 2 && shape[1] < 1)) {
    fail("labels", "{}: has shape {}; expected [N] integers, or [N,classes] one-hot rows",
         array.name, to_string(shape));
  }
  const std::int64_t classes = shape.size() == 2 ? shape[1] : 1;
  std::vector<std::int32_t> labels;
  std::vector<double> row(static_cast<std::size_t>(classes));
  for (std::int64_t i = 0; i < shape[0]; ++i) {
    decode(array, i * classes, classes, row.data());
    labels.push_back(classes == 1 ? integer_label(array.name, i, row[0])
                                  : one_hot_label(array.name, i, row));
  }
  return labels;
}

}  // namespace flipscope
