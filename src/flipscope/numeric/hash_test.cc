#include "flipscope/numeric/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <utility>

#include "flipscope/numeric/error.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

// The first is xxHash's published value, the others are those of the Python package xxhash.
TEST(Hash, KnownDigests) {
  EXPECT_EQ(digest(""), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digest("abc"), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(digest(pattern(3000000)), "766f642e64b63d92cc1a5bed6141edab");
}

TEST(Hash, OneBitChangesIt) {
  std::string bytes(1000, 'x');
  const std::string before = digest(bytes);
  bytes[500] = 'y';
  EXPECT_NE(digest(bytes), before);
}

TEST(Hash, PiecesGiveTheDigestOfTheWhole) {
  const std::string bytes = pattern(5000);
  for (const std::size_t piece : {1, 7, 256, 4999, 5000}) {
    Hasher hasher;
    for (std::size_t i = 0; i < bytes.size(); i += piece) {
      hasher.update(std::as_bytes(std::span(bytes).subspan(i, std::min(piece, bytes.size() - i))));
    }
    EXPECT_EQ(to_string(hasher.digest()), digest(bytes)) << piece;
  }
  EXPECT_EQ(to_string(Hasher().digest()), digest(""));
}

// xxhash.xxh3_128_hexdigest(pack("<Q", 5) + b"hello" + pack("<q", -2) + pack("<d", 0.5)).
TEST(Hash, ValuesAreLittleEndianWords) {
  Hasher hasher;
  hasher.update("hello").update(-2).update(0.5);
  EXPECT_EQ(to_string(hasher.digest()), "32617d75b713b92978430d971206e01e");
}

TEST(Hash, ValuesDoNotRunIntoEachOther) {
  EXPECT_NE(Hasher().update("ab").update("c").digest(), Hasher().update("a").update("bc").digest());
  EXPECT_NE(Hasher().update("").digest(), Hasher().digest());
  EXPECT_NE(Hasher().update(0.0).digest(), Hasher().update(-0.0).digest());
  EXPECT_EQ(Hasher().update(std::int8_t{-3}).digest(), Hasher().update(std::int64_t{-3}).digest());
  EXPECT_EQ(Hasher().update(std::uint8_t{200}).digest(), Hasher().update(200).digest());
}

TEST(Hash, DigestLeavesTheHasherAsItWas) {
  Hasher hasher;
  hasher.update(1);
  EXPECT_EQ(hasher.digest(), hasher.digest());
  Hasher moved = std::move(hasher);
  EXPECT_EQ(moved.update(2).digest(), Hasher().update(1).update(2).digest());
}

TEST(Hash, Files) {
  for (const std::size_t size : {0, 100, 1 << 20, 3000000}) {
    const std::string file = temporary_file("bytes", pattern(size));
    EXPECT_EQ(to_string(digest_of_file(file)), digest(pattern(size)));
  }
  EXPECT_THROW(digest_of_file("/nonexistent/file"), Error);
  EXPECT_THROW(digest_of_file(std::filesystem::temp_directory_path().string()), Error);
}

}  // namespace
}  // namespace flipscope
