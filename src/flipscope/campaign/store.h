// The file of a campaign: an SQLite database that says what was asked and holds every finished row.
//
// One transaction writes one chunk of rows, so the file is complete after any interruption, and a
// campaign resumes with the chunks that are missing. Tables: meta(key, value), target, chunk (those
// that are done), fault (a row each), and session (the calls that ran them). NaN, which SQLite
// cannot hold as a number, is the text 'nan'.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "flipscope/campaign/database.h"
#include "flipscope/campaign/record.h"

namespace flipscope {

class Store {
 public:
  /// The store of this campaign: the file if it exists, else a new one. Throws Error where the file
  /// is no store, or another campaign's (naming what differs), or cannot be written.
  static Store open_or_create(const std::string& path, const CampaignRecord& record);

  /// A store as it is, to be read. Throws Error where there is none.
  static Store open(const std::string& path);

  const std::string& path() const { return database_.path(); }
  const CampaignRecord& record() const { return record_; }

  std::optional<double> golden_score() const;
  void set_golden_score(double score);

  /// Chunks that are complete, ascending.
  std::vector<std::uint64_t> done_chunks() const;
  std::uint64_t done_rows() const;

  /// Whether every chunk is done.
  bool is_complete() const;

  /// Numbers of the rows that are there, ascending.
  std::vector<std::uint64_t> row_numbers() const;

  /// An adaptive campaign has all rows that it wants: they lie below `rows`.
  void end_at(std::uint64_t rows);

  /// Writes a chunk, or writes it again, as one transaction.
  void write_chunk(std::uint64_t chunk, std::span<const FaultRow> rows);

  /// Rows first … first + count − 1 that are there, ascending.
  void for_each_row(const std::function<void(const FaultRow&)>& visit, std::uint64_t first = 0,
                    std::uint64_t count = ~std::uint64_t{0} >> 1) const;

  /// The calls that ran faults, in the order in which they ended; older stores have none.
  std::vector<Session> sessions() const;
  void add_session(const Session& session);

  /// Sums over all rows.
  struct Totals {
    std::uint64_t rows = 0, masked = 0, non_critical = 0, critical = 0, due = 0;
  };
  Totals totals() const;

 private:
  explicit Store(Database database) : database_(std::move(database)) {}
  void create(const CampaignRecord& record);
  void read_record();
  void require(bool sound, const char* what) const;
  bool holds(const FaultSite& site) const;
  Strata strata_of(std::int64_t number) const;
  /// That intervals are given for, by the call that opens the store last.
  void set_confidence(double confidence);
  bool is_empty() const;
  bool counts_proved() const;
  /// Formats of elements, where there are any.
  void write_elements(const CampaignRecord& record);
  void read_elements(CampaignRecord& record) const;
  void check_schema() const;

  Database database_;
  CampaignRecord record_;
};

}  // namespace flipscope
