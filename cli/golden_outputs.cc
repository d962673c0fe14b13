// The fault-free outputs of a network on all samples.
#include "golden_outputs.h"

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>

#include "flipscope/engine/golden.h"
#include "flipscope/engine/reference.h"

namespace flipscope::cli {

namespace {

template <typename Body>
void for_each_index(std::int64_t count, int threads, const Body& body) {
  tbb::task_arena arena(threads > 0 ? threads : static_cast<int>(tbb::task_arena::automatic));
  arena.execute([&] { tbb::parallel_for(std::int64_t{0}, count, body); });
}

}  // namespace

std::vector<float> golden_outputs(const Program& program, const float* inputs, std::int64_t count,
                                  int threads, const Progress& progress) {
  using Clock = std::chrono::steady_clock;
  const Graph& graph = *program.graph;
  const auto output = static_cast<std::size_t>(graph.outputs.front());
  const std::int64_t size = element_count(graph.values[output].shape);
  std::vector<float> outputs(static_cast<std::size_t>(count * size));
  const Clock::time_point begin = Clock::now();
  std::mutex reporting;
  std::uint64_t done = 0;

  const std::int64_t blocks = (count + kBlockSamples - 1) / kBlockSamples;
  for_each_index(blocks, threads, [&](std::int64_t b) {
    const std::int64_t first = b * kBlockSamples;
    const auto here = static_cast<int>(std::min<std::int64_t>(kBlockSamples, count - first));
    const Block block = run_golden(program, inputs, first, here, false);
    const float* values = block.values[output].data();
    for (int lane = 0; lane < here; ++lane) {
      float* out = outputs.data() + (first + lane) * size;
      for (std::int64_t v = 0; v < size; ++v) out[v] = values[v * block.lanes + lane];
    }
    const std::lock_guard lock(reporting);
    done += static_cast<std::uint64_t>(here);
    progress(done, static_cast<std::uint64_t>(count),
             std::chrono::duration<double>(Clock::now() - begin).count());
  });
  return outputs;
}

std::vector<std::uint64_t> differing_from_reference(const Graph& graph, const Samples& samples,
                                                    const std::vector<float>& outputs,
                                                    const std::vector<std::uint64_t>& chosen,
                                                    int threads) {
  const auto output = static_cast<std::size_t>(graph.outputs.front());
  const auto in_size = static_cast<std::size_t>(element_count(samples.shape));
  std::vector<std::uint8_t> differs(chosen.size(), 0);
  for_each_index(std::ssize(chosen), threads, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    const auto values =
        run_reference(graph, {samples.values.data() + chosen[at] * in_size, in_size});
    const std::vector<float>& judged = values[output];
    differs[at] = std::memcmp(judged.data(), outputs.data() + chosen[at] * judged.size(),
                              judged.size() * sizeof(float)) != 0;
  });
  std::vector<std::uint64_t> wrong;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (differs[i] != 0) wrong.push_back(chosen[i]);
  }
  return wrong;
}

}  // namespace flipscope::cli
