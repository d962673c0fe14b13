#include "flipscope/model/output_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "flipscope/model/file_bytes.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

TEST(OutputFile, LinksStayAndWhatTheyLeadToIsReplaced) {
  const std::string path = temporary_file("linked.txt", "old");
  const std::string link = path + ".link";
  std::filesystem::remove(link);
  std::filesystem::create_symlink(path, link);
  write_file_atomically(link, "new");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(read_file_bytes(path), "new");
}

TEST(OutputFile, WritersOfOnePathDoNotMeet) {
  const std::string path = temporary_file("twice.txt", "old");
  OutputFile first(path), second(path);
  first.write("first");
  second.write("second, which is longer");
  first.finish();
  EXPECT_EQ(read_file_bytes(path), "first");
  second.finish();
  EXPECT_EQ(read_file_bytes(path), "second, which is longer");
}

TEST(OutputFile, UnfinishedWritesLeaveNothing) {
  const std::string path = temporary_file("unfinished.txt", "old");
  OutputFile(path).write("new");
  EXPECT_EQ(read_file_bytes(path), "old");
}

}  // namespace
}  // namespace flipscope
