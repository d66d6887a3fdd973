#include "service/app/store_watch.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "service/base/log.h"
#include "service/base/options/value_text.h"

namespace muster::app {
namespace {

constexpr size_t kNameMax = 64;

bool IsBackupName(std::string_view name) {
  if (name.empty() || name.size() > kNameMax || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

}  // namespace

StoreWatch::StoreWatch(store::Journal& journal, Options options)
    : journal_(journal), options_(std::move(options)), thread_("store-watch", [this] { Run(); }) {}

StoreWatch::~StoreWatch() {
  {
    base::MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  thread_.Join();
}

store::JournalStats StoreWatch::stats() const {
  base::MutexLock lock(mutex_);
  return stats_;
}

std::string StoreWatch::State() const {
  base::MutexLock lock(mutex_);
  return state_;
}

absl::Status StoreWatch::Begin(std::string_view operation) {
  constexpr std::string_view kBackup = "backup/";
  if (operation.starts_with(kBackup)) {
    const std::string_view name = operation.substr(kBackup.size());
    if (options_.backup_dir.empty()) {
      return absl::InvalidArgumentError("store.backup_dir is not set: start the server with it to make backups");
    }
    if (!IsBackupName(name)) {
      return absl::InvalidArgumentError(
          fmt::format("backup \"{}\": a name has 1 to {} characters of a-z, A-Z, 0-9, '-', '_' and '.', and does not "
                      "begin with '.'",
                      name.substr(0, kNameMax + 1), kNameMax));
    }
  } else if (operation != "compact" && operation != "verify") {
    return absl::NotFoundError("there are compact, verify and backup/NAME");
  }
  base::MutexLock lock(mutex_);
  if (!wanted_.empty()) return absl::UnavailableError(fmt::format("{} is still at work; try again later", state_));
  wanted_ = operation;
  state_ = fmt::format("running {}", operation);
  changed_.NotifyAll();
  return absl::OkStatus();
}

void StoreWatch::Run() {
  for (;;) {
    Look();
    std::string wanted;
    {
      base::MutexLock lock(mutex_);
      if (stop_) return;
      if (wanted_.empty()) changed_.WaitFor(mutex_, options_.interval);
      if (stop_) return;
      wanted = wanted_;
    }
    if (wanted.empty()) continue;
    std::string state = Perform(wanted);
    base::MutexLock lock(mutex_);
    state_ = std::move(state);
    wanted_.clear();
  }
}

void StoreWatch::Look() {
  const store::JournalStats stats = journal_.stats();
  {
    base::MutexLock lock(mutex_);
    stats_ = stats;
  }
  const bool over = options_.bytes_max != 0 && stats.disk_bytes >= options_.bytes_max;
  const bool low = stats.free_bytes < options_.free_bytes_min;
  if ((over || low) == full_.load(std::memory_order_relaxed)) return;
  full_.store(over || low, std::memory_order_relaxed);
  if (options_.on_full) options_.on_full(over || low);
  if (over || low) {
    base::LogError("the store is full: new futures are refused until there is room",
                   {{"why", over ? "store.bytes_max is reached" : "the disk has less room than store.free_bytes_min"},
                    {"disk_bytes", base::BytesText(stats.disk_bytes)},
                    {"free_bytes", base::BytesText(stats.free_bytes)}});
  } else {
    base::LogInfo("the store has room again", {{"free_bytes", base::BytesText(stats.free_bytes)}});
  }
}

std::string StoreWatch::Perform(const std::string& operation) {
  base::LogInfo("the store is at work for an operator", {{"operation", operation}});
  absl::Status status;
  std::string result = "ok";
  if (operation == "compact") {
    const uint64_t before = journal_.stats().disk_bytes;
    status = journal_.Compact();
    result = fmt::format("{} before, {} now", base::BytesText(before), base::BytesText(journal_.stats().disk_bytes));
  } else if (operation == "verify") {
    status = journal_.Verify();
    result = "every file is as it was written";
  } else {
    const std::string path = options_.backup_dir + operation.substr(operation.find('/'));
    status = journal_.Backup(path);
    result = path;
  }
  if (!status.ok()) {
    const std::string error(status.message());
    base::LogError("what an operator asked of the store has failed", {{"operation", operation}, {"error", error}});
    return fmt::format("failed {}: {}", operation, error);
  }
  base::LogInfo("the store is done for an operator", {{"operation", operation}, {"result", result}});
  return fmt::format("done {}: {}", operation, result);
}

}  // namespace muster::app
