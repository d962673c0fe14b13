// Checks the fast engine against the reference, on faults of a real campaign.
#include "flipscope/campaign/verify.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <span>
#include <vector>

#include "flipscope/engine/reference.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/random.h"
#include "flipscope/numeric/same_bits.h"

namespace flipscope {
namespace {

/// A stream of the seed that no selection draws from.
constexpr std::uint64_t kVerifyStream = ~std::uint64_t{0};

struct Mismatch {
  bool found = false;
  std::int64_t sample = 0;
  int value = 0;
  float engine = 0, reference = 0;
};

/// Brings the reference's outputs of a block into `outputs`, [value][lane], and compares them.
Mismatch compare_block(const Plan& plan, const Fault& fault, const Block& block,
                       const float* engine, std::vector<float>& outputs,
                       const std::atomic<bool>& stop) {
  const Graph& graph = plan.graph();
  const auto input_size =
      static_cast<std::size_t>(element_count(graph.values[graph.inputs[0]].shape));
  std::vector<Mismatch> mismatches(static_cast<std::size_t>(block.samples));
  outputs.assign(static_cast<std::size_t>(plan.values()) * block.lanes, 0.0f);
  tbb::parallel_for(0, block.samples, [&](int l) {
    if (stop) return;
    const std::int64_t sample = block.first + l;
    const std::span<const float> input =
        std::span(plan.samples().values).subspan(sample * input_size, input_size);
    const auto values = run_reference(graph, input, &plan.space(), &fault);
    const std::vector<float>& expected = values[graph.outputs[0]];
    for (int v = 0; v < plan.values(); ++v) {
      const std::size_t at = static_cast<std::size_t>(v) * block.lanes + l;
      outputs[at] = expected[v];
      Mismatch& mismatch = mismatches[l];
      if (!mismatch.found && !same_bits(engine[at], expected[v])) {
        mismatch = {true, sample, v, engine[at], expected[v]};
      }
    }
  });
  const auto found = std::ranges::find_if(mismatches, &Mismatch::found);
  return found == mismatches.end() ? Mismatch{} : *found;
}

}  // namespace

std::int64_t verify_rows(const Plan& plan, Runner& runner, const Store& store, std::int64_t count,
                         const std::atomic<bool>& stop) {
  const std::vector<std::uint64_t> rows = store.row_numbers();
  const auto wanted = static_cast<std::uint64_t>(std::max(count, std::int64_t{0}));
  const std::uint64_t drawn = std::min<std::uint64_t>(wanted, rows.size());
  const CampaignRecord& record = store.record();
  std::int64_t verified = 0;
  for (const std::uint64_t number :
       sample_without_replacement(record.seed, kVerifyStream, rows.size(), drawn)) {
    const std::uint64_t row = rows[number];
    const Fault fault = plan.selection().fault(row);
    const Fault active = plan.active_fault(row);
    OutcomeCounts outcomes;
    std::vector<float> outputs;
    runner.for_each_block(row, [&](const Block& block, const float* engine) {
      const Mismatch mismatch = compare_block(plan, active, block, engine, outputs, stop);
      if (stop) return;
      if (mismatch.found) {
        throw VerificationError(fmt::format(
            "[verify] fault {} ({} bits), sample {}, output {}: the engine gives {}, the reference "
            "{}",
            row, fault.sites.size(), mismatch.sample, mismatch.value, mismatch.engine,
            mismatch.reference));
      }
      const float* const before = block.values[plan.graph().outputs[0]].data();
      outcomes += classify_block(before, outputs.data(), plan.values(), block.samples, block.lanes,
                                 plan.outcome_rules());
    });
    if (stop) break;
    if (plan.decides_only()) outcomes.forget_masked();
    store.for_each_row(
        [&](const FaultRow& stored) {
          const OutcomeCounts& held = stored.outcomes;
          // A condition on the score only divides what is neither masked nor DUE.
          const bool same = held.masked == outcomes.masked && held.due == outcomes.due &&
                            (plan.critical() || held.critical == outcomes.critical);
          if (same) return;
          throw VerificationError(fmt::format(
              "[verify] fault {}: the store has {} masked, {} critical, {} DUE; the reference {}, "
              "{}, {}",
              row, held.masked, held.critical, held.due, outcomes.masked, outcomes.critical,
              outcomes.due));
        },
        row, 1);
    ++verified;
  }
  return verified;
}

}  // namespace flipscope
