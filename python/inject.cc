// Campaigns from Python: progress, interruption and scores by callables.
#include "inject.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "flipscope/campaign/campaign.h"
#include "flipscope/numeric/error.h"
#include "summary.h"
#include "verbs.h"

namespace nb = nanobind;

namespace flipscope::python {

namespace {

/// How often signals are looked for and progress is passed on.
constexpr std::chrono::milliseconds kTurn{100};

/// What a campaign tells the thread that waits for it.
struct Channel {
  std::mutex mutex;
  std::condition_variable changed;
  bool finished = false, reported = false;
  std::uint64_t done = 0, total = 0;
  double seconds = 0;
};

/// The score of a callable, which gets outputs [sample, value] that it may read until it returns.
ScoreFunction score_by(const nb::object& callable) {
  return [callable = callable.ptr()](const float* outputs, std::int64_t samples, int values) {
    const nb::gil_scoped_acquire lock;
    try {
      const nb::ndarray<nb::numpy, const float, nb::ndim<2>> array(
          outputs, {static_cast<std::size_t>(samples), static_cast<std::size_t>(values)},
          nb::handle(Py_None));
      return nb::cast<double>(nb::float_(nb::handle(callable)(array)));
    } catch (const nb::python_error& error) {
      fail("score", "the score raised {}: {}", nb::cast<std::string>(error.type().attr("__name__")),
           nb::cast<std::string>(nb::str(error.value())));
    }
  };
}

/// Waits for the end of a campaign, unlocked; passes progress on, and sets `stop` at a signal or an
/// exception, which it returns.
std::optional<nb::python_error> attend(Channel& channel, const nb::object& progress,
                                       std::atomic<bool>& stop) {
  std::optional<nb::python_error> raised;
  for (bool finished = false; !finished;) {
    bool reported = false;
    std::uint64_t done = 0, total = 0;
    double seconds = 0;
    {
      const nb::gil_scoped_release unlocked;
      std::unique_lock lock(channel.mutex);
      channel.changed.wait_for(lock, kTurn, [&] { return channel.finished; });
      finished = channel.finished;
      reported = std::exchange(channel.reported, false);
      done = channel.done;
      total = channel.total;
      seconds = channel.seconds;
    }
    try {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      if (reported && !raised && !progress.is_none()) progress(done, total, seconds);
    } catch (const nb::python_error& error) {
      if (!raised) raised.emplace(error);
      stop = true;
    }
  }
  return raised;
}

}  // namespace

std::string inject(const std::vector<std::string>& words, const nb::object& progress,
                   const nb::object& score) {
  cli::Options options = cli::parse_options(words);
  if (!score.is_none()) options.campaign.score_function = score_by(score);

  Channel channel;
  std::atomic<bool> stop{false};
  CampaignSummary summary;
  std::exception_ptr failure;
  const auto report = [&](std::uint64_t done, std::uint64_t total, double seconds) {
    const std::lock_guard lock(channel.mutex);
    channel.reported = true;
    channel.done = done;
    channel.total = total;
    channel.seconds = seconds;
  };
  options.campaign.scoring = report;
  std::thread campaign([&] {
    try {
      summary = run_campaign(options.campaign, options.store, report, stop);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(channel.mutex);
    channel.finished = true;
    channel.changed.notify_one();
  });
  std::optional<nb::python_error> raised = attend(channel, progress, stop);
  campaign.join();
  if (failure) std::rethrow_exception(failure);
  if (raised) throw std::move(*raised);

  std::optional<bool> broken;
  if (options.campaign.bar) broken = is_broken(*options.campaign.bar, summary);
  return cli::summary_json(summary, options.store, broken);
}

}  // namespace flipscope::python
