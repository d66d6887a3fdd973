#include "tests/crash/book.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "service/base/check.h"

namespace muster::crash {
namespace {

void WriteAllBlocking(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = write(fd, text.data(), text.size());
    MUSTER_CHECK(count > 0 || errno == EINTR) << "the ledger cannot be written: " << strerror(errno);
    if (count > 0) text.remove_prefix(static_cast<size_t>(count));
  }
  MUSTER_CHECK(fdatasync(fd) == 0) << "the ledger cannot be synced: " << strerror(errno);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Book>> Book::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return absl::UnavailableError(fmt::format("{}: {}", path, strerror(errno)));
  return std::unique_ptr<Book>(new Book(fd));
}

Book::~Book() { close(fd_); }

void Book::Note(const std::vector<Record>& records) {
  if (records.empty()) return;
  std::string lines;
  for (const Record& record : records) {
    lines += ToLine(record);
    lines += '\n';
  }
  base::MutexLock lock(mutex_);
  waiting_ += lines;
  for (const Record& record : records) judge_.Take(record);
  const uint64_t ticket = ++noted_;
  SyncLocked(ticket);
}

void Book::SyncLocked(uint64_t ticket) {
  while (on_disk_ < ticket) {
    if (syncing_) {
      synced_.Wait(mutex_);
      continue;
    }
    syncing_ = true;
    const std::string lines = std::move(waiting_);
    waiting_.clear();
    const uint64_t last = noted_;
    mutex_.Unlock();
    WriteAllBlocking(fd_, lines);
    mutex_.Lock();
    on_disk_ = last;
    syncing_ = false;
    synced_.NotifyAll();
  }
}

uint64_t Book::now() const {
  base::MutexLock lock(mutex_);
  return judge_.now();
}

std::vector<std::string> Book::violations() const {
  base::MutexLock lock(mutex_);
  return judge_.violations();
}

size_t Book::violation_count() const {
  base::MutexLock lock(mutex_);
  return judge_.violations().size();
}

Judge::Counts Book::counts() const {
  base::MutexLock lock(mutex_);
  return judge_.counts();
}

std::vector<Judge::Live> Book::LiveFutures() const {
  base::MutexLock lock(mutex_);
  return judge_.LiveFutures();
}

absl::Status Replay(const std::string& path, Judge& judge) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("{}: cannot be opened", path));
  std::string line;
  for (uint64_t number = 1; std::getline(file, line); ++number) {
    const std::optional<Record> record = ParseLine(line);
    if (!record.has_value()) {
      if (file.eof()) break;
      return absl::DataLossError(fmt::format("{}:{}: no record: \"{}\"", path, number, line));
    }
    judge.Take(*record);
  }
  return absl::OkStatus();
}

}  // namespace muster::crash
