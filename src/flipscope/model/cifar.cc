// CIFAR binary batches: one or two label bytes, then 3 × 32 × 32 pixels, channel first.
#include "flipscope/model/cifar.h"

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr std::size_t kPixels = 3072;

/// True where every record of 3072 + label_bytes begins with labels below the limits.
bool labels_fit(const std::string& bytes, std::size_t label_bytes, const int* limits) {
  const std::size_t record = kPixels + label_bytes;
  if (bytes.empty() || bytes.size() % record != 0) return false;
  for (std::size_t at = 0; at < bytes.size(); at += record) {
    for (std::size_t k = 0; k < label_bytes; ++k) {
      if (static_cast<unsigned char>(bytes[at + k]) >= limits[k]) return false;
    }
  }
  return true;
}

}  // namespace

CifarBatch parse_cifar(const std::string& name, const std::string& bytes) {
  constexpr int kLimits10[] = {10};
  constexpr int kLimits100[] = {20, 100};
  std::size_t label_bytes = 1;
  if (!labels_fit(bytes, 1, kLimits10)) {
    label_bytes = 2;
    if (!labels_fit(bytes, 2, kLimits100)) {
      fail("cifar",
           "{}: is not a CIFAR binary file: expected records of 3073 bytes with labels 0 "
           "to 9, or of 3074 bytes (CIFAR-100), in {} bytes",
           name, bytes.size());
    }
  }
  const std::size_t record = kPixels + label_bytes;
  const std::size_t count = bytes.size() / record;
  CifarBatch batch;
  batch.images.name = name;
  batch.images.type = ElementType::uint8;
  batch.images.shape = {static_cast<std::int64_t>(count), 3, 32, 32};
  batch.images.bytes.reserve(count * kPixels);
  for (std::size_t i = 0; i < count; ++i) {
    batch.images.bytes.append(bytes, i * record + label_bytes, kPixels);
    batch.labels.push_back(static_cast<unsigned char>(bytes[i * record + label_bytes - 1]));
  }
  return batch;
}

}  // namespace flipscope
