// Shards of one campaign into one store.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "flipscope/campaign/export.h"
#include "flipscope/campaign/run_plan.h"
#include "flipscope/campaign/store.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

std::vector<FaultRow> rows_of(const Store& store, std::uint64_t chunk) {
  std::vector<FaultRow> rows;
  store.for_each_row([&](const FaultRow& row) { rows.push_back(row); },
                     chunk * store.record().chunk_rows, store.record().chunk_rows);
  return rows;
}

/// Removes the half-made store unless it was released.
class Unfinished {
 public:
  explicit Unfinished(std::string path) : path_(std::move(path)) { remove(); }
  ~Unfinished() { remove(); }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  const std::string& path() const { return path_; }

 private:
  void remove() const {
    std::error_code ignored;
    for (const char* suffix : {"", "-wal", "-shm"})
      std::filesystem::remove(path_ + suffix, ignored);
  }

  std::string path_;
};

}  // namespace

CampaignSummary merge_stores(const std::vector<std::string>& paths, const std::string& out) {
  if (paths.empty()) fail("merge", "there is nothing to merge: name the shards' stores");
  if (out.empty()) fail("merge", "the merged store needs a name: give --out FILE");
  if (std::filesystem::exists(out)) fail("merge", "{} exists already; give --out a new name", out);
  std::vector<Store> stores;
  for (const std::string& path : paths) {
    stores.push_back(Store::open(path));
    if (stores.back().record().identity != stores.front().record().identity) {
      fail("merge", "{} and {} hold different campaigns", paths.front(), path);
    }
  }
  const CampaignRecord& record = std::ranges::min_element(stores, {}, [](const Store& s) {
                                   return s.record().rows;
                                 })->record();

  std::vector<const Store*> holder(record.chunks(), nullptr);
  for (const Store& store : stores) {
    for (const std::uint64_t chunk : store.done_chunks()) {
      const Store*& first = holder.at(chunk);
      if (first == nullptr) {
        first = &store;
      } else if (!std::ranges::equal(
                     rows_of(*first, chunk), rows_of(store, chunk),
                     [](const FaultRow& a, const FaultRow& b) { return a.same_as(b); })) {
        fail("merge", "{} and {} disagree about faults {} to {}", first->path(), store.path(),
             chunk * record.chunk_rows, std::min(record.rows, (chunk + 1) * record.chunk_rows) - 1);
      }
    }
  }

  const Unfinished unfinished(fmt::format("{}.{}.part", out, getpid()));
  CampaignSummary summary;
  {
    Store merged = Store::open_or_create(unfinished.path(), record);
    for (const Store& store : stores) {
      if (const auto score = store.golden_score()) merged.set_golden_score(*score);
    }
    std::uint64_t missing = 0;
    for (std::uint64_t chunk = 0; chunk < record.chunks(); ++chunk) {
      if (holder[chunk] == nullptr) {
        ++missing;
      } else {
        merged.write_chunk(chunk, rows_of(*holder[chunk], chunk));
      }
    }
    summary = summarize(merged);
    if (missing != 0) {
      summary.notes.push_back(fmt::format(
          "{} of {} chunks are in none of the stores: the same inject command with --store {} runs "
          "them",
          missing, record.chunks(), out));
    }
  }
  std::filesystem::rename(unfinished.path(), out);
  return summary;
}

}  // namespace flipscope
