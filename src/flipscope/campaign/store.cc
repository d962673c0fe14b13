// The rows of a campaign, in SQLite.
#include "flipscope/campaign/store.h"

#include <filesystem>
#include <limits>
#include <utility>

#include "flipscope/numeric/error.h"

namespace flipscope {

Store Store::open_or_create(const std::string& path, const CampaignRecord& record) {
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path)) {
    fail("store", "{} is not a regular file; name a file for the store", path);
  }
  Store store(Database::open_or_create(path));
  if (store.is_empty()) {
    store.create(record);
    return store;
  }
  store.check_schema();
  store.read_record();
  if (store.record_.identity != record.identity) {
    fail("store", "{} holds another campaign: {}; give --store another name", path,
         difference(record, store.record_));
  }
  if (store.record_.chunk_rows != record.chunk_rows) {
    fail("store", "{} was begun by another version of flipscope; give --store another name", path);
  }
  store.set_confidence(record.confidence);
  return store;
}

Store Store::open(const std::string& path) {
  if (!std::filesystem::exists(path)) fail("store", "there is no store {}", path);
  if (!std::filesystem::is_regular_file(path)) fail("store", "{} is not a regular file", path);
  Store store(Database::open_to_read(path));
  store.check_schema();
  store.read_record();
  return store;
}

bool Store::is_empty() const {
  return database_.number("SELECT count(*) FROM sqlite_master") == 0 &&
         database_.number("PRAGMA application_id") == 0;
}

void Store::set_confidence(double confidence) {
  if (record_.confidence == confidence) return;
  Statement statement(database_, "UPDATE meta SET value = ? WHERE key = 'confidence'");
  statement.bind(1, std::optional(confidence));
  statement.run();
  record_.confidence = confidence;
}

std::optional<double> Store::golden_score() const {
  Statement statement(database_, "SELECT value FROM meta WHERE key = 'golden_score'");
  if (!statement.step()) return {};
  return statement.real(0);
}

void Store::set_golden_score(double score) {
  Statement statement(database_, "INSERT OR REPLACE INTO meta VALUES('golden_score', ?)");
  statement.bind(1, std::optional(score));
  statement.run();
}

std::vector<std::uint64_t> Store::done_chunks() const {
  std::vector<std::uint64_t> chunks;
  Statement statement(database_, "SELECT id FROM chunk ORDER BY id");
  while (statement.step()) chunks.push_back(static_cast<std::uint64_t>(statement.integer(0)));
  return chunks;
}

std::uint64_t Store::done_rows() const {
  Statement statement(database_, "SELECT coalesce(sum(rows), 0) FROM chunk");
  statement.step();
  return static_cast<std::uint64_t>(statement.integer(0));
}

bool Store::is_complete() const {
  return done_chunks().size() == record_.chunks();
}

std::vector<std::uint64_t> Store::row_numbers() const {
  std::vector<std::uint64_t> rows;
  Statement statement(database_, "SELECT fault FROM fault ORDER BY fault");
  while (statement.step()) rows.push_back(static_cast<std::uint64_t>(statement.integer(0)));
  return rows;
}

void Store::end_at(std::uint64_t rows) {
  Statement statement(database_, "UPDATE meta SET value = ? WHERE key = 'rows'");
  statement.bind(1, rows);
  statement.run();
  record_.rows = rows;
}

void Store::write_chunk(std::uint64_t chunk, std::span<const FaultRow> rows) {
  Transaction transaction(database_);
  Statement insert(database_,
                   "INSERT OR REPLACE INTO fault VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const FaultRow& row : rows) {
    insert.bind(1, row.fault);
    if (row.site) {
      insert.bind(2, row.site->target);
      insert.bind(3, row.site->index);
      insert.bind(4, row.site->bit);
    } else {
      for (const int column : {2, 3, 4}) insert.bind_null(column);
    }
    insert.bind(5, row.golden);
    insert.bind(6, row.faulty);
    insert.bind(7, row.outcomes.masked);
    insert.bind(8, row.outcomes.non_critical);
    if (record_.has_critical) {
      insert.bind(9, row.outcomes.critical);
    } else {
      insert.bind_null(9);
    }
    insert.bind(10, row.outcomes.due);
    insert.bind(11, std::optional(row.score));
    insert.run();
  }
  Statement done(database_, "INSERT OR REPLACE INTO chunk VALUES(?, ?, ?)");
  done.bind(1, chunk);
  done.bind(2, chunk * record_.chunk_rows);
  done.bind(3, static_cast<std::uint64_t>(rows.size()));
  done.run();
  transaction.commit();
}

void Store::for_each_row(const std::function<void(const FaultRow&)>& visit, std::uint64_t first,
                         std::uint64_t count) const {
  Statement select(
      database_,
      "SELECT fault, target, idx, bit, golden, faulty, masked, non_critical, critical, "
      "due, score FROM fault WHERE fault >= ? AND fault - ? < ? ORDER BY fault");
  select.bind(1, first);
  select.bind(2, first);
  select.bind(3, count);
  while (select.step()) {
    const auto number = [&](int column) {
      return static_cast<std::uint32_t>(select.integer(column));
    };
    FaultRow row;
    row.fault = static_cast<std::uint64_t>(select.integer(0));
    if (!select.is_null(1)) {
      row.site = {static_cast<int>(select.integer(1)), select.integer(2),
                  static_cast<int>(select.integer(3))};
    }
    row.golden = select.real(4);
    row.faulty = select.real(5);
    row.outcomes = {number(6), number(7), number(8), number(9)};
    row.score = select.real(10).value_or(std::numeric_limits<double>::quiet_NaN());
    require(row.site ? holds(*row.site) : record_.trials, "its faults");
    visit(row);
  }
}

/// Stores of earlier versions do not.
bool Store::counts_proved() const {
  return database_.number(
             "SELECT count(*) FROM pragma_table_info('session') WHERE name = 'proved'") > 0;
}

std::vector<Session> Store::sessions() const {
  std::vector<Session> sessions;
  if (database_.number("SELECT count(*) FROM sqlite_master WHERE name = 'session'") == 0) return {};
  const std::string sql = fmt::format(
      "SELECT version, threads, faults, seconds, unchanged, remembered, tail, whole, {} "
      "FROM session ORDER BY rowid",
      counts_proved() ? "proved" : "0");
  Statement select(database_, sql.c_str());
  while (select.step()) {
    const auto number = [&](int column) {
      return static_cast<std::uint64_t>(select.integer(column));
    };
    sessions.push_back({select.text(0), number(1), number(2), select.real(3).value_or(0),
                        WorkCounts{number(4), number(5), number(6), number(7), number(8)}});
  }
  return sessions;
}

void Store::add_session(const Session& session) {
  Transaction transaction(database_);
  database_.execute(
      "CREATE TABLE IF NOT EXISTS session(version TEXT, threads INTEGER, faults INTEGER, seconds "
      "REAL, unchanged INTEGER, remembered INTEGER, tail INTEGER, whole INTEGER, proved INTEGER)");
  if (!counts_proved()) database_.execute("ALTER TABLE session ADD COLUMN proved INTEGER");
  Statement insert(database_, "INSERT INTO session VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, session.version);
  insert.bind(2, session.threads);
  insert.bind(3, session.faults);
  insert.bind(4, std::optional(session.seconds));
  const WorkCounts& work = session.work;
  int column = 5;
  for (const std::uint64_t count :
       {work.unchanged, work.remembered, work.tail, work.whole, work.proved}) {
    insert.bind(column++, count);
  }
  insert.run();
  transaction.commit();
}

Store::Totals Store::totals() const {
  Statement sum(database_,
                "SELECT count(*), coalesce(sum(masked), 0), coalesce(sum(non_critical), 0), "
                "coalesce(sum(critical), 0), coalesce(sum(due), 0) FROM fault");
  sum.step();
  const auto number = [&](int column) { return static_cast<std::uint64_t>(sum.integer(column)); };
  return {number(0), number(1), number(2), number(3), number(4)};
}

}  // namespace flipscope
