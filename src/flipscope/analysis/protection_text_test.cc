#include "flipscope/analysis/protection_text.h"

#include <gtest/gtest.h>

namespace flipscope {
namespace {

FaultSpace two_tensors() {
  FaultTarget first{.layer = "a/b", .tensor = "a/b.weight", .elements = 9};
  first.encoding.format = integer_format(6);
  first.bits = {0, 1, 2, 3, 4, 5};
  FaultTarget second = first;
  second.tensor = "a.b/weight";
  second.elements = 1;
  return FaultSpace({first, second});
}

const std::vector<FaultSite> kBits{{0, 8, 5}, {0, 8, 0}, {1, 0, 1}, {0, 0, 4}};

TEST(ProtectionText, ListsGoAsTheyAreOrdered) {
  EXPECT_EQ(protection_csv(two_tensors(), kBits),
            "layer,tensor,index,bit\na/b,a/b.weight,8,5\na/b,a/b.weight,8,0\na/b,a.b/weight,0,1\n"
            "a/b,a/b.weight,0,4\n");
}

TEST(ProtectionText, MasksHaveABitForEachProtectedOne) {
  const std::string header = protection_c_header(two_tensors(), kBits);
  EXPECT_NE(header.find("static const uint32_t protect_a_b_weight[9] = {\n"
                        "    0x10u, 0x0u, 0x0u, 0x0u, 0x0u, 0x0u, 0x0u, 0x0u,\n    0x21u};"),
            std::string::npos)
      << header;
  EXPECT_NE(header.find("protect_a_b_weight_2[1] = {\n    0x2u};"), std::string::npos) << header;
  const std::string package = protection_systemverilog(two_tensors(), kBits);
  EXPECT_NE(package.find("parameter logic [5:0] protect_a_b_weight_2[1] = '{\n    6'h2};"),
            std::string::npos)
      << package;
}

}  // namespace
}  // namespace flipscope
