// Digests by XXH3.
#include "flipscope/numeric/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <bit>
#include <filesystem>
#include <fstream>
#include <vector>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

Digest digest_of(XXH128_hash_t hash) {
  return {hash.high64, hash.low64};
}

}  // namespace

struct Hasher::State {
  std::unique_ptr<XXH3_state_t, FreeState> xxh3{XXH3_createState()};
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  if (!state_->xxh3) throw std::bad_alloc();
  XXH3_128bits_reset(state_->xxh3.get());
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_->xxh3.get(), bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::update(std::string_view text) {
  return update_word(text.size()).update(std::as_bytes(std::span(text)));
}

Hasher& Hasher::update(double value) {
  return update_word(std::bit_cast<std::uint64_t>(value));
}

Hasher& Hasher::update_word(std::uint64_t word) {
  std::array<std::byte, 8> bytes;
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(word & 0xff);
    word >>= 8;
  }
  return update(bytes);
}

Digest Hasher::digest() const {
  return digest_of(XXH3_128bits_digest(state_->xxh3.get()));
}

std::string to_string(const Digest& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

std::string digest(std::string_view bytes) {
  return to_string(digest_of(XXH3_128bits(bytes.data(), bytes.size())));
}

Digest digest_of_file(const std::string& path) {
  if (std::filesystem::is_directory(path)) {
    fail("file", "{} is a folder; name a file", path);
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("file", "{} cannot be opened; does it exist, and may you read it?", path);
  Hasher hasher;
  std::vector<char> buffer(1 << 20);
  do {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hasher.update(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(file.gcount()))));
  } while (file);
  if (!file.eof()) fail("file", "{} cannot be read to its end", path);
  return hasher.digest();
}

}  // namespace flipscope
