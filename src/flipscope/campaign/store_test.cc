#include "flipscope/campaign/store.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "flipscope/campaign/test_campaign.h"

namespace flipscope {
namespace {

using namespace testing;

class StoreTest : public InFolder {};

/// Names in a folder, ascending.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.push_back(entry.path().filename());
  }
  std::ranges::sort(names);
  return names;
}

TEST_F(StoreTest, AStopLeavesAStoreThatResumes) {
  run({}, file("whole.db"));
  const CampaignSummary stopped = run({}, file("run.db"), true);
  EXPECT_TRUE(stopped.interrupted);
  EXPECT_EQ(stopped.done, 0u);
  std::uint64_t last = 0;
  const CampaignSummary resumed =
      run({}, file("run.db"), false, [&](std::uint64_t done, std::uint64_t total, double) {
        EXPECT_GE(done, last);
        EXPECT_EQ(total, 9024u);
        last = done;
      });
  EXPECT_FALSE(resumed.interrupted);
  EXPECT_EQ(last, 9024u);
  EXPECT_EQ(csv(file("run.db")), csv(file("whole.db")));
  EXPECT_EQ(run({}, file("run.db")).run_now, 0u);
}

// The child of the next test: a campaign in a process of its own, so that it can be killed.
TEST(CampaignChild, DISABLED_Runs) {
  const char* const store = std::getenv("FLIPSCOPE_TEST_STORE");
  if (store == nullptr) GTEST_SKIP() << "runs as the child of SurvivesAKillAtAnyMoment";
  run({}, store);
}

TEST_F(StoreTest, SurvivesAKillAtAnyMoment) {
  run({}, file("whole.db"));
  const std::string store = file("killed.db");
  const auto run_child = [&](int milliseconds) {
    const pid_t child = fork();
    if (child == 0) {
      const int nowhere = open("/dev/null", O_WRONLY);
      dup2(nowhere, STDOUT_FILENO);
      setenv("FLIPSCOPE_TEST_STORE", store.c_str(), 1);
      execl("/proc/self/exe", "campaign_test", "--gtest_filter=CampaignChild.*",
            "--gtest_also_run_disabled_tests", static_cast<char*>(nullptr));
      _exit(127);
    }
    if (milliseconds >= 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      kill(child, SIGKILL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  };
  for (int milliseconds = 10; milliseconds < 400; milliseconds += 45) run_child(milliseconds);
  EXPECT_EQ(run_child(-1), 0);
  EXPECT_EQ(csv(store), csv(file("whole.db")));
}

TEST_F(StoreTest, RefusesForeignStoresInOneLine) {
  run({}, file("run.db"));
  CampaignOptions other;
  other.faults = "stuck-at-0";
  EXPECT_EQ(message_of([&] { run(other, file("run.db")); }),
            "[store] " + file("run.db") +
                " holds another campaign: it has --faults 'bit-flip', not 'stuck-at-0'; give "
                "--store another name");
  EXPECT_NE(
      message_of([&] { run({}, file("run.db"), false, {}, 5); }).find("its model file differs"),
      std::string::npos);

  std::ofstream(file("text.db")) << std::string(5000, 'x');
  EXPECT_NE(message_of([&] { run({}, file("text.db")); }).find("is not a Flipscope store"),
            std::string::npos);
  EXPECT_EQ(read(file("text.db")), std::string(5000, 'x'));
  EXPECT_NE(message_of([&] { summarize(file("text.db")); }).find("is not a Flipscope store"),
            std::string::npos);

  Database::open_or_create(file("other.db")).execute("CREATE TABLE t(x)");
  EXPECT_NE(message_of([&] { run({}, file("other.db")); }).find("another program's database"),
            std::string::npos);

  EXPECT_NE(message_of([&] { run({}, folder_); }).find("is not a regular file"), std::string::npos);
  EXPECT_NE(message_of([&] { run({}, file("no/such/folder.db")); }).find("cannot be opened"),
            std::string::npos);
  EXPECT_NE(message_of([&] { summarize(file("none.db")); }).find("there is no store"),
            std::string::npos);

  Database::open_or_create(file("run.db")).execute("PRAGMA user_version = 99");
  EXPECT_NE(message_of([&] { summarize(file("run.db")); }).find("store version 99"),
            std::string::npos);
}

TEST_F(StoreTest, LeavesOneFile) {
  const std::vector<std::string> alone{"run.db"};
  run({}, file("run.db"));
  EXPECT_EQ(names_in(folder_), alone);
  summarize(file("run.db"));
  EXPECT_EQ(names_in(folder_), alone);
  run({}, file("run.db"));
  EXPECT_EQ(names_in(folder_), alone);
}

TEST_F(StoreTest, ReadingClearsAwayWhatAKilledRunLeft) {
  run({}, file("run.db"), true);
  {
    const Database writer = Database::open_or_create(file("run.db"));
    writer.execute("INSERT INTO meta VALUES('info.note', 'late')");
    for (const char* suffix : {"", "-wal"}) {
      std::filesystem::copy_file(file("run.db") + suffix, file("killed.db") + suffix);
    }
  }
  const std::vector<std::string> alone{"killed.db", "run.db"};
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(Store::open(file("killed.db")).record().info.at("note"), "late");
    EXPECT_EQ(names_in(folder_), alone);
  }
}

TEST_F(StoreTest, ReadsWhereNothingMayBeWritten) {
  run({}, file("run.db"));
  const std::uint64_t rows = summarize(file("run.db")).done;
  const std::string bytes = read(file("run.db"));
  // A child without root's rights to write anything: 0 where all holds.
  const auto in_child = [&] {
    const pid_t child = fork();
    if (child == 0) {
      if (geteuid() == 0 && seteuid(65534) != 0) _exit(2);
      const bool same = message_of([&] {
                          if (summarize(file("run.db")).done != rows) _exit(3);
                        }).empty();
      const std::string refused = message_of([&] { run({}, file("run.db"), true); });
      _exit(!same ? 4 : refused.find("cannot be") == std::string::npos ? 5 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  using std::filesystem::perms;
  const std::vector<std::string> alone{"run.db"};
  // The file alone, then the folder too.
  std::filesystem::permissions(folder_, perms::all);
  std::filesystem::permissions(file("run.db"), perms{0444});
  EXPECT_EQ(in_child(), 0);
  EXPECT_EQ(names_in(folder_), alone);
  std::filesystem::permissions(folder_, perms{0555});
  EXPECT_EQ(in_child(), 0);
  EXPECT_EQ(names_in(folder_), alone);
  std::filesystem::permissions(file("run.db"), perms{0666});
  EXPECT_EQ(in_child(), 0);
  EXPECT_EQ(names_in(folder_), alone);
  std::filesystem::permissions(folder_, perms::all);
  EXPECT_EQ(read(file("run.db")), bytes);
}

}  // namespace
}  // namespace flipscope
