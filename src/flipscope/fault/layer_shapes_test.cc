#include "flipscope/fault/layer_shapes.h"

#include <gtest/gtest.h>

#include "flipscope/numeric/test_error.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

std::string write(const std::string& text) {
  return temporary_file("shapes.json", text);
}

TEST(LayerShapes, AreSpaces) {
  const std::string file = write(
      R"({"net": [{"name": "a", "weights": 10, "ifmap": 4, "k": 3}, {"name": "b", "weights": 7}]})");
  const auto spaces = read_layer_shapes(file, {});
  ASSERT_EQ(spaces.size(), 1u);
  EXPECT_EQ(spaces[0].name, "net");
  EXPECT_EQ(spaces[0].space.size(), 17u * 32);
  EXPECT_EQ(spaces[0].space.targets()[1].tensor, "b.weights");
  const auto some = read_layer_shapes(
      file, {.parts = {Part::weights, Part::activations}, .layers = {"a"}, .bits = "msb:2"});
  EXPECT_EQ(some[0].space.size(), 14u * 2);
}

TEST(LayerShapes, MistakesAreNamed) {
  const std::pair<const char*, const char*> wrong[] = {
      {"{", "maps each network"},
      {"[]", "maps each network"},
      {R"({"n": 3})", "'n'"},
      {R"({"n": [3]})", "'n'"},
      {R"({"n": [{"weights": 3}]})", "'n'"},
      {R"({"n": [{"name": "a"}]})", "'a' has no number of \"weights\""},
      {R"({"n": [{"name": "a", "weights": 0}]})", "from 1 to 2^48"},
      {R"({"n": [{"name": "a", "weights": 2.5}]})", "from 1 to 2^48"},
      {R"({"n": [{"name": "a", "weights": 9000000000000000000}]})", "from 1 to 2^48"},
  };
  for (const auto& [text, message] : wrong) {
    const std::string refused = message_of([&] { read_layer_shapes(write(text), {}); });
    EXPECT_NE(refused.find(message), std::string::npos) << text << ": " << refused;
  }
  const std::string file = write(R"({"n": [{"name": "a", "weights": 2}]})");
  EXPECT_THROW(read_layer_shapes(file, {.parts = {Part::biases}, .layers = {}, .bits = {}}), Error);
  EXPECT_THROW(read_layer_shapes(file, {.parts = {Part::weights}, .layers = {"z"}, .bits = {}}),
               Error);
}

}  // namespace
}  // namespace flipscope
