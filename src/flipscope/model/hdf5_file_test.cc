#include "flipscope/model/hdf5_file.h"

#include <gtest/gtest.h>

#include <random>

#include "flipscope/model/file_bytes.h"
#include "flipscope/model/model.h"
#include "flipscope/numeric/test_data.h"
#include "flipscope/numeric/test_error.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

TEST(Hdf5File, FilesThatAreNotHdf5AreErrors) {
  EXPECT_THROW(read_hdf5("/nonexistent.h5"), Error);
  const std::string file = temporary_path("weights.h5");
  for (const std::string bytes : {"", "not HDF5", "\x89HDF\r\n\x1a\n"}) {
    write_file_atomically(file, bytes);
    EXPECT_EQ(message_of([&] { read_hdf5(file); }),
              "[keras] " + file + ": not a sound HDF5 file: the HDF5 library cannot read it");
  }
}

TEST(Hdf5File, ReadsTextsAndTensors) {
  FLIPSCOPE_NEEDS_DATA(file, "econt/medium/encoder_medium.hdf5");
  const Hdf5Contents contents = read_hdf5(file);
  const auto& layers = contents.texts.at("@layer_names");
  EXPECT_EQ(layers[0], "input_1");
  const Tensor& kernel = contents.datasets.at("conv2d_0_m/conv2d_0_m/kernel:0");
  EXPECT_EQ(kernel.shape, (Shape{3, 3, 1, 8}));
  EXPECT_EQ(kernel.type, ElementType::float32);
}

TEST(Hdf5File, DamagedFilesAreErrorsOrModels) {
  FLIPSCOPE_NEEDS_DATA(config, "econt/medium/encoder_medium.json");
  FLIPSCOPE_NEEDS_DATA(weights, "econt/medium/encoder_medium.hdf5");
  const std::string sound = read_file_bytes(weights);
  const std::string file = temporary_path("weights.h5");
  std::mt19937 random(11);
  int refused = 0;
  for (int round = 0; round < 320; ++round) {
    std::string bytes = sound;
    if (round % 4 == 0) {
      bytes.resize(random() % bytes.size());
    } else {
      // The structure of the file stands in its first part and between the tensors.
      for (auto edits = 1 + random() % 8; edits > 0; --edits) {
        const std::size_t at = round % 2 ? random() % 6000 : random() % bytes.size();
        bytes[at] = static_cast<char>(random() % 3 == 0 ? 0xff : random());
      }
    }
    write_file_atomically(file, bytes);
    try {
      import_keras(config + ":" + file);
    } catch (const Error& error) {
      ++refused;
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(refused, 80);
}

}  // namespace
}  // namespace flipscope
