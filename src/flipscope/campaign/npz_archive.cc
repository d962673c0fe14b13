#include "flipscope/campaign/npz_archive.h"

#include <zip.h>

#include <utility>

#include "flipscope/numeric/error.h"

namespace flipscope {

NpzArchive::NpzArchive(const char* part) : part_(part) {
  zip_error_t error;
  zip_error_init(&error);
  source_ = zip_source_buffer_create(nullptr, 0, 0, &error);
  if (source_ != nullptr) {
    zip_source_keep(source_);  // zip_close() lets go of one of two.
    zip_ = zip_open_from_source(source_, ZIP_TRUNCATE, &error);
  }
  zip_error_fini(&error);
  if (zip_ == nullptr) fail(part_, "out of memory for the npz archive");
}

NpzArchive::~NpzArchive() {
  if (zip_ != nullptr) zip_discard(zip_);
  if (source_ != nullptr) zip_source_free(source_);
}

void NpzArchive::add(const std::string& name, std::string bytes) {
  members_.push_back(std::make_unique<std::string>(std::move(bytes)));
  const std::string& held = *members_.back();
  zip_source_t* const source = zip_source_buffer(zip_, held.data(), held.size(), 0);
  const zip_int64_t index =
      source == nullptr ? -1
                        : zip_file_add(zip_, (name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) fail(part_, "npz: {}", zip_strerror(zip_));
  // The same rows give the same bytes, whenever they are exported.
  zip_file_set_dostime(zip_, static_cast<zip_uint64_t>(index), 0, 0x21, 0);
}

std::string NpzArchive::finish() {
  if (zip_close(std::exchange(zip_, nullptr)) != 0) fail(part_, "npz: the archive failed");
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_source_stat(source_, &stat) != 0 || zip_source_open(source_) != 0) {
    fail(part_, "npz: the archive failed");
  }
  std::string bytes(stat.size, '\0');
  const zip_int64_t read = zip_source_read(source_, bytes.data(), bytes.size());
  zip_source_close(source_);
  if (read != static_cast<zip_int64_t>(bytes.size())) fail(part_, "npz: the archive failed");
  return bytes;
}

}  // namespace flipscope
