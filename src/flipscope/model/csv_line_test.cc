#include "flipscope/model/csv_line.h"

#include <gtest/gtest.h>

namespace flipscope {
namespace {

TEST(CsvLine, FieldsAreReadAsTheyWereWritten) {
  const std::vector<std::string> fields{"conv", "", "a,b", "the \"first\"", ",\"", " "};
  std::string line;
  for (const std::string& field : fields) line += (line.empty() ? "" : ",") + csv_field(field);
  EXPECT_EQ(line, R"(conv,,"a,b","the ""first""",",""", )");
  EXPECT_EQ(csv_fields(line), fields);
  EXPECT_EQ(csv_fields(""), std::vector<std::string>{""});
}

}  // namespace
}  // namespace flipscope
