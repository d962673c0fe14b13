// The SQLite database under a store.
#include "flipscope/campaign/database.h"

#include <sqlite3.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

#include "flipscope/numeric/error.h"

namespace flipscope {
namespace {

constexpr int kBusyMilliseconds = 10'000;

/// The name of a file that nobody writes: SQLite then keeps nothing beside it.
std::string immutable_uri(const std::string& path) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(path).string()) {
    if (c == '%' || c == '?' || c == '#') {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      uri += c;
    }
  }
  return uri + "?immutable=1";
}

}  // namespace

void Database::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

Database::Database(std::string path, const std::string& name, int flags) : path_(std::move(path)) {
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &connection, flags, nullptr);
  connection_.reset(connection);
  if (code != SQLITE_OK) fail_with(code);
  sqlite3_busy_timeout(connection, kBusyMilliseconds);
}

Database Database::open_or_create(const std::string& path) {
  Database database(path, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  database.to_write_ = true;
  if (database.is_read_only()) database.fail_with(SQLITE_READONLY);
  return database;
}

Database Database::open_to_read(const std::string& path) {
  // Only a connection that may write takes SQLite's side files away when it closes.
  Database database(path, path, SQLITE_OPEN_READWRITE);
  bool cannot = database.is_read_only();
  if (!cannot) {
    const int code = sqlite3_exec(database.connection_.get(),
                                  "PRAGMA query_only = 1; SELECT 1 FROM sqlite_master", nullptr,
                                  nullptr, nullptr);
    cannot = (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_READONLY;
  }
  // Where file or folder may not be written, rows that are still beside the file are read there.
  if (cannot && !std::filesystem::exists(path + "-wal")) {
    return {path, immutable_uri(path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI};
  }
  return database;
}

bool Database::is_read_only() const {
  return sqlite3_db_readonly(connection_.get(), "main") == 1;
}

void Database::execute(const std::string& sql) const {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail_with(code);
}

std::int64_t Database::number(const char* sql) const {
  Statement statement(*this, sql);
  statement.step();
  return statement.integer(0);
}

void Database::fail_with(int code) const {
  switch (code & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      fail("store", "{} is not a Flipscope store, or a damaged one; {}", path_,
           to_write_ ? "give --store another name" : "name a file that inject or merge wrote");
    case SQLITE_FULL:
      fail("store", "{} cannot be written: the disk is full; make room and run the same again",
           path_);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      fail("store", "{} cannot be written: it is read-only", path_);
    case SQLITE_CANTOPEN:
      fail("store", "{} cannot be opened: check that its folder exists and may be written", path_);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      fail("store", "{} is in use by another run", path_);
    default:
      fail("store", "{}: {}", path_, sqlite3_errmsg(connection_.get()));
  }
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(const Database& database, const char* sql) : database_(database) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database.connection_.get(), sql, -1, &statement, nullptr);
  statement_.reset(statement);
  check(code);
}

void Statement::bind(int i, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), i, value));
}

void Statement::bind(int i, const std::string& text) {
  check(sqlite3_bind_text(statement_.get(), i, text.data(), static_cast<int>(text.size()),
                          SQLITE_TRANSIENT));
}

void Statement::bind(int i, const std::optional<double>& value) {
  if (!value) {
    bind_null(i);
  } else if (std::isnan(*value)) {
    bind(i, std::string("nan"));
  } else {
    check(sqlite3_bind_double(statement_.get(), i, *value));
  }
}

void Statement::bind_null(int i) {
  check(sqlite3_bind_null(statement_.get(), i));
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail_with(code);
  return false;
}

void Statement::run() {
  step();
  check(sqlite3_reset(statement_.get()));
}

bool Statement::is_null(int i) const {
  return sqlite3_column_type(statement_.get(), i) == SQLITE_NULL;
}

std::int64_t Statement::integer(int i) const {
  return sqlite3_column_int64(statement_.get(), i);
}

std::string Statement::text(int i) const {
  const unsigned char* const bytes = sqlite3_column_text(statement_.get(), i);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), i));
  return bytes == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(bytes), size);
}

std::optional<double> Statement::real(int i) const {
  switch (sqlite3_column_type(statement_.get(), i)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_TEXT:
      return std::numeric_limits<double>::quiet_NaN();
    default:
      return sqlite3_column_double(statement_.get(), i);
  }
}

void Statement::check(int code) const {
  if (code != SQLITE_OK) database_.fail_with(code);
}

Transaction::Transaction(const Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (committed_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Error&) {
    // SQLite has rolled back itself where it could not go on.
    return;
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  committed_ = true;
}

}  // namespace flipscope
