// The SQLite database under a store: connection, statements, transactions. What goes wrong is an
// Error in one line that names the file and says what would help.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace flipscope {

class Database {
 public:
  /// Opens a file to read and write, a new and empty one where there is none.
  static Database open_or_create(const std::string& path);

  /// Opens a file that exists, to be read alone. Takes away the files that SQLite keeps beside it
  /// while it is open, and makes none where they could not be taken away.
  static Database open_to_read(const std::string& path);

  const std::string& path() const { return path_; }

  /// Runs statements that give no rows.
  void execute(const std::string& sql) const;

  /// The one number that a query gives.
  std::int64_t number(const char* sql) const;

 private:
  friend class Statement;
  struct Close {
    void operator()(sqlite3* connection) const;
  };

  Database(std::string path, const std::string& name, int flags);
  bool is_read_only() const;
  [[noreturn]] void fail_with(int code) const;

  std::string path_;
  bool to_write_ = false;
  std::unique_ptr<sqlite3, Close> connection_;
};

/// A statement with its parameters, counted from 1, and the columns of its current row, counted
/// from 0. The database must outlive it.
class Statement {
 public:
  Statement(const Database& database, const char* sql);

  void bind(int i, std::int64_t value);
  void bind(int i, std::uint64_t value) { bind(i, static_cast<std::int64_t>(value)); }
  void bind(int i, std::uint32_t value) { bind(i, std::int64_t{value}); }
  void bind(int i, int value) { bind(i, std::int64_t{value}); }
  void bind(int i, const std::string& text);
  /// NaN, which SQLite cannot hold as a number, as the text 'nan'.
  void bind(int i, const std::optional<double>& value);
  void bind_null(int i);

  /// To the next row; false where there is none.
  bool step();
  /// To the end, and back to where it began.
  void run();

  bool is_null(int i) const;
  std::int64_t integer(int i) const;
  std::string text(int i) const;
  /// Any text is NaN.
  std::optional<double> real(int i) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  void check(int code) const;

  const Database& database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Rolls back unless committed.
class Transaction {
 public:
  explicit Transaction(const Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();

 private:
  const Database& database_;
  bool committed_ = false;
};

}  // namespace flipscope
