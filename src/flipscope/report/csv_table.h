// Tables that other verbs wrote, read by the names of their columns.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flipscope {

/// One line of a table, while it is visited.
class CsvRow {
 public:
  CsvRow(const std::string& file, std::size_t line, const std::vector<std::string>& columns,
         const std::vector<std::string>& fields)
      : file_(file), line_(line), columns_(columns), fields_(fields) {}

  std::size_t line() const { return line_; }

  /// Throws Error where the table has no such column.
  const std::string& text(std::string_view column) const;
  /// Throws Error with file:line where the field is no number.
  double number(std::string_view column) const;
  std::int64_t integer(std::string_view column) const;
  /// Empty where the field is.
  std::optional<double> optional_number(std::string_view column) const;

 private:
  const std::string& file_;
  std::size_t line_;
  const std::vector<std::string>& columns_;
  const std::vector<std::string>& fields_;
};

/// Visits each line after the header; fields in quotes may hold commas. `visit` also gets the
/// columns. Throws Error where the file cannot be read, has no header, or a line has another number
/// of fields.
void read_table(const std::string& file, const std::function<void(const CsvRow&)>& visit);

/// The names in a table's first line.
std::vector<std::string> table_columns(const std::string& file);

}  // namespace flipscope
