#include "flipscope/report/csv_table.h"

#include <algorithm>
#include <cmath>

#include "flipscope/model/csv_line.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// The next line without its end; false after the last one.
bool next_line(std::string_view& text, std::string_view& line) {
  if (text.empty()) return false;
  const std::size_t end = std::min(text.find('\n'), text.size());
  line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

}  // namespace

const std::string& CsvRow::text(std::string_view column) const {
  const auto found = std::ranges::find(columns_, column);
  if (found == columns_.end()) fail("report", "{} has no column \"{}\"", file_, column);
  return fields_[static_cast<std::size_t>(found - columns_.begin())];
}

double CsvRow::number(std::string_view column) const {
  const std::string& field = text(column);
  const std::optional<double> value = parse_number(field);
  if (!value) {
    fail("report", "{}:{}: {} is \"{}\", which is no number", file_, line_, column, field);
  }
  return *value;
}

std::int64_t CsvRow::integer(std::string_view column) const {
  const double value = number(column);
  if (std::nearbyint(value) != value || std::fabs(value) > 1e15) {
    fail("report", "{}:{}: {} is \"{}\", which is no whole number", file_, line_, column,
         text(column));
  }
  return static_cast<std::int64_t>(value);
}

std::optional<double> CsvRow::optional_number(std::string_view column) const {
  if (text(column).empty()) return {};
  return number(column);
}

void read_table(const std::string& file, const std::function<void(const CsvRow&)>& visit) {
  const std::string bytes = read_file_bytes(file);
  std::string_view text = bytes, line;
  if (!next_line(text, line) || line.empty()) fail("report", "{} is empty", file);
  const std::vector<std::string> columns = csv_fields(line);
  for (std::size_t number = 2; next_line(text, line); ++number) {
    if (line.empty()) continue;
    const std::vector<std::string> fields = csv_fields(line);
    if (fields.size() != columns.size()) {
      fail("report", "{}:{}: {} fields, where the header has {}", file, number, fields.size(),
           columns.size());
    }
    visit({file, number, columns, fields});
  }
}

std::vector<std::string> table_columns(const std::string& file) {
  const std::string bytes = read_file_bytes(file);
  std::string_view text = bytes, line;
  if (!next_line(text, line)) fail("report", "{} is empty", file);
  return csv_fields(line);
}

}  // namespace flipscope
