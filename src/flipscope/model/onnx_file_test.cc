// Reading tensors byte by byte: element types, external data, and contradictions.
#include "flipscope/model/onnx_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

namespace fs = std::filesystem;

// Protobuf's wire format, as far as a TensorProto needs it.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 128; value >>= 7) bytes += static_cast<char>(value % 128 + 128);
  return bytes + static_cast<char>(value);
}

std::string number_field(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) * 8) + varint(value);
}

std::string bytes_field(int field, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(field) * 8 + 2) + varint(bytes.size()) + bytes;
}

std::string header(const Shape& shape, int type) {
  std::string bytes;
  for (const std::int64_t size : shape) bytes += number_field(1, static_cast<std::uint64_t>(size));
  return bytes + number_field(2, static_cast<std::uint64_t>(type));
}

std::string external(const std::string& location, int offset, int length) {
  const auto entry = [](const std::string& key, const std::string& value) {
    return bytes_field(13, bytes_field(1, key) + bytes_field(2, value));
  };
  return entry("location", location) + entry("offset", std::to_string(offset)) +
         entry("length", std::to_string(length)) + number_field(14, 1);
}

class OnnxFile : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = temporary_path("onnx");
    fs::create_directories(folder_ / "model");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }

  Tensor read(const std::string& bytes) const {
    write("model/tensor.pb", bytes);
    return read_onnx_tensor((folder_ / "model/tensor.pb").string());
  }

  std::string error(const std::string& bytes) const {
    try {
      read(bytes);
    } catch (const Error& thrown) {
      const std::string text = thrown.what();
      const std::string prefix = "[onnx] " + (folder_ / "model/tensor.pb").string() + ": ";
      EXPECT_TRUE(text.starts_with(prefix)) << text;
      return text.substr(std::min(prefix.size(), text.size()));
    }
    return "no error";
  }

  fs::path folder_;
};

TEST_F(OnnxFile, raw_elements_of_every_width) {
  using T = ElementType;
  const auto raw = [&](int type, const std::string& bytes, std::int64_t count) {
    return read(header({count}, type) + bytes_field(9, bytes));
  };
  using D = std::vector<double>;
  EXPECT_EQ(raw(1, std::string("\0\0\x80\xbf", 4), 1).data, (D{-1}));
  EXPECT_EQ(raw(2, "\xff", 1).data, (D{255}));
  EXPECT_EQ(raw(3, "\xff", 1).data, (D{-1}));
  EXPECT_EQ(raw(5, "\xfe\xff", 1).data, (D{-2}));
  EXPECT_EQ(raw(4, "\xfe\xff", 1).data, (D{65534}));
  EXPECT_EQ(raw(6, "\xfd\xff\xff\xff", 1).data, (D{-3}));
  EXPECT_EQ(raw(12, "\xfd\xff\xff\xff", 1).data, (D{4294967293.0}));
  EXPECT_EQ(raw(7, "\xfc\xff\xff\xff\xff\xff\xff\xff", 1).data, (D{-4}));
  EXPECT_EQ(raw(7, "\xff\xff\xff\xff\xff\xff\xff\x7f", 1).data, (D{0x1p62}));
  EXPECT_EQ(raw(9, std::string("\0\x01\x02", 3), 3).data, (D{0, 1, 1}));
  EXPECT_EQ(raw(10, std::string("\0\xc0", 2), 1).data, (D{-2}));
  EXPECT_EQ(raw(16, "\x80\x3f", 1).data, (D{1}));
  EXPECT_EQ(raw(11, std::string("\0\0\0\0\0\0\xe0\x3f", 8), 1).data, (D{0.5}));
  const Tensor nibbles = raw(22, "\x87\x0f", 3);
  EXPECT_EQ(nibbles.type, T::int4);
  EXPECT_EQ(nibbles.data, (D{7, -8, -1}));
  EXPECT_EQ(raw(21, "\x87\x0f", 3).data, (D{7, 8, 15}));
}

TEST_F(OnnxFile, external_data_is_read_from_the_folder_and_below) {
  fs::create_directories(folder_ / "model/weights");
  write("model/weights/w.bin", std::string("\xff\xff\x01\x02\x03", 5));
  EXPECT_EQ(read(header({2}, 2) + external("weights/w.bin", 2, 2)).data,
            (std::vector<double>{1, 2}));
  EXPECT_EQ(error(header({4}, 2) + external("weights/w.bin", 2, 4)),
            "external data \"weights/w.bin\": 4 bytes from 2 of 5 bytes, its shape needs 4");
  EXPECT_EQ(error(header({2}, 2) + external("weights/w.bin", 0, 3)),
            "external data \"weights/w.bin\": 3 bytes from 0 of 5 bytes, its shape needs 2");
  EXPECT_EQ(error(header({2}, 2) + external("nothing.bin", 0, 2)),
            "external data file \"nothing.bin\" does not exist beside the model");
}

TEST_F(OnnxFile, external_data_stays_in_the_folder) {
  write("secret.bin", "ab");
  fs::create_symlink(folder_ / "secret.bin", folder_ / "model/link.bin");
  const std::string absolute = (folder_ / "secret.bin").string();
  for (const std::string& location :
       {std::string("../secret.bin"), absolute, std::string("link.bin"), std::string("")}) {
    EXPECT_EQ(error(header({2}, 2) + external(location, 0, 2)),
              "external data \"" + location + "\" must be a file in the model's own folder");
  }
}

TEST_F(OnnxFile, contradictions_are_errors_before_memory_is_taken) {
  EXPECT_EQ(error(header({1 << 30}, 1) + bytes_field(9, "1234")),
            "its shape needs 4294967296 bytes of float32, the file holds 4");
  EXPECT_EQ(error(header({3}, 1)), "its shape has 3 elements, float_data holds 0");
  EXPECT_EQ(error(header({1}, 8) + bytes_field(6, "text")),
            "element type number 8 is not supported");
  EXPECT_NE(error(header({1LL << 40}, 1)), "no error");
  EXPECT_NE(error(header({-1}, 1)), "no error");
  EXPECT_EQ(error(header({1}, 7) + bytes_field(9, std::string("\0\0\0\0\0\0\0\x20", 8))),
            "the integer 2305843009213693952 is beyond 2^53");
  EXPECT_EQ(error("\x08"), "is not an ONNX file, or it is truncated");
}

TEST(OnnxOneLine, control_characters_are_replaced) {
  EXPECT_EQ(one_line("a\nb\x7f"), "a?b?");
  EXPECT_EQ(one_line(std::string(10000, 'x')).size(), 4000U);
}

TEST(OnnxWithoutPart, only_a_part_is_taken_away) {
  const auto rest = [](const char* text) { return without_part(Error(text)); };
  EXPECT_EQ(rest("[shape] too large"), "too large");
  EXPECT_EQ(rest("[1,64] cannot become [1,5] here"), "[1,64] cannot become [1,5] here");
  EXPECT_EQ(rest("[shape] [1,64] and [2] differ"), "[1,64] and [2] differ");
  EXPECT_EQ(rest("[] does not fit"), "[] does not fit");
  EXPECT_EQ(rest("["), "[");
  EXPECT_EQ(rest(""), "");
}

}  // namespace
}  // namespace flipscope
