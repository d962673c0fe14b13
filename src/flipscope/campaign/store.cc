// The file of a campaign, in SQLite.
#include "flipscope/campaign/store.h"

#include <sqlite3.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <string_view>
#include <utility>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr int kApplicationId = 0x464C4950;  // "FLIP"
constexpr int kSchemaVersion = 1;
constexpr int kBusyMilliseconds = 10'000;

constexpr const char* kSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE target(id INTEGER PRIMARY KEY, part TEXT, layer TEXT, tensor TEXT, shape TEXT,
                    elements INTEGER, format TEXT, width INTEGER, bits TEXT, channel_axis INTEGER);
CREATE TABLE chunk(id INTEGER PRIMARY KEY, first INTEGER, rows INTEGER);
CREATE TABLE fault(fault INTEGER PRIMARY KEY, target INTEGER, idx INTEGER, bit INTEGER, golden, faulty,
                   masked INTEGER, non_critical INTEGER, critical INTEGER, due INTEGER, score);
)";

[[noreturn]] void fail_sqlite(const std::string& path, sqlite3* database, int code) {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      fail("store", "{} is not a Flipscope store; give --store another name", path);
    case SQLITE_FULL:
      fail("store", "{} cannot be written: the disk is full; make room and run the same again",
           path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      fail("store", "{} cannot be written: it is read-only", path);
    case SQLITE_CANTOPEN:
      fail("store", "{} cannot be opened: check that its folder exists and may be written", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      fail("store", "{} is in use by another run", path);
    default:
      fail("store", "{}: {}", path,
           database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
  }
}

class Statement {
 public:
  Statement(const std::string& path, sqlite3* database, const char* sql)
      : path_(path), database_(database) {
    check(sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr));
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void bind(int i, std::int64_t value) { check(sqlite3_bind_int64(statement_, i, value)); }
  void bind(int i, std::uint64_t value) { bind(i, static_cast<std::int64_t>(value)); }
  void bind(int i, std::uint32_t value) { bind(i, std::int64_t{value}); }
  void bind(int i, int value) { bind(i, std::int64_t{value}); }
  void bind(int i, const std::string& text) {
    check(sqlite3_bind_text(statement_, i, text.data(), static_cast<int>(text.size()),
                            SQLITE_TRANSIENT));
  }
  void bind(int i, const std::optional<double>& value) {
    if (!value) {
      check(sqlite3_bind_null(statement_, i));
    } else if (std::isnan(*value)) {
      bind(i, std::string("nan"));
    } else {
      check(sqlite3_bind_double(statement_, i, *value));
    }
  }
  void bind_null(int i) { check(sqlite3_bind_null(statement_, i)); }

  /// True where there is a row.
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) fail_sqlite(path_, database_, code);
    return false;
  }
  void run() {
    step();
    check(sqlite3_reset(statement_));
  }

  bool is_null(int i) const { return sqlite3_column_type(statement_, i) == SQLITE_NULL; }
  std::int64_t integer(int i) const { return sqlite3_column_int64(statement_, i); }
  std::string text(int i) const {
    const unsigned char* const bytes = sqlite3_column_text(statement_, i);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, i));
    return bytes == nullptr ? std::string()
                            : std::string(reinterpret_cast<const char*>(bytes), size);
  }
  std::optional<double> real(int i) const {
    switch (sqlite3_column_type(statement_, i)) {
      case SQLITE_NULL:
        return {};
      case SQLITE_TEXT:
        return std::numeric_limits<double>::quiet_NaN();
      default:
        return sqlite3_column_double(statement_, i);
    }
  }

 private:
  void check(int code) {
    if (code != SQLITE_OK) fail_sqlite(path_, database_, code);
  }

  const std::string& path_;
  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
};

void execute(const std::string& path, sqlite3* database, const char* sql) {
  const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_sqlite(path, database, code);
}

/// Rolls back unless committed.
class Transaction {
 public:
  Transaction(const std::string& path, sqlite3* database) : path_(path), database_(database) {
    execute(path_, database_, "BEGIN IMMEDIATE");
  }
  ~Transaction() {
    if (!committed_) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit() {
    execute(path_, database_, "COMMIT");
    committed_ = true;
  }

 private:
  const std::string& path_;
  sqlite3* database_;
  bool committed_ = false;
};

template <typename T>
std::string join(const std::vector<T>& numbers) {
  return fmt::format("{}", fmt::join(numbers, ","));
}

template <typename T>
std::vector<T> split(const std::string& text) {
  std::vector<T> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    T number{};
    at = std::from_chars(at, end, number).ptr + 1;
    numbers.push_back(number);
  }
  return numbers;
}

Part part_named(const std::string& name) {
  for (const Part part : {Part::weights, Part::biases, Part::normalization, Part::activations,
                          Part::operands, Part::inputs}) {
    if (name == to_string(part)) return part;
  }
  return Part::none;
}

/// "what this command says differs from what the store holds", of the first field that does.
std::string difference(const CampaignRecord& wanted, const CampaignRecord& held) {
  static constexpr std::string_view kFiles[] = {"model", "samples", "emd-cost", "emd-cells",
                                                "protect"};
  // The first fields are the ones that a user is most likely to have changed.
  std::vector<std::string> names{"semantics", "model", "samples"};
  for (const auto& [name, value] : wanted.fields) names.push_back(name);
  for (const std::string& name : names) {
    const auto mine = wanted.fields.find(name);
    const auto theirs = held.fields.find(name);
    if (mine != wanted.fields.end() && theirs != held.fields.end() &&
        mine->second == theirs->second) {
      continue;
    }
    if (mine == wanted.fields.end() || theirs == held.fields.end() || name == "semantics") {
      return "it was written by another version of flipscope";
    }
    if (std::ranges::find(kFiles, name) != std::end(kFiles)) {
      return fmt::format("its {} differ{}", name == "samples" ? "samples" : name + " file",
                         name == "samples" ? "" : "s");
    }
    return fmt::format("it has --{} '{}', not '{}'", name, theirs->second, mine->second);
  }
  return "its options differ";
}

}  // namespace

bool FaultRow::same_as(const FaultRow& other) const {
  const auto same = [](const std::optional<double>& a, const std::optional<double>& b) {
    if (!a || !b) return a.has_value() == b.has_value();
    return (std::isnan(*a) && std::isnan(*b)) ||
           std::bit_cast<std::uint64_t>(*a) == std::bit_cast<std::uint64_t>(*b);
  };
  return fault == other.fault && site == other.site && same(golden, other.golden) &&
         same(faulty, other.faulty) && outcomes == other.outcomes && same(score, other.score);
}

void Store::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Store::Store(std::string path, int flags) : path_(std::move(path)) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path_.c_str(), &database, flags, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) fail_sqlite(path_, nullptr, code);
  sqlite3_busy_timeout(database, kBusyMilliseconds);
}

Store::~Store() = default;
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;

Store Store::open_or_create(const std::string& path, const CampaignRecord& record) {
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path)) {
    fail("store", "{} is not a regular file; name a file for the store", path);
  }
  Store store(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
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
  if (sqlite3_db_readonly(store.database_.get(), "main") == 1) {
    fail_sqlite(path, nullptr, SQLITE_READONLY);
  }
  return store;
}

Store Store::open(const std::string& path) {
  if (!std::filesystem::exists(path)) fail("store", "there is no store {}", path);
  if (!std::filesystem::is_regular_file(path)) fail("store", "{} is not a regular file", path);
  // Only a connection that may write clears SQLite's side files away when it closes.
  Store store(path, SQLITE_OPEN_READWRITE);
  const int code =
      sqlite3_exec(store.database_.get(), "SELECT 1 FROM sqlite_master", nullptr, nullptr, nullptr);
  const bool cannot = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY;
  if (cannot && !std::filesystem::exists(path + "-wal")) {
    // The folder may not be written, so there is no room for side files; nobody writes the store.
    std::string uri = "file:";
    for (const char c : std::filesystem::absolute(path).string()) {
      if (c == '%' || c == '?' || c == '#') {
        uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
      } else {
        uri += c;
      }
    }
    store = Store(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    store.path_ = path;
  }
  store.check_schema();
  store.read_record();
  return store;
}

bool Store::is_empty() const {
  Statement count(path_, database_.get(), "SELECT count(*) FROM sqlite_master");
  count.step();
  Statement id(path_, database_.get(), "PRAGMA application_id");
  id.step();
  return count.integer(0) == 0 && id.integer(0) == 0;
}

void Store::check_schema() const {
  Statement id(path_, database_.get(), "PRAGMA application_id");
  id.step();
  if (id.integer(0) != kApplicationId) {
    fail("store", "{} is another program's database, not a Flipscope store; name another file",
         path_);
  }
  Statement version(path_, database_.get(), "PRAGMA user_version");
  version.step();
  if (version.integer(0) != kSchemaVersion) {
    fail("store", "{} has store version {}; this flipscope reads version {}", path_,
         version.integer(0), kSchemaVersion);
  }
}

void Store::create(const CampaignRecord& record) {
  sqlite3* const database = database_.get();
  execute(path_, database, "PRAGMA journal_mode = WAL");
  execute(path_, database, "PRAGMA synchronous = NORMAL");
  {
    Transaction transaction(path_, database);
    if (!is_empty()) fail("store", "{} is in use by another run", path_);
    execute(path_, database, kSchema);
    execute(path_, database, fmt::format("PRAGMA application_id = {}", kApplicationId).c_str());
    execute(path_, database, fmt::format("PRAGMA user_version = {}", kSchemaVersion).c_str());
    Statement meta(path_, database, "INSERT INTO meta VALUES(?, ?)");
    const auto put = [&](const std::string& key, const auto& value) {
      meta.bind(1, key);
      meta.bind(2, value);
      meta.run();
    };
    put("identity", record.identity);
    put("rows", record.rows);
    put("chunk_rows", record.chunk_rows);
    put("population", record.population);
    put("samples", record.samples);
    put("seed", std::to_string(record.seed));
    put("trials", int{record.trials});
    put("has_critical", int{record.has_critical});
    for (const auto& [name, value] : record.fields) put("identity." + name, value);
    for (const auto& [name, value] : record.info) put("info." + name, value);
    Statement target(path_, database, "INSERT INTO target VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (std::size_t t = 0; t < record.targets.size(); ++t) {
      const FaultTarget& from = record.targets[t];
      target.bind(1, static_cast<std::int64_t>(t));
      target.bind(2, std::string(to_string(from.part)));
      target.bind(3, from.layer);
      target.bind(4, from.tensor);
      target.bind(5, join(from.shape));
      target.bind(6, from.elements);
      target.bind(7, record.formats[t]);
      target.bind(8, from.encoding.format.bits);
      target.bind(9, join(from.bits));
      target.bind(10, from.channel_axis);
      target.run();
    }
    transaction.commit();
  }
  read_record();
}

void Store::read_record() {
  CampaignRecord record;
  Statement meta(path_, database_.get(), "SELECT key, value FROM meta");
  while (meta.step()) {
    const std::string key = meta.text(0);
    const auto number = [&] { return static_cast<std::uint64_t>(meta.integer(1)); };
    if (key == "identity") record.identity = meta.text(1);
    if (key == "rows") record.rows = number();
    if (key == "chunk_rows") record.chunk_rows = std::max<std::uint64_t>(number(), 1);
    if (key == "population") record.population = number();
    if (key == "samples") record.samples = meta.integer(1);
    if (key == "trials") record.trials = meta.integer(1) != 0;
    if (key == "has_critical") record.has_critical = meta.integer(1) != 0;
    if (key == "seed") {
      const std::string text = meta.text(1);
      std::from_chars(text.data(), text.data() + text.size(), record.seed);
    }
    constexpr std::string_view kIdentity = "identity.", kInfo = "info.";
    if (key.starts_with(kIdentity)) record.fields[key.substr(kIdentity.size())] = meta.text(1);
    if (key.starts_with(kInfo)) record.info[key.substr(kInfo.size())] = meta.text(1);
  }
  Statement target(path_, database_.get(),
                   "SELECT part, layer, tensor, shape, elements, width, bits, channel_axis, format "
                   "FROM target ORDER BY id");
  while (target.step()) {
    FaultTarget read;
    read.part = part_named(target.text(0));
    read.layer = target.text(1);
    read.tensor = target.text(2);
    read.shape = split<std::int64_t>(target.text(3));
    read.elements = target.integer(4);
    read.encoding.format.bits = static_cast<int>(target.integer(5));
    read.bits = split<int>(target.text(6));
    read.channel_axis = static_cast<int>(target.integer(7));
    record.targets.push_back(std::move(read));
    record.formats.push_back(target.text(8));
  }
  record_ = std::move(record);
}

std::optional<double> Store::golden_score() const {
  Statement statement(path_, database_.get(), "SELECT value FROM meta WHERE key = 'golden_score'");
  if (!statement.step()) return {};
  return statement.real(0);
}

void Store::set_golden_score(double score) {
  Statement statement(path_, database_.get(),
                      "INSERT OR REPLACE INTO meta VALUES('golden_score', ?)");
  statement.bind(1, std::optional(score));
  statement.run();
}

std::vector<std::uint64_t> Store::done_chunks() const {
  std::vector<std::uint64_t> chunks;
  Statement statement(path_, database_.get(), "SELECT id FROM chunk ORDER BY id");
  while (statement.step()) chunks.push_back(static_cast<std::uint64_t>(statement.integer(0)));
  return chunks;
}

std::uint64_t Store::done_rows() const {
  Statement statement(path_, database_.get(), "SELECT coalesce(sum(rows), 0) FROM chunk");
  statement.step();
  return static_cast<std::uint64_t>(statement.integer(0));
}

void Store::write_chunk(std::uint64_t chunk, std::span<const FaultRow> rows) {
  sqlite3* const database = database_.get();
  Transaction transaction(path_, database);
  Statement insert(path_, database,
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
  Statement done(path_, database, "INSERT OR REPLACE INTO chunk VALUES(?, ?, ?)");
  done.bind(1, chunk);
  done.bind(2, chunk * record_.chunk_rows);
  done.bind(3, static_cast<std::uint64_t>(rows.size()));
  done.run();
  transaction.commit();
}

void Store::for_each_row(const std::function<void(const FaultRow&)>& visit, std::uint64_t first,
                         std::uint64_t count) const {
  Statement select(
      path_, database_.get(),
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
    visit(row);
  }
}

Store::Totals Store::totals() const {
  Statement sum(path_, database_.get(),
                "SELECT count(*), coalesce(sum(masked), 0), coalesce(sum(non_critical), 0), "
                "coalesce(sum(critical), 0), coalesce(sum(due), 0) FROM fault");
  sum.step();
  const auto number = [&](int column) { return static_cast<std::uint64_t>(sum.integer(column)); };
  return {number(0), number(1), number(2), number(3), number(4)};
}

}  // namespace flipscope
