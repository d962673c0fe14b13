// The file of a campaign: an SQLite database that says what was asked and holds every finished row.
//
// One transaction writes one chunk of rows, so the file is complete after any interruption, and a
// campaign resumes with the chunks that are missing. Tables: meta(key, value), target, chunk (those
// that are done) and fault (a row each). NaN, which SQLite cannot hold as a number, is the text
// 'nan'.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "flipscope/fault/fault_space.h"
#include "flipscope/score/outcome.h"

struct sqlite3;

namespace flipscope {

/// What a store knows about its campaign before the first row.
struct CampaignRecord {
  std::string identity;
  std::map<std::string, std::string> fields;  ///< what the identity is made of
  std::map<std::string, std::string>
      info;                          ///< model, inputs, … as typed: for people, and later verbs
  std::vector<FaultTarget> targets;  ///< of the encodings the width alone
  std::vector<std::string> formats;  ///< [target] its encoding, for people
  std::uint64_t rows = 0;
  std::uint64_t chunk_rows = 1;
  std::uint64_t population = 0;  ///< as Selection::population()
  std::int64_t samples = 0;
  std::uint64_t seed = 0;
  bool trials = false;
  bool has_critical = false;  ///< the critical column has numbers

  std::uint64_t chunks() const { return (rows + chunk_rows - 1) / chunk_rows; }
};

struct FaultRow {
  std::uint64_t fault = 0;
  std::optional<FaultSite> site;  ///< empty for a trial
  std::optional<double> golden, faulty;
  OutcomeCounts outcomes;
  double score = 0;

  /// All fields, NaN equal to itself.
  bool same_as(const FaultRow& other) const;
};

class Store {
 public:
  /// The store of this campaign: the file if it exists, else a new one. Throws Error where the file
  /// is no store, or another campaign's (naming what differs), or cannot be written.
  static Store open_or_create(const std::string& path, const CampaignRecord& record);

  /// A store as it is, to be read. Throws Error where there is none.
  static Store open(const std::string& path);

  ~Store();
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;

  const std::string& path() const { return path_; }
  const CampaignRecord& record() const { return record_; }

  std::optional<double> golden_score() const;
  void set_golden_score(double score);

  /// Chunks that are complete, ascending.
  std::vector<std::uint64_t> done_chunks() const;
  std::uint64_t done_rows() const;

  /// Writes a chunk, or writes it again, as one transaction.
  void write_chunk(std::uint64_t chunk, std::span<const FaultRow> rows);

  /// Rows first … first + count − 1 that are there, ascending.
  void for_each_row(const std::function<void(const FaultRow&)>& visit, std::uint64_t first = 0,
                    std::uint64_t count = ~std::uint64_t{0} >> 1) const;

  /// Sums over all rows.
  struct Totals {
    std::uint64_t rows = 0, masked = 0, non_critical = 0, critical = 0, due = 0;
  };
  Totals totals() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };

  Store(std::string path, int flags);
  void create(const CampaignRecord& record);
  void read_record();
  bool is_empty() const;
  void check_schema() const;

  std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
  CampaignRecord record_;
};

}  // namespace flipscope
