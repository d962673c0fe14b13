// The extension module flipscope._core: what the package flipscope/ is made of.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "flipscope/campaign/campaign.h"
#include "flipscope/campaign/export.h"
#include "flipscope/numeric/error.h"
#include "inject.h"
#include "network.h"
#include "summary.h"
#include "verbs.h"

namespace nb = nanobind;
using namespace nb::literals;
using Unlocked = nb::call_guard<nb::gil_scoped_release>;

namespace flipscope::python {

namespace {

void export_rates_by(const std::string& store, const std::string& by, const std::string& out) {
  export_rates(store, parse_grouping(by), out);
}

std::string summary_of(const std::string& store) {
  return cli::summary_json(summarize(store), store);
}

std::string merged(const std::vector<std::string>& stores, const std::string& out) {
  return cli::summary_json(merge_stores(stores, out), out);
}

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);
  const nb::exception<Error> error(m, "Error");
  const nb::exception<VerificationError> differs(m, "VerificationError", error.ptr());

  m.attr("__version__") = FLIPSCOPE_VERSION;
  m.def("run_program", &cli::run_program, "words"_a, Unlocked(),
        "Runs the command line; gives its exit code.");
  m.def("inject", &inject, "words"_a, "progress"_a.none(), "score"_a.none(),
        "Runs the campaign that the words after `flipscope inject` ask for. Returns its summary as "
        "JSON. `score(outputs)` takes the place of a program of --score exec:NAME.");
  m.def("summary", &summary_of, "store"_a, Unlocked(), "What a store holds, as JSON.");
  m.def("merge", &merged, "stores"_a, "out"_a, Unlocked(),
        "Joins shards into one store; its summary as JSON.");
  m.def("export_csv", &export_csv, "store"_a, "out"_a, Unlocked());
  m.def("export_npz", &export_npz, "store"_a, "out"_a, Unlocked());
  m.def("export_sites", &export_sites, "store"_a, "out"_a, Unlocked());
  m.def("export_fault_list", &export_fault_list, "store"_a, "out"_a, Unlocked());
  m.def("export_rates", &export_rates_by, "store"_a, "by"_a, "out"_a, Unlocked());
  bind_network(m);
}

}  // namespace flipscope::python
