// What a store says of its campaign: written once, and believed only where it is sound.
#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "flipscope/campaign/store.h"
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

}  // namespace flipscope
