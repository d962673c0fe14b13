// The file of a campaign, in SQLite.
#include "flipscope/campaign/store.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <string_view>
#include <utility>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr int kApplicationId = 0x464C4950;  // "FLIP"
/// Of a store whose elements are all as wide as their tensors' words, and of one where some have
/// formats of their own, which earlier versions of Flipscope would misread.
constexpr int kSchemaVersion = 1, kElementSchemaVersion = 2;

constexpr const char* kSchema = R"(
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE target(id INTEGER PRIMARY KEY, part TEXT, layer TEXT, tensor TEXT, shape TEXT,
                    elements INTEGER, format TEXT, width INTEGER, bits TEXT, channel_axis INTEGER);
CREATE TABLE chunk(id INTEGER PRIMARY KEY, first INTEGER, rows INTEGER);
CREATE TABLE fault(fault INTEGER PRIMARY KEY, target INTEGER, idx INTEGER, bit INTEGER, golden, faulty,
                   masked INTEGER, non_critical INTEGER, critical INTEGER, due INTEGER, score);
)";

/// Lists with commas, in C order; a target without a row has none.
constexpr const char* kElementSchema = R"(
CREATE TABLE element(target INTEGER PRIMARY KEY, lowest TEXT, width TEXT, signed TEXT);
)";

bool has_elements(const FaultTarget& target) {
  return !target.encoding.elements.empty();
}

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

constexpr std::int64_t kMostElements = std::int64_t{1} << 48;

bool is_sound(const FaultTarget& target) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : target.shape) {
    if (extent < 0 || (extent > 0 && elements > kMostElements / extent)) return false;
    elements *= extent;
  }
  const int width = target.encoding.format.bits;
  return target.part != Part::none && elements == target.elements && width > 0 && width <= 64 &&
         std::ranges::all_of(target.bits, [width](int bit) { return bit >= 0 && bit < width; }) &&
         target.channel_axis >= -1 && target.channel_axis < std::ssize(target.shape);
}

}  // namespace

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

void Store::check_schema() const {
  if (database_.number("PRAGMA application_id") != kApplicationId) {
    fail("store", "{} is another program's database, not a Flipscope store; name another file",
         path());
  }
  const std::int64_t version = database_.number("PRAGMA user_version");
  if (version != kSchemaVersion && version != kElementSchemaVersion) {
    fail("store", "{} has store version {}; this flipscope reads versions {} and {}", path(),
         version, kSchemaVersion, kElementSchemaVersion);
  }
}

void Store::create(const CampaignRecord& record) {
  database_.execute("PRAGMA journal_mode = WAL");
  database_.execute("PRAGMA synchronous = NORMAL");
  {
    Transaction transaction(database_);
    if (!is_empty()) fail("store", "{} is in use by another run", path());
    database_.execute(kSchema);
    database_.execute(fmt::format("PRAGMA application_id = {}", kApplicationId));
    const bool by_element = std::ranges::any_of(record.targets, has_elements);
    database_.execute(fmt::format("PRAGMA user_version = {}",
                                  by_element ? kElementSchemaVersion : kSchemaVersion));
    Statement meta(database_, "INSERT INTO meta VALUES(?, ?)");
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
    put("strata", static_cast<int>(record.strata));
    put("confidence", std::optional(record.confidence));
    put("has_critical", int{record.has_critical});
    put("has_masked", int{record.has_masked});
    for (const auto& [name, value] : record.fields) put("identity." + name, value);
    for (const auto& [name, value] : record.info) put("info." + name, value);
    Statement target(database_, "INSERT INTO target VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
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
    if (by_element) write_elements(record);
    transaction.commit();
  }
  read_record();
}

void Store::write_elements(const CampaignRecord& record) {
  database_.execute(kElementSchema);
  Statement insert(database_, "INSERT INTO element VALUES(?, ?, ?, ?)");
  for (std::size_t t = 0; t < record.targets.size(); ++t) {
    if (!has_elements(record.targets[t])) continue;
    std::vector<int> lowest, width, is_signed;
    for (const ElementBits& element : record.targets[t].encoding.elements) {
      lowest.push_back(element.lowest);
      width.push_back(element.count);
      is_signed.push_back(element.is_signed ? 1 : 0);
    }
    insert.bind(1, static_cast<std::int64_t>(t));
    insert.bind(2, join(lowest));
    insert.bind(3, join(width));
    insert.bind(4, join(is_signed));
    insert.run();
  }
}

/// Nothing that a file says is used as an index before it is known to be one.
void Store::require(bool sound, const char* what) const {
  if (!sound) fail("store", "{} is damaged: {} contradict themselves", path(), what);
}

Strata Store::strata_of(std::int64_t number) const {
  require(number >= 0 && number <= static_cast<int>(Strata::bits), "its strata");
  return static_cast<Strata>(number);
}

bool Store::holds(const FaultSite& site) const {
  if (site.target < 0 || site.target >= std::ssize(record_.targets)) return false;
  const FaultTarget& target = record_.targets[static_cast<std::size_t>(site.target)];
  return site.index >= 0 && site.index < target.elements && site.bit >= 0 &&
         site.bit < target.encoding.width(site.index);
}

void Store::read_elements(CampaignRecord& record) const {
  if (database_.number("PRAGMA user_version") != kElementSchemaVersion) return;
  const std::vector<BitRange> allowed = parse_bit_ranges(record.fields["bits"]);
  Statement select(database_, "SELECT target, lowest, width, signed FROM element");
  while (select.step()) {
    const std::int64_t number = select.integer(0);
    require(number >= 0 && number < std::ssize(record.targets), "the targets of its elements");
    FaultTarget& target = record.targets[static_cast<std::size_t>(number)];
    const auto lowest = split<std::uint8_t>(select.text(1));
    const auto width = split<std::uint8_t>(select.text(2));
    const auto is_signed = split<int>(select.text(3));
    require(std::ssize(width) == target.elements && lowest.size() == width.size() &&
                is_signed.size() == width.size(),
            "its elements");
    for (std::size_t i = 0; i < width.size(); ++i) {
      require(lowest[i] + width[i] <= target.encoding.format.bits, "the widths of its elements");
      target.encoding.elements.push_back({lowest[i], width[i], is_signed[i] != 0});
    }
    allow_bits(target, allowed);
  }
}

void Store::read_record() {
  CampaignRecord record;
  Statement meta(database_, "SELECT key, value FROM meta");
  while (meta.step()) {
    const std::string key = meta.text(0);
    const auto number = [&] { return static_cast<std::uint64_t>(meta.integer(1)); };
    if (key == "identity") record.identity = meta.text(1);
    if (key == "rows") record.rows = number();
    if (key == "chunk_rows") record.chunk_rows = std::max<std::uint64_t>(number(), 1);
    if (key == "population") record.population = number();
    if (key == "samples") record.samples = meta.integer(1);
    if (key == "strata") record.strata = strata_of(meta.integer(1));
    if (key == "confidence") record.confidence = meta.real(1).value_or(record.confidence);
    if (key == "trials") record.trials = meta.integer(1) != 0;
    if (key == "has_critical") record.has_critical = meta.integer(1) != 0;
    if (key == "has_masked") record.has_masked = meta.integer(1) != 0;
    if (key == "seed") {
      const std::string text = meta.text(1);
      std::from_chars(text.data(), text.data() + text.size(), record.seed);
    }
    constexpr std::string_view kIdentity = "identity.", kInfo = "info.";
    if (key.starts_with(kIdentity)) record.fields[key.substr(kIdentity.size())] = meta.text(1);
    if (key.starts_with(kInfo)) record.info[key.substr(kInfo.size())] = meta.text(1);
  }
  Statement target(database_,
                   "SELECT part, layer, tensor, shape, elements, width, bits, channel_axis, format "
                   "FROM target ORDER BY id");
  while (target.step()) {
    FaultTarget read;
    read.part = part_named(target.text(0)).value_or(Part::none);
    read.layer = target.text(1);
    read.tensor = target.text(2);
    read.shape = split<std::int64_t>(target.text(3));
    read.elements = target.integer(4);
    read.encoding.format.bits = static_cast<int>(target.integer(5));
    read.bits = split<int>(target.text(6));
    read.channel_axis = static_cast<int>(target.integer(7));
    require(is_sound(read), "its targets");
    record.targets.push_back(std::move(read));
    record.formats.push_back(target.text(8));
  }
  read_elements(record);
  record_ = std::move(record);
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
