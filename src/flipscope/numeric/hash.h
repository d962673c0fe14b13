// Digests that tell whether two runs saw the same bytes.
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace flipscope {

/// XXH3-128 (xxHash, Collet), the same on every machine. It detects changes; it is not
/// cryptographic.
struct Digest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const Digest&) const = default;
};

/// 32 hex digits, as xxhsum prints them.
std::string to_string(const Digest& digest);

/// A digest over several values, fed one after the other.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  /// Raw bytes: several pieces give the digest of all of them joined.
  Hasher& update(std::span<const std::byte> bytes);

  /// The length before the text, so that ("ab", "c") and ("a", "bc") differ.
  Hasher& update(std::string_view text);

  /// Eight bytes, least significant first, sign-extended: equal values of any integer type are
  /// the same.
  template <std::integral T>
  Hasher& update(T value) {
    return update_word(static_cast<std::uint64_t>(value));
  }

  /// The bits: 0 and −0 differ.
  Hasher& update(double value);

  /// Of everything so far; more may follow.
  Digest digest() const;

 private:
  struct State;

  Hasher& update_word(std::uint64_t word);

  std::unique_ptr<State> state_;
};

/// to_string() of the digest of the bytes.
std::string digest(std::string_view bytes);

/// The digest of a file's bytes. Throws Error where it cannot be read.
Digest digest_of_file(const std::string& path);

}  // namespace flipscope
