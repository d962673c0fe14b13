// Tables of numbers in text files.
#include "flipscope/model/csv.h"

#include <bit>
#include <vector>

#include "flipscope/model/file_bytes.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

/// Takes the text up to the separator off the front.
std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view taken = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return taken;
}

struct Row {
  std::vector<double> numbers;
  std::size_t fields = 0;
  std::string_view bad;       ///< the first field that is no number
  std::size_t bad_field = 0;  ///< counted from 1; 0: every field is a number
};

Row parse_row(std::string_view line) {
  Row row;
  bool more = true;
  while (more) {
    more = line.find(',') != std::string_view::npos;
    const std::string_view field = take_until(line, ',');
    ++row.fields;
    if (const auto number = parse_number(field)) {
      row.numbers.push_back(*number);
    } else if (row.bad_field == 0) {
      row.bad = field;
      row.bad_field = row.fields;
    }
  }
  return row;
}

}  // namespace

StoredArray parse_csv(const std::string& name, std::string_view text) {
  StoredArray array;
  array.name = name;
  array.big_endian = std::endian::native == std::endian::big;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::size_t columns = 0;
  std::int64_t rows = 0;
  bool first = true;
  for (std::int64_t line_number = 1; !text.empty(); ++line_number) {
    const std::string_view line = take_until(text, '\n');
    if (line.find_first_not_of(" \t\r") == std::string_view::npos || line[0] == '#') continue;
    const Row row = parse_row(line);
    const bool header = first && row.numbers.empty();
    if (first) columns = row.fields;
    first = false;
    if (row.fields != columns) {
      fail("csv", "{}: line {} has {} fields; the first line has {}", name, line_number, row.fields,
           columns);
    }
    if (header) continue;
    if (row.bad_field != 0) {
      fail("csv", "{}: line {}, field {} is '{:.40}', which is not a number", name, line_number,
           row.bad_field, row.bad);
    }
    array.bytes.append(reinterpret_cast<const char*>(row.numbers.data()),
                       row.numbers.size() * sizeof(double));
    ++rows;
  }
  if (rows == 0) fail("csv", "{}: holds no numbers; expected a row of numbers per line", name);
  array.shape = {rows, static_cast<std::int64_t>(columns)};
  check_size(array, "csv");
  return array;
}

Tensor read_csv(const std::string& path) {
  return decode_all(parse_csv(path, read_file_bytes(path)));
}

}  // namespace flipscope
