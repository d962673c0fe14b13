#include "flipscope/report/fault_columns.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "flipscope/report/campaign_report.h"
#include "flipscope/report/test_report.h"

namespace flipscope {
namespace {

using namespace testing;

std::string from_base64(const std::string& text) {
  static const std::string kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t word = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    word = word << 6 | static_cast<std::uint32_t>(kDigits.find(c));
    bits += 6;
    if (bits >= 8) bytes += static_cast<char>(word >> (bits -= 8) & 255U);
  }
  return bytes;
}

/// The columns of a page, read as its program reads them.
std::map<std::string, std::vector<double>> unpack(const PackedFaults& packed) {
  const nlohmann::json directory = nlohmann::json::parse(packed.directory);
  const std::string stream = from_base64(packed.base64);
  std::string bytes(64 << 20, '\0');
  uLongf size = bytes.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(bytes.data()), &size,
                       reinterpret_cast<const Bytef*>(stream.data()), stream.size()),
            Z_OK);
  std::size_t at = 0;
  const auto take = [&]<typename T>(std::size_t count, T) {
    std::vector<T> values(count);
    std::memcpy(values.data(), bytes.data() + at, count * sizeof(T));
    at += count * sizeof(T);
    return values;
  };
  const auto rows = directory["rows"].get<std::size_t>();
  std::map<std::string, std::vector<double>> columns;
  for (const auto& column : directory["columns"]) {
    std::vector<double> words;
    if (column.contains("dictionary")) words = take(column["dictionary"].get<std::size_t>(), 0.0);
    const auto type = column["type"].get<std::string>();
    std::vector<double> values;
    const auto assign = [&](const auto& read) { values.assign(read.begin(), read.end()); };
    if (type == "u8") assign(take(rows, std::uint8_t{}));
    if (type == "u16") assign(take(rows, std::uint16_t{}));
    if (type == "u32") assign(take(rows, std::uint32_t{}));
    if (type == "f32") assign(take(rows, float{}));
    if (type == "f64") assign(take(rows, double{}));
    if (column.contains("dictionary")) {
      for (double& value : values) value = words.at(static_cast<std::size_t>(value));
    }
    if (column.contains("differences")) {
      std::uint32_t sum = 0;
      for (double& value : values) value = sum += static_cast<std::uint32_t>(value);
    }
    columns[column["name"]] = values;
  }
  EXPECT_EQ(at, size);
  return columns;
}

TEST_F(ReportTest, PackedColumnsComeBack) {
  const CampaignReport report = read_campaign(exhaustive());
  auto columns = unpack(pack(report));
  const FaultColumns& faults = report.faults;
  ASSERT_EQ(columns["bit"].size(), faults.size());
  for (std::size_t r = 0; r < faults.size(); ++r) {
    EXPECT_EQ(columns["target"][r], faults.site[r].target);
    EXPECT_EQ(columns["index"][r], static_cast<double>(faults.site[r].index));
    EXPECT_EQ(columns["bit"][r], faults.site[r].bit);
    EXPECT_EQ(columns["golden"][r], faults.golden[r]);
    EXPECT_EQ(columns["faulty"][r], faults.faulty[r]);
    EXPECT_EQ(columns["masked"][r], faults.masked[r]);
    EXPECT_EQ(columns["critical"][r], faults.critical[r]);
    EXPECT_EQ(columns["due"][r], faults.due[r]);
    EXPECT_EQ(columns["delta"][r], static_cast<float>(faults.delta[r]));
  }
}

TEST_F(ReportTest, TooManyRowsLeaveTheWorst) {
  const CampaignReport report = read_campaign(exhaustive());
  const PackedFaults packed = pack(report, 10);
  EXPECT_EQ(packed.rows, 10u);
  auto columns = unpack(packed);
  double harm = 0, most = 0;
  for (const double critical : columns["critical"]) harm += critical;
  for (const double due : columns["due"]) harm += due;
  for (int i = 0; i < 10; ++i) {
    most += report.faults.harm[report.worst[static_cast<std::size_t>(i)]] * kSamples;
  }
  EXPECT_NEAR(harm, most, 1e-9);
}

TEST_F(ReportTest, PackedScoresMayBeNoNumbers) {
  CampaignReport campaign = read_campaign(exhaustive());
  campaign.faults.delta.front() = NAN;
  campaign.faults.delta.back() = INFINITY;
  auto columns = unpack(pack(campaign));
  EXPECT_TRUE(std::isnan(columns["delta"].front()));
  EXPECT_EQ(columns["delta"].back(), INFINITY);
}

}  // namespace
}  // namespace flipscope
