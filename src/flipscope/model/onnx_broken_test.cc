// Damaged ONNX files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "flipscope/model/file_bytes.h"
#include "flipscope/model/model.h"
#include "flipscope/model/onnx.h"
#include "flipscope/numeric/error.h"
#include "flipscope/numeric/test_data.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

namespace fs = std::filesystem;

// A file with random damage: an Error of one line, or a model; nothing else.
void expect_only_errors(const std::string& bytes, int rounds) {
  const std::string file = temporary_path("broken.onnx");
  std::mt19937 random(1);
  int refused = 0;
  for (int n = 0; n < rounds; ++n) {
    std::string broken = bytes;
    if (n % 4 == 0) {
      broken.resize(random() % broken.size());
    } else {
      // Structure stands at the start and the end of the file, weights in the middle.
      for (std::uint32_t k = 0, hits = 1 + random() % 4; k < hits; ++k) {
        const std::size_t reach =
            n % 4 == 1 ? broken.size() : std::min<std::size_t>(broken.size(), 2000);
        const std::size_t at = random() % reach;
        broken[random() % 2 == 0 ? at : broken.size() - 1 - at] ^=
            static_cast<char>(1U << random() % 8);
      }
    }
    std::ofstream(file, std::ios::binary) << broken;
    try {
      import_onnx(file);
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_TRUE(text.starts_with("[onnx] " + file + ": ")) << text;
      EXPECT_EQ(text.find('\n'), std::string::npos) << text;
      ++refused;
    }
  }
  EXPECT_GT(refused, rounds / 4);
}

TEST(OnnxBroken, real_convolutional_network) {
  FLIPSCOPE_NEEDS_DATA(file, "mnist/mnist-8.onnx");
  expect_only_errors(read_file_bytes(file), 300);
}

TEST(OnnxBroken, real_quantized_network) {
  FLIPSCOPE_NEEDS_DATA(file, "qonnx/qkeras_jettagging.onnx");
  expect_only_errors(read_file_bytes(file), 300);
}

TEST(OnnxBroken, official_node_tests) {
  const fs::path folder = "/usr/share/libonnx-testdata/data/node";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs the Debian package libonnx-testdata";
  for (const char* name : {"test_basic_conv_with_padding", "test_dequantizelinear_axis",
                           "test_layer_normalization_2d_axis0_expanded"}) {
    expect_only_errors(read_file_bytes((folder / name / "model.onnx").string()), 100);
  }
}

}  // namespace
}  // namespace flipscope
