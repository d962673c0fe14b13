// A network in memory: its golden and faulty outputs as arrays, and what its tensors store.
#pragma once

#include <nanobind/nanobind.h>

namespace flipscope::python {

/// Adds the class Network to the module.
void bind_network(nanobind::module_& m);

}  // namespace flipscope::python
