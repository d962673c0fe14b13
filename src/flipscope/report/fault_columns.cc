#include "flipscope/report/fault_columns.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <string_view>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

static_assert(std::endian::native == std::endian::little, "columns are little-endian");

std::string compress_zlib(const std::string& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string packed(size, '\0');
  const int code =
      compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), Z_BEST_COMPRESSION);
  if (code != Z_OK) fail("report", "zlib cannot compress {} bytes (code {})", bytes.size(), code);
  packed.resize(size);
  return packed;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      word = word << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= count ? kDigits[word >> (18 - 6 * k) & 63U] : '=';
    }
  }
  return text;
}

class Packer {
 public:
  void integers(std::string_view name, const std::vector<std::uint32_t>& values) {
    const std::uint32_t most = values.empty() ? 0 : *std::ranges::max_element(values);
    begin(name);
    write_integers(values, most);
  }

  /// Each but the first as its difference, modulo 2³², from the one before.
  void differences(std::string_view name, std::vector<std::uint32_t> values) {
    for (std::size_t i = values.size(); i-- > 1;) values[i] -= values[i - 1];
    const std::uint32_t most = values.empty() ? 0 : *std::ranges::max_element(values);
    begin(name);
    directory_ += R"("differences":true,)";
    write_integers(values, most);
  }

  void numbers(std::string_view name, const std::vector<double>& values) {
    std::map<std::uint64_t, std::uint32_t> words;
    for (const double value : values) {
      words.try_emplace(std::bit_cast<std::uint64_t>(value), 0);
      if (words.size() > kMostWords) break;
    }
    begin(name);
    if (words.size() <= kMostWords) {
      std::uint32_t next = 0;
      std::vector<double> dictionary;
      for (auto& [word, number] : words) {
        number = next++;
        dictionary.push_back(std::bit_cast<double>(word));
      }
      std::vector<std::uint32_t> numbers;
      for (const double value : values) {
        numbers.push_back(words.at(std::bit_cast<std::uint64_t>(value)));
      }
      directory_ += fmt::format(R"("dictionary":{},)", dictionary.size());
      append(dictionary);
      write_integers(numbers, next);
    } else if (std::ranges::all_of(values, [](double value) {
                 return std::isnan(value) ||
                        static_cast<double>(static_cast<float>(value)) == value;
               })) {
      directory_ += R"("type":"f32"})";
      append(std::vector<float>(values.begin(), values.end()));
    } else {
      directory_ += R"("type":"f64"})";
      append(values);
    }
  }

  PackedFaults finish(std::uint64_t rows) && {
    return {rows, fmt::format(R"({{"rows":{},"columns":[{}]}})", rows, directory_),
            base64(compress_zlib(bytes_))};
  }

 private:
  static constexpr std::size_t kMostWords = 4096;

  void begin(std::string_view name) {
    directory_ += fmt::format(R"({}{{"name":"{}",)", directory_.empty() ? "" : ",", name);
  }

  void write_integers(const std::vector<std::uint32_t>& values, std::uint32_t most) {
    if (most < 256) {
      directory_ += R"("type":"u8"})";
      append(std::vector<std::uint8_t>(values.begin(), values.end()));
    } else if (most < 65536) {
      directory_ += R"("type":"u16"})";
      append(std::vector<std::uint16_t>(values.begin(), values.end()));
    } else {
      directory_ += R"("type":"u32"})";
      append(values);
    }
  }

  template <typename T>
  void append(const std::vector<T>& values) {
    const std::size_t size = values.size() * sizeof(T);
    bytes_.resize(bytes_.size() + size);
    if (size > 0) std::memcpy(bytes_.data() + bytes_.size() - size, values.data(), size);
  }

  std::string directory_, bytes_;
};

/// Rows to show, ascending.
std::vector<std::uint32_t> shown_rows(const CampaignReport& campaign, std::uint64_t most) {
  std::vector<std::uint32_t> rows(campaign.faults.size());
  std::iota(rows.begin(), rows.end(), 0U);
  if (rows.size() <= most) return rows;
  rows.assign(campaign.worst.begin(),
              campaign.worst.begin() + static_cast<std::ptrdiff_t>(
                                           std::min<std::uint64_t>(most, campaign.worst.size())));
  std::ranges::sort(rows);
  return rows;
}

}  // namespace

PackedFaults pack(const CampaignReport& campaign, std::uint64_t most) {
  const FaultColumns& faults = campaign.faults;
  const std::vector<std::uint32_t> rows = shown_rows(campaign, most);
  const auto column = [&]<typename T>(auto value_of, T) {
    std::vector<T> values;
    values.reserve(rows.size());
    for (const std::uint32_t r : rows) values.push_back(static_cast<T>(value_of(r)));
    return values;
  };
  const auto integers = [&](auto value_of) { return column(value_of, std::uint32_t{}); };
  const auto numbers = [&](auto value_of) { return column(value_of, double{}); };
  Packer packer;
  packer.integers("target", integers([&](auto r) { return faults.site[r].target; }));
  packer.differences("index", integers([&](auto r) { return faults.site[r].index; }));
  packer.integers("bit", integers([&](auto r) { return faults.site[r].bit; }));
  packer.numbers("golden", numbers([&](auto r) { return faults.golden[r]; }));
  packer.numbers("faulty", numbers([&](auto r) { return faults.faulty[r]; }));
  packer.integers("masked", integers([&](auto r) { return faults.masked[r]; }));
  packer.integers("critical", integers([&](auto r) { return faults.critical[r]; }));
  packer.integers("due", integers([&](auto r) { return faults.due[r]; }));
  packer.numbers("delta", numbers([&](auto r) { return static_cast<float>(faults.delta[r]); }));
  return std::move(packer).finish(rows.size());
}

}  // namespace flipscope
