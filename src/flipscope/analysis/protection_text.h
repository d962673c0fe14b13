// A protection plan as hardware tools read it: a mask for every stored word, 1 where its bit is
// triplicated.
#pragma once

#include <string>
#include <vector>

#include "flipscope/analysis/protection.h"
#include "flipscope/fault/fault_space.h"

namespace flipscope {

/// Rows layer,tensor,index,bit: a fault list to inject --protect. A cost that is not the default is
/// one column more: `area`, that the bit adds.
std::string protection_csv(const FaultSpace& space, const std::vector<FaultSite>& bits,
                           const ProtectionCost& cost = {});

/// One array of masks per tensor, [element in C order], for HLS sources.
std::string protection_c_header(const FaultSpace& space, const std::vector<FaultSite>& bits);

/// The same as parameters of a package.
std::string protection_systemverilog(const FaultSpace& space, const std::vector<FaultSite>& bits);

/// Verilog for CERN's TMRG, which triplicates what its directives name: a module per tensor that
/// keeps the words in registers, the bits of the plan in one that TMRG triplicates and votes.
std::string protection_tmrg(const FaultSpace& space, const std::vector<FaultSite>& bits);

}  // namespace flipscope
