#include "flipscope/model/array_file.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <random>

#include "flipscope/model/cifar.h"
#include "flipscope/model/compressed.h"
#include "flipscope/model/csv.h"
#include "flipscope/model/file_bytes.h"
#include "flipscope/model/idx.h"
#include "flipscope/model/npy.h"
#include "flipscope/numeric/test_data.h"
#include "flipscope/numeric/test_error.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

/// The bytes with a few of them changed, dropped, or the end cut off.
std::string corrupted(std::string bytes, std::mt19937_64& random) {
  switch (random() % 4) {
    case 0:
      bytes.resize(random() % (bytes.size() + 1));
      break;
    case 1:
      bytes.insert(random() % (bytes.size() + 1), 1, static_cast<char>(random()));
      break;
    default:
      for (std::uint64_t k = 1 + random() % 8; k > 0; --k) {
        const std::size_t at =
            random() % std::min<std::size_t>(bytes.size(), k % 2 ? 128 : 1 << 20);
        bytes[at] = static_cast<char>(random());
      }
  }
  return bytes;
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// numpy.savez_compressed(images=arange(24, dtype='>i2').reshape(2,3,4), y=array([1,0], 'i8'))
const std::string kDeflated = from_hex(
    "504b03042d000000080000002100bf942115ffffffffffffffff0a001400696d616765732e6e707901001000b000"
    "00000000000079000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9769a4aea3a09e965f54"
    "529498179f5f94920a12774bcc294e058a17672416a402f91a463a0ac63a0a269a3a0ab50ae4012e060606460626"
    "06660616065606360676060e064e062e066e061e065e063e067e0601064106210661061106510631067100504b03"
    "042d00000008000000210071fb39abffffffffffffffff05001400792e6e70790100100090000000000000004800"
    "0000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e965f54529498179f5f9492"
    "0a12774bcc294e058a17672416a402f91a463a9a3a0ab50a14002e4606540000504b01022d032d00000008000000"
    "2100bf94211579000000b00000000a0000000000000000000000800100000000696d616765732e6e7079504b0102"
    "2d032d00000008000000210071fb39ab48000000900000000500000000000000000000008001b5000000792e6e70"
    "79504b050600000000020002006b000000340100000000");

// numpy.savez(x=asfortranarray(array([[1.5, 2, 3], [4, 5, 6]], 'f2')))
const std::string kStored = from_hex(
    "504b03042d000000000000002100c9fc3472ffffffffffffffff05001400782e6e7079010010008c000000000000"
    "008c00000000000000934e554d5059010076007b276465736372273a20273c6632272c2027666f727472616e5f6f"
    "72646572273a20547275652c20277368617065273a2028322c2033292c207d202020202020202020202020202020"
    "20202020202020202020202020202020202020202020202020202020202020202020202020202020202020200a00"
    "3e00440040004500420046504b01022d032d000000000000002100c9fc34728c0000008c00000005000000000000"
    "0000000000800100000000782e6e7079504b0506000000000100010033000000c30000000000");

std::string npy_bytes(const std::string& dictionary, const std::string& payload, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += {version, '\0', static_cast<char>(dictionary.size()), '\0'};
  if (version > 1) bytes += std::string(2, '\0');
  return bytes + dictionary + payload;
}

std::string npy_of(const std::string& type, const std::string& shape, const std::string& payload,
                   const char* fortran = "False") {
  return npy_bytes(
      "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n",
      payload);
}

template <typename T>
std::string bytes_of(std::vector<T> values, bool big_endian) {
  std::string bytes;
  for (const T& value : values) {
    std::string one(reinterpret_cast<const char*>(&value), sizeof(T));
    if (big_endian != (std::endian::native == std::endian::big)) {
      one.assign(one.rbegin(), one.rend());
    }
    bytes += one;
  }
  return bytes;
}

std::vector<double> read_npy(const std::string& bytes) {
  return decode_all(parse_npy("x.npy", bytes)).data;
}

template <typename T>
void expect_both_orders(const std::string& code, std::vector<T> values) {
  const std::string shape = "(" + std::to_string(values.size()) + ",)";
  const std::vector<double> expected(values.begin(), values.end());
  EXPECT_EQ(read_npy(npy_of("<" + code, shape, bytes_of(values, false))), expected) << code;
  EXPECT_EQ(read_npy(npy_of(">" + code, shape, bytes_of(values, true))), expected) << code;
}

TEST(Npy, EveryElementType) {
  expect_both_orders<std::int8_t>("i1", {-128, -1, 127});
  expect_both_orders<std::uint8_t>("u1", {0, 255});
  expect_both_orders<std::int16_t>("i2", {-32768, 258});
  expect_both_orders<std::uint16_t>("u2", {65535, 258});
  expect_both_orders<std::int32_t>("i4", {-2147483647 - 1, 66051});
  expect_both_orders<std::uint32_t>("u4", {4294967295u, 66051});
  expect_both_orders<std::int64_t>("i8", {-(1LL << 53) + 1, 42});
  expect_both_orders<std::uint64_t>("u8", {(1ULL << 53) - 1, 42});
  expect_both_orders<float>("f4", {-1.5f, 1e-45f, 3e38f});
  expect_both_orders<double>("f8", {-1.5, 5e-324, 1e308});
  EXPECT_EQ(read_npy(npy_of("<f2", "(2,)", bytes_of<std::uint16_t>({0x3c00, 0x0001}, false))),
            (std::vector<double>{1, 0x1p-24}));
  EXPECT_EQ(read_npy(npy_of("|b1", "(2,)", std::string("\0\1", 2))), (std::vector<double>{0, 1}));
}

TEST(Npy, IntegersThatADoubleSkipsAreRefused) {
  EXPECT_THROW(read_npy(npy_of("<i8", "(1,)", bytes_of<std::int64_t>({(1LL << 53) + 1}, false))),
               Error);
  EXPECT_THROW(read_npy(npy_of("<u8", "(1,)", bytes_of<std::uint64_t>({~0ULL}, false))), Error);
}

TEST(Npy, FortranOrderIsTurnedIntoCOrder) {
  EXPECT_EQ(read_npy(npy_of("|u1", "(2, 3)", {1, 4, 2, 5, 3, 6}, "True")),
            (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(read_npy(npy_of("|u1", "(2, 2, 2)", {0, 4, 2, 6, 1, 5, 3, 7}, "True")),
            (std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Npy, HeadersOfAllVersions) {
  const std::string dictionary = "{\"shape\": (2L,), 'fortran_order': False, 'descr': '|u1'}  \n";
  for (const char version : {'\1', '\2', '\3'}) {
    EXPECT_EQ(read_npy(npy_bytes(dictionary, "\5\6", version)), (std::vector<double>{5, 6}));
  }
  EXPECT_THROW(read_npy(npy_bytes(dictionary, "\5\6", '\4')), Error);
  EXPECT_EQ(parse_npy("x", npy_of("|u1", "()", "\7")).shape, Shape{});
}

TEST(Npy, SaysWhatIsWrong) {
  const auto message = [](const std::string& bytes) {
    return message_of([&] { read_npy(bytes); });
  };
  EXPECT_NE(message(npy_of("<c8", "(1,)", "12345678")).find("'c8' is not supported"),
            std::string::npos);
  EXPECT_NE(message(npy_of("|u1", "(3,)", "12")).find("cut short"), std::string::npos);
  EXPECT_NE(message(npy_of("|u1", "(1,)", "12")).find("damaged"), std::string::npos);
  EXPECT_NE(message(npy_of("|u1", "(-1,)", "")).find("impossible"), std::string::npos);
  EXPECT_NE(message(npy_of("|u1", "(4611686018427387904, 4)", "")).find("impossible"),
            std::string::npos);
  EXPECT_NE(
      message(npy_bytes("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234"))
          .find("records"),
      std::string::npos);
  EXPECT_NE(message("hello").find("is not an .npy file"), std::string::npos);
}

TEST(Npy, WrittenFilesAreReadBack) {
  const std::string path = temporary_file("written.npy", "old");
  const std::vector<float> values{1.5f, -0.0f, 1e-45f, INFINITY, 3, 4};
  write_npy(path, {2, 3}, values.data());
  const Tensor tensor = read_array(path);
  EXPECT_EQ(tensor.shape, (Shape{2, 3}));
  EXPECT_EQ(tensor.type, ElementType::float32);
  EXPECT_TRUE(std::equal(values.begin(), values.end(), tensor.data.begin()));
  EXPECT_TRUE(std::signbit(tensor.data[1]));
  write_npy(path, {}, values.data());
  EXPECT_EQ(read_array(path).shape, Shape{});
}

TEST(Npy, FailedWritesLeaveNothing) {
  const float value = 1;
  EXPECT_THROW(write_npy("/nonexistent/folder/x.npy", {1}, &value), Error);
  EXPECT_THROW(write_npy("/dev/null", {1}, &value), Error);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(Npz, ArraysByKey) {
  const std::string path = temporary_file("two.npz", kDeflated);
  const Tensor images = read_array(path + ":images");
  EXPECT_EQ(images.shape, (Shape{2, 3, 4}));
  EXPECT_EQ(images.type, ElementType::int16);
  EXPECT_EQ(images.data[23], 23);
  EXPECT_EQ(read_array(path + ":y").data, (std::vector<double>{1, 0}));
  EXPECT_NE(message_of([&] { read_array(path); }).find("images, y"), std::string::npos);
  EXPECT_NE(message_of([&] { read_array(path + ":x"); }).find("no array 'x'"), std::string::npos);
}

TEST(Npz, TheOnlyArrayNeedsNoKey) {
  const std::string path = temporary_file("one.npz", kStored);
  EXPECT_EQ(read_array(path).data, (std::vector<double>{1.5, 2, 3, 4, 5, 6}));
  EXPECT_EQ(read_array(path + ":x").data, read_array(path).data);
}

TEST(Idx, HeaderAndBigEndianElements) {
  const std::string bytes("\0\0\x0b\2\0\0\0\1\0\0\0\2\1\2\xff\xfe", 16);
  const Tensor tensor = decode_all(parse_idx("x", bytes));
  EXPECT_EQ(tensor.shape, (Shape{1, 2}));
  EXPECT_EQ(tensor.data, (std::vector<double>{258, -2}));
  EXPECT_THROW(parse_idx("x", bytes.substr(0, 15)), Error);
  EXPECT_THROW(parse_idx("x", bytes.substr(0, 6)), Error);
  EXPECT_THROW(parse_idx("x", std::string("\0\0\x0a\1\0\0\0\1\1", 9)), Error);
}

TEST(Idx, MnistThroughGzip) {
  FLIPSCOPE_NEEDS_DATA(images, "mnist/t10k-images-idx3-ubyte.gz");
  FLIPSCOPE_NEEDS_DATA(labels, "mnist/t10k-labels-idx1-ubyte.gz");
  EXPECT_EQ(open_array_file(images).array.shape, (Shape{10000, 28, 28}));
  const Tensor digits = read_array(labels);
  EXPECT_EQ(digits.shape, Shape{10000});
  EXPECT_EQ(std::vector<double>(digits.data.begin(), digits.data.begin() + 5),
            (std::vector<double>{7, 2, 1, 0, 4}));
}

TEST(Npy, LogitsOfAnotherFramework) {
  FLIPSCOPE_NEEDS_DATA(logits, "resnet_cifar10/resnet20_logits_1017.npy");
  EXPECT_EQ(read_array(logits).shape, (Shape{1017, 10}));
}

std::vector<double> read_csv_text(const std::string& text) {
  return decode_all(parse_csv("x.csv", text)).data;
}

TEST(Csv, WhatPeopleWrite) {
  EXPECT_EQ(read_csv_text("a,b\n1,2\n3,4\n"), (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(read_csv_text("\xef\xbb\xbf# made by hand\r\n 1 , +2.5e-3\r\n\r\n-3,4"),
            (std::vector<double>{1, 0.0025, -3, 4}));
  EXPECT_EQ(parse_csv("x.csv", "1\n2\n3").shape, (Shape{3, 1}));
  EXPECT_EQ(parse_csv("x.csv", "1,2,3").shape, (Shape{1, 3}));
}

TEST(Csv, SaysWhichFieldIsWrong) {
  const auto message = [](const std::string& text) {
    return message_of([&] { read_csv_text(text); });
  };
  EXPECT_NE(message("1,2\n3\n").find("line 2 has 1 fields"), std::string::npos);
  EXPECT_NE(message("1,2\n3,x\n").find("line 2, field 2 is 'x'"), std::string::npos);
  EXPECT_NE(message("1,b\n").find("line 1, field 2"), std::string::npos);
  EXPECT_NE(message("1,\n").find("field 2 is ''"), std::string::npos);
  EXPECT_NE(message("").find("no numbers"), std::string::npos);
  EXPECT_NE(message("a,b\n").find("no numbers"), std::string::npos);
  EXPECT_NE(message("1\n1e400\n").find("line 2"), std::string::npos);
}

TEST(ArrayFile, UnknownFilesListWhatCanBeRead) {
  EXPECT_NE(message_of([] { read_array("/nonexistent.npy"); }).find("no such file"),
            std::string::npos);
  EXPECT_NE(message_of([] { read_array("/tmp"); }).find("regular file"), std::string::npos);
  const std::string path = temporary_file("picture.jpg", "\xff\xd8\xff");
  EXPECT_NE(message_of([&] { read_array(path); }).find(".npz:key"), std::string::npos);
}

/// Whatever happens to the bytes, reading ends, with values or with one line.
template <typename Read>
void expect_orderly(const std::string& good, int rounds, Read read) {
  std::mt19937_64 random(7);
  int refused = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::string bytes = corrupted(good, random);
    const std::string message = message_of([&] { read(bytes); });
    if (message.empty()) continue;
    ++refused;
    EXPECT_TRUE(is_one_line(message)) << message;
  }
  EXPECT_GT(refused, rounds / 10);
}

TEST(DamagedFiles, Npy) {
  expect_orderly(npy_of("<f4", "(3, 4)", std::string(48, '\1'), "True"), 3000,
                 [](const std::string& bytes) { read_npy(bytes); });
}

TEST(DamagedFiles, Npz) {
  expect_orderly(kStored, 2000,
                 [](const std::string& bytes) { read_npy(read_npz_member("x.npz", bytes, "")); });
  expect_orderly(kDeflated, 2000, [](const std::string& bytes) {
    read_npy(read_npz_member("x.npz", bytes, "images"));
  });
}

TEST(DamagedFiles, Idx) {
  expect_orderly(std::string("\0\0\x08\2\0\0\0\2\0\0\0\2\1\2\3\4", 16), 2000,
                 [](const std::string& bytes) { decode_all(parse_idx("x", bytes)); });
}

TEST(DamagedFiles, Csv) {
  expect_orderly("a,b\n1,2\n3,4\n5,6\n7,8\n", 2000,
                 [](const std::string& bytes) { read_csv_text(bytes); });
}

TEST(DamagedFiles, Cifar) {
  std::string batch;
  for (int i = 0; i < 2; ++i) batch += static_cast<char>(i) + std::string(3072, 'x');
  expect_orderly(batch, 500, [](const std::string& bytes) { parse_cifar("x.bin", bytes); });
}

TEST(DamagedFiles, Gzip) {
  FLIPSCOPE_NEEDS_DATA(labels, "mnist/t10k-labels-idx1-ubyte.gz");
  expect_orderly(read_file_bytes(labels), 500, [](const std::string& bytes) {
    decode_all(parse_idx("x", decompress_gzip("x.gz", bytes)));
  });
}

}  // namespace
}  // namespace flipscope
