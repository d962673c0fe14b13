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
  EXPECT_EQ(protection_csv(two_tensors(), {kBits[0]}, {.registers = 2, .voter = 1.5}),
            "layer,tensor,index,bit,area\na/b,a/b.weight,8,5,3.5\n");
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

TEST(ProtectionText, WordsOfTheirOwnWidthsStandSideBySide) {
  FaultTarget target{.layer = "a", .tensor = "a.weight", .elements = 3};
  target.encoding.format = integer_format(8);
  target.encoding.elements = {{0, 2, true}, {5, 0, true}, {4, 3, true}};
  allow_bits(target, {});
  const FaultSpace space({target});
  const std::vector<FaultSite> bits{{0, 0, 1}, {0, 2, 0}};
  const std::string header = protection_c_header(space, bits);
  EXPECT_NE(header.find("3 words of 0 to 3 bits"), std::string::npos) << header;
  EXPECT_NE(header.find("protect_a_weight[3] = {\n    0x2u, 0x0u, 0x1u};\n"
                        "static const uint8_t protect_a_weight_width[3] = {\n    2, 0, 3};"),
            std::string::npos)
      << header;
  const std::string package = protection_systemverilog(space, bits);
  EXPECT_NE(package.find("parameter logic [2:0] protect_a_weight[3] = '{\n"
                         "    3'h2, 3'h0, 3'h1};\n"
                         "  parameter int protect_a_weight_width[3] = '{\n    2, 0, 3};"),
            std::string::npos)
      << package;
  const std::string verilog = protection_tmrg(space, bits);
  EXPECT_NE(verilog.find("input [4:0] in;"), std::string::npos) << verilog;
  EXPECT_NE(verilog.find("keptNext = load ? {\n    in[2], in[1]} : keptVoted"), std::string::npos)
      << verilog;
}

TEST(ProtectionText, TripledRegistersHoldTheBitsOfThePlan) {
  const std::string verilog = protection_tmrg(two_tensors(), kBits);
  EXPECT_NE(verilog.find("module protected_a_b_weight_2 (clk, load, in, words);\n"
                         "  // tmrg default do_not_triplicate\n"
                         "  // tmrg triplicate kept keptVoted keptNext\n"
                         "  input clk;\n  input load;\n  input [5:0] in;\n"
                         "  output [5:0] words;\n  reg [0:0] kept;\n"
                         "  wire [0:0] keptVoted = kept;\n"
                         "  wire [0:0] keptNext = load ? {\n    in[1]} : keptVoted;\n"
                         "  always @(posedge clk) kept <= keptNext;\n  reg [4:0] other;\n"
                         "  always @(posedge clk) if (load) other <= {\n"
                         "    in[5], in[4], in[3], in[2], in[0]};\n"
                         "  assign words = {\n    other[4], other[3], other[2], other[1], "
                         "keptVoted[0], other[0]};\nendmodule\n"),
            std::string::npos)
      << verilog;
}

TEST(ProtectionText, WordsThatAreProtectedWholeHaveNoOtherRegister) {
  const std::vector<FaultSite> all{{1, 0, 0}, {1, 0, 1}, {1, 0, 2},
                                   {1, 0, 3}, {1, 0, 4}, {1, 0, 5}};
  EXPECT_EQ(protection_tmrg(two_tensors(), all).find("other"), std::string::npos);
}

}  // namespace
}  // namespace flipscope
