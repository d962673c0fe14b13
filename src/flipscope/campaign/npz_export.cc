// Rows of a store as NumPy arrays.
#include <zip.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "flipscope/campaign/export.h"
#include "flipscope/campaign/npy_bytes.h"
#include "flipscope/campaign/store.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// A zip archive in memory.
class Archive {
 public:
  Archive() {
    zip_error_t error;
    zip_error_init(&error);
    source_ = zip_source_buffer_create(nullptr, 0, 0, &error);
    if (source_ != nullptr) {
      zip_source_keep(source_);  // zip_close() lets go of one of two.
      zip_ = zip_open_from_source(source_, ZIP_TRUNCATE, &error);
    }
    zip_error_fini(&error);
    if (zip_ == nullptr) fail("export", "out of memory for the npz archive");
  }
  ~Archive() {
    if (zip_ != nullptr) zip_discard(zip_);
    if (source_ != nullptr) zip_source_free(source_);
  }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  void add(const std::string& name, std::string bytes) {
    members_.push_back(std::make_unique<std::string>(std::move(bytes)));
    const std::string& held = *members_.back();
    zip_source_t* const source = zip_source_buffer(zip_, held.data(), held.size(), 0);
    const zip_int64_t index =
        source == nullptr ? -1
                          : zip_file_add(zip_, (name + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) fail("export", "npz: {}", zip_strerror(zip_));
    // The same rows give the same bytes, whenever they are exported.
    zip_file_set_dostime(zip_, static_cast<zip_uint64_t>(index), 0, 0x21, 0);
  }

  std::string finish() {
    if (zip_close(std::exchange(zip_, nullptr)) != 0) fail("export", "npz: the archive failed");
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_source_stat(source_, &stat) != 0 || zip_source_open(source_) != 0) {
      fail("export", "npz: the archive failed");
    }
    std::string bytes(stat.size, '\0');
    const zip_int64_t read = zip_source_read(source_, bytes.data(), bytes.size());
    zip_source_close(source_);
    if (read != static_cast<zip_int64_t>(bytes.size())) fail("export", "npz: the archive failed");
    return bytes;
  }

 private:
  zip_source_t* source_ = nullptr;
  zip_t* zip_ = nullptr;
  std::vector<std::unique_ptr<std::string>> members_;
};

}  // namespace

void export_npz(const std::string& path, const std::string& out) {
  if (out.empty()) fail("export", "npz is binary: give --out FILE.npz");
  const Store store = Store::open(path);
  const CampaignRecord& record = store.record();
  const double golden_score = store.golden_score().value_or(0);
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  using Integers = std::vector<std::int64_t>;
  Integers fault, target, index, bit, from_msb, masked, non_critical, critical, due;
  std::vector<double> golden, faulty, score, delta;
  store.for_each_row([&](const FaultRow& row) {
    fault.push_back(static_cast<std::int64_t>(row.fault));
    target.push_back(row.site ? row.site->target : -1);
    index.push_back(row.site ? row.site->index : -1);
    bit.push_back(row.site ? row.site->bit : -1);
    from_msb.push_back(row.site ? record.targets.at(row.site->target).encoding.format.bits - 1 -
                                      row.site->bit
                                : -1);
    golden.push_back(row.golden.value_or(kNone));
    faulty.push_back(row.faulty.value_or(kNone));
    masked.push_back(row.outcomes.masked);
    non_critical.push_back(row.outcomes.non_critical);
    critical.push_back(record.has_critical ? std::int64_t{row.outcomes.critical} : -1);
    due.push_back(row.outcomes.due);
    score.push_back(row.score);
    delta.push_back(row.score - golden_score);
  });
  std::vector<std::string> layers, tensors;
  for (const FaultTarget& t : record.targets) {
    layers.push_back(t.layer);
    tensors.push_back(t.tensor);
  }
  const Shape rows{static_cast<std::int64_t>(fault.size())};
  const Integers samples(fault.size(), record.samples);
  Archive archive;
  const std::pair<const char*, const Integers*> integers[] = {
      {"fault", &fault},       {"layer", &target},  {"tensor", &target},
      {"index", &index},       {"bit", &bit},       {"from_msb", &from_msb},
      {"samples", &samples},   {"masked", &masked}, {"non_critical", &non_critical},
      {"critical", &critical}, {"due", &due}};
  for (const auto& [name, values] : integers)
    archive.add(name, npy_bytes(rows, std::span(*values)));
  const std::pair<const char*, const std::vector<double>*> reals[] = {
      {"golden", &golden}, {"faulty", &faulty}, {"score", &score}, {"delta", &delta}};
  for (const auto& [name, values] : reals) archive.add(name, npy_bytes(rows, std::span(*values)));
  archive.add("layers", npy_texts(layers));
  archive.add("tensors", npy_texts(tensors));
  write_file_atomically(out, archive.finish());
}

}  // namespace flipscope
