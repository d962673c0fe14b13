#include "flipscope/model/samples.h"

#include <gtest/gtest.h>

#include <numeric>

#include "flipscope/model/npy.h"
#include "flipscope/model/number_text.h"
#include "flipscope/numeric/test_data.h"
#include "flipscope/numeric/test_error.h"
#include "flipscope/numeric/test_folder.h"

namespace flipscope {
namespace {

constexpr Layout kFirst = Layout::channel_first;
constexpr Layout kLast = Layout::channel_last;

/// A file with 0, 1, 2, … in this shape.
std::string counting(const std::string& name, const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  std::iota(values.begin(), values.end(), 0.0f);
  const std::string path = temporary_file(name, "");
  write_npy(path, shape, values.data());
  return path;
}

std::string refusal(const SampleOptions& options, const Shape& input, Layout layout = kFirst) {
  return message_of([&] { load_samples(options, input, layout); });
}

testing::AssertionResult has(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos && is_one_line(text)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << text << "' does not say '" << part << "'";
}

TEST(Number, FractionsAndDecimals) {
  EXPECT_EQ(parse_number_or_fraction("1/255"), 1.0 / 255);
  EXPECT_EQ(parse_number_or_fraction("-0.5"), -0.5);
  EXPECT_EQ(parse_number_or_fraction("3 / 4"), 0.75);
  EXPECT_EQ(parse_number_or_fraction("+1e-3"), 1e-3);
  for (const char* text : {"", "/", "1/0", "1/", "x", "1/2/3", "nan", "inf", "1,5", "+-1", "0x1"}) {
    EXPECT_THROW(parse_number_or_fraction(text), Error) << text;
  }
}

TEST(Samples, AreNormalizedPerChannel) {
  const std::string path = counting("norm.npy", {2, 3, 2, 2});
  const SampleOptions options{.inputs = path, .scale = 0.5, .mean = {1, 2, 3}, .std = {1, 2, 4}};
  const Samples samples = load_samples(options, {1, 3, 2, 2}, kFirst);
  EXPECT_EQ(samples.count, 2);
  EXPECT_EQ(samples.shape, (Shape{3, 2, 2}));
  for (int i = 0; i < 24; ++i) {
    const int c = i / 4 % 3;
    EXPECT_EQ(samples.values[i], static_cast<float>((i * 0.5 - (c + 1)) / (1 << c)));
  }
  // Channels last: every third value is of the same channel.
  const Samples last = load_samples(
      {.inputs = counting("last.npy", {1, 2, 2, 3}), .mean = {1, 2, 3}}, {1, 2, 2, 3}, kLast);
  EXPECT_EQ(last.values, (std::vector<float>{-1, -1, -1, 2, 2, 2, 5, 5, 5, 8, 8, 8}));
}

TEST(Samples, PixelsOver255AreRoundedOnce) {
  std::string pixels("\0\0\x08\2\0\0\0\1\0\0\1\0", 12);
  for (int i = 0; i < 256; ++i) pixels += static_cast<char>(i);
  const Samples samples = load_samples(
      {.inputs = temporary_file("pixels-idx", pixels), .scale = parse_number_or_fraction("1/255")},
      {1, 256}, kFirst);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(samples.values[i], static_cast<float>(i) / 255.0f);
}

TEST(Samples, ChangeOfLayout) {
  const std::string path = counting("nhwc.npy", {2, 2, 2, 3});
  const SampleOptions options{.inputs = path, .mean = {0, 1, 2}, .layout = kLast};
  const Samples first = load_samples(options, {1, 3, 2, 2}, kFirst);
  EXPECT_EQ(std::vector<float>(first.values.begin() + 12, first.values.end()),
            (std::vector<float>{12, 15, 18, 21, 12, 15, 18, 21, 12, 15, 18, 21}));
  const Samples back = load_samples(
      {.inputs = counting("nchw.npy", {1, 3, 2, 2}), .layout = kFirst}, {1, 2, 2, 3}, kLast);
  EXPECT_EQ(back.values, (std::vector<float>{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
  // A flat row lies as --layout says, too.
  EXPECT_EQ(
      load_samples({.inputs = counting("flat.npy", {1, 12}), .layout = kFirst}, {1, 2, 2, 3}, kLast)
          .values,
      back.values);
}

TEST(Samples, TheOtherLayoutIsNeverTakenSilently) {
  const std::string path = counting("hwc.npy", {2, 4, 4, 3});
  EXPECT_TRUE(has(refusal({.inputs = path}, {1, 3, 4, 4}), "say --layout nhwc"));
  EXPECT_TRUE(
      has(refusal({.inputs = path, .layout = kFirst}, {1, 4, 4, 3}, kLast), "say --layout nhwc"));
  // One channel lies the same way in both.
  EXPECT_EQ(
      load_samples({.inputs = counting("grey.npy", {2, 4, 4, 1})}, {1, 1, 4, 4}, kFirst).count, 2);
}

TEST(Samples, OtherShapesWithAsManyValues) {
  EXPECT_EQ(load_samples({.inputs = counting("image.npy", {5, 4, 4})}, {1, 16}, kFirst).count, 5);
  const Samples rows = load_samples(
      {.inputs = temporary_file("rows.csv", "a,b,c,d\n1,2,3,4\n5,6,7,8\n")}, {1, 2, 2, 1}, kLast);
  EXPECT_EQ(rows.shape, (Shape{2, 2, 1}));
  EXPECT_EQ(rows.values, (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_TRUE(has(refusal({.inputs = counting("small.npy", {5, 3, 3})}, {1, 16}),
                  "holds [5,3,3]; the model's input is [N,16] (16 values a sample)"));
  EXPECT_TRUE(has(refusal({.inputs = counting("none.npy", {0, 16})}, {1, 16}), "holds no samples"));
}

TEST(Samples, CifarBinaryIsChannelFirst) {
  std::string batch;
  for (int i = 0; i < 3; ++i) {
    batch += static_cast<char>(7 + i);
    for (int p = 0; p < 3072; ++p) batch += static_cast<char>(p / 1024 + 10 * i);
  }
  const std::string path = temporary_file("batch.bin", batch);
  const Samples last = load_samples({.inputs = path, .first = 1, .skip = 1}, {1, 32, 32, 3}, kLast);
  EXPECT_EQ(last.labels, std::vector<std::int32_t>{8});
  EXPECT_EQ(std::vector<float>(last.values.begin(), last.values.begin() + 4),
            (std::vector<float>{10, 11, 12, 10}));
  const Samples flat = load_samples({.inputs = path, .mean = {0, 1, 2}}, {1, 3072}, kFirst);
  EXPECT_EQ(flat.values[3 * 3072 - 1], 2 + 20 - 2);
  EXPECT_TRUE(
      has(refusal({.inputs = path, .layout = kLast}, {1, 32, 32, 3}, kLast), "leave --layout out"));
  EXPECT_TRUE(
      has(refusal({.inputs = temporary_file("bad.bin", '\x0b' + batch.substr(1))}, {1, 3072}),
          "labels 0 to 9"));
}

TEST(Samples, Cifar100TakesTheFineLabel) {
  const std::string path = temporary_file("c100.bin", "\x13\x63" + std::string(3072, 'a'));
  EXPECT_EQ(load_samples({.inputs = path}, {1, 3, 32, 32}, kFirst).labels,
            std::vector<std::int32_t>{99});
}

TEST(Samples, PublicTestImages) {
  FLIPSCOPE_NEEDS_DATA(path, "cifar10/test_batch_first1017.bin");
  const Samples samples = load_samples({.inputs = path, .first = 5}, {1, 3, 32, 32}, kFirst);
  EXPECT_EQ(samples.labels, (std::vector<std::int32_t>{3, 8, 8, 0, 6}));
  EXPECT_EQ(samples.values[0], 158);
}

TEST(Samples, LabelsOfEveryKind) {
  const std::string inputs = counting("three.npy", {3, 2});
  const auto labels = [&](const std::string& name, const std::string& bytes) {
    return load_samples({.inputs = inputs, .labels = temporary_file(name, bytes)}, {1, 2}, kFirst)
        .labels;
  };
  const std::vector<std::int32_t> expected{2, 0, 1};
  EXPECT_EQ(labels("l.csv", "label\n2\n0\n1\n"), expected);
  EXPECT_EQ(labels("onehot.csv", "0,0,1\n1,0,0\n0,1,0\n"), expected);
  EXPECT_EQ(labels("l-idx", std::string("\0\0\x08\1\0\0\0\3\2\0\1", 11)), expected);
  EXPECT_THROW(labels("half.csv", "2\n0.5\n1\n"), Error);
  EXPECT_THROW(labels("nan.csv", "2\nnan\n1\n"), Error);
  EXPECT_THROW(labels("tie.csv", "0,1,1\n1,0,0\n0,1,0\n"), Error);
  EXPECT_TRUE(has(message_of([&] { labels("two.csv", "1\n2\n"); }), "the counts must agree"));
}

TEST(Samples, LabelRange) {
  Samples samples;
  samples.labels = {0, 9};
  check_labels(samples, 10);
  EXPECT_TRUE(has(message_of([&] { check_labels(samples, 9); }), "labels are 0 to 8"));
  samples.labels = {-1};
  EXPECT_THROW(check_labels(samples, 10), Error);
}

TEST(Samples, FirstAndSkipCutEverything) {
  const Samples samples = load_samples({.inputs = counting("cut.npy", {5, 2}),
                                        .labels = counting("cut_labels.npy", {5}),
                                        .targets = counting("cut_targets.npy", {5, 3}),
                                        .first = 2,
                                        .skip = 2},
                                       {1, 2}, kFirst);
  EXPECT_EQ(samples.count, 2);
  EXPECT_EQ(samples.values, (std::vector<float>{4, 5, 6, 7}));
  EXPECT_EQ(samples.labels, (std::vector<std::int32_t>{2, 3}));
  EXPECT_EQ(samples.target_size, 3);
  EXPECT_EQ(samples.targets, (std::vector<float>{6, 7, 8, 9, 10, 11}));
}

TEST(Samples, ImpossibleCutsAreRefused) {
  const std::string inputs = counting("five.npy", {5, 2});
  EXPECT_TRUE(has(refusal({.inputs = inputs, .skip = 5}, {1, 2}), "--skip 5 leaves none"));
  EXPECT_TRUE(has(refusal({.inputs = inputs, .skip = -1}, {1, 2}), "negative"));
  EXPECT_TRUE(has(refusal({.inputs = inputs, .first = 0}, {1, 2}), "at least 1"));
  EXPECT_TRUE(has(refusal({.inputs = inputs, .first = 4, .skip = 2}, {1, 2}), "more than the 3"));
  EXPECT_TRUE(has(refusal({.inputs = inputs, .targets = counting("t4.npy", {4, 1})}, {1, 2}),
                  "the counts must agree"));
}

TEST(Samples, TargetsCanBeTheInputs) {
  const Samples samples = load_samples(
      {.inputs = counting("auto.npy", {2, 2}), .targets = "inputs", .scale = 0.5}, {1, 2}, kFirst);
  EXPECT_EQ(samples.targets, samples.values);
  EXPECT_EQ(samples.target_size, 2);
}

TEST(Samples, MustBeFinite) {
  const std::string path = temporary_file("nan.csv", "1,2\n3,nan\n");
  EXPECT_TRUE(has(refusal({.inputs = path}, {1, 2}), "sample 1, element 1 is nan"));
  EXPECT_EQ(load_samples({.inputs = path, .first = 1}, {1, 2}, kFirst).count, 1);
  EXPECT_TRUE(has(refusal({.inputs = temporary_file("big.csv", "1,1e39\n")}, {1, 2}), "element 1"));
  EXPECT_TRUE(has(refusal({.inputs = temporary_file("ok.csv", "1,2\n"),
                           .targets = temporary_file("inf.csv", "inf\n")},
                          {1, 2}),
                  "inf.csv"));
}

TEST(Samples, UnusableNormalization) {
  const std::string inputs = counting("n.npy", {1, 3, 2, 2});
  EXPECT_TRUE(has(refusal({.inputs = inputs, .scale = 0}, {1, 3, 2, 2}), "--scale"));
  EXPECT_TRUE(has(refusal({.inputs = inputs, .mean = {1, 2}}, {1, 3, 2, 2}), "3 channels"));
  EXPECT_TRUE(has(refusal({.inputs = inputs, .std = {0}}, {1, 3, 2, 2}), "--std"));
  EXPECT_TRUE(has(refusal({}, {1, 2}), "--inputs"));
}

TEST(Samples, IdentityTellsBytesAndOptionsApart) {
  const std::string inputs = counting("id.npy", {4, 2});
  const auto identity = [](const SampleOptions& options) {
    return load_samples(options, {1, 2}, kFirst).identity;
  };
  const std::string plain = identity({.inputs = inputs});
  EXPECT_EQ(plain.size(), 32u);
  EXPECT_EQ(identity({.inputs = counting("other_name.npy", {4, 2})}), plain);
  EXPECT_EQ(identity({.inputs = inputs, .first = 4}), plain);
  EXPECT_NE(identity({.inputs = inputs, .first = 3}), plain);
  EXPECT_NE(identity({.inputs = inputs, .scale = 0.5}), plain);
  EXPECT_NE(identity({.inputs = inputs, .mean = {1}}), identity({.inputs = inputs, .std = {1}}));
  EXPECT_NE(identity({.inputs = inputs, .labels = counting("id_labels.npy", {4})}), plain);
  EXPECT_NE(identity({.inputs = inputs, .targets = "inputs"}), plain);
}

}  // namespace
}  // namespace flipscope
