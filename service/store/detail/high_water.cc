#include "service/store/detail/high_water.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/env.h>

#include "service/base/status.h"
#include "service/store/detail/commit_row.h"
#include "service/store/detail/folder.h"
#include "service/store/detail/status.h"

namespace muster::store::detail {
namespace {

constexpr size_t kSlotBytes = 4096;
constexpr std::string_view kMagic = "MUSTERHW";

// Magic, number, checksum of both.
std::string Slot(uint64_t commit) {
  std::string slot(kMagic);
  slot += EncodeNumber(commit, 8);
  slot += EncodeNumber(Checksum(slot), 4);
  return slot;
}

std::optional<uint64_t> ParseSlot(std::string_view slot) {
  constexpr size_t kChecked = kMagic.size() + 8;
  if (slot.size() < kChecked + 4 || !slot.starts_with(kMagic)) return std::nullopt;
  if (DecodeNumber(slot.substr(kChecked, 4), 4) != Checksum(slot.substr(0, kChecked))) return std::nullopt;
  return DecodeNumber(slot.substr(kMagic.size(), 8), 8);
}

absl::Status Unusable(const std::string& folder, std::string_view why) {
  return absl::DataLossError(fmt::format(
      "\"{0}/HIGHWATER\" {1}, so it cannot be told whether the store \"{0}\" is whole. Put the file back, or "
      "restore the latest backup into an empty folder",
      folder, why));
}

}  // namespace

HighWater::HighWater(std::string folder, std::unique_ptr<rocksdb::RandomRWFile> file, uint64_t commit)
    : folder_(std::move(folder)), file_(std::move(file)), commit_(commit) {}
HighWater::~HighWater() = default;

absl::Status HighWater::Create(rocksdb::Env* env, const std::string& folder, uint64_t commit) {
  std::string text = Slot(commit);
  text.resize(kSlotBytes, '\0');
  text += Slot(commit);
  text.resize(2 * kSlotBytes, '\0');
  return ReplaceFile(env, folder, "HIGHWATER", text);
}

absl::StatusOr<uint64_t> HighWater::Read(rocksdb::Env* env, const std::string& folder) {
  // Slot by slot: a sector that cannot be read must not hide the other.
  std::optional<uint64_t> commit;
  std::unique_ptr<rocksdb::RandomAccessFile> file;
  const rocksdb::Status opened = env->NewRandomAccessFile(folder + "/HIGHWATER", &file, rocksdb::EnvOptions());
  if (IsMissing(opened)) return Unusable(folder, "is missing");
  MUSTER_RETURN_IF_ERROR(ToStatus(opened, "read HIGHWATER of", folder));
  std::string why = "is damaged";
  for (size_t i = 0; i < 2; ++i) {
    std::array<char, 32> bytes{};
    rocksdb::Slice slice;
    const rocksdb::Status read = file->Read(i * kSlotBytes, bytes.size(), &slice, bytes.data());
    if (!read.ok()) {
      why = fmt::format("cannot be read ({})", read.ToString());
      continue;
    }
    const auto slot = ParseSlot({slice.data(), slice.size()});
    if (slot) commit = std::max(commit.value_or(0), *slot);
  }
  if (!commit) return Unusable(folder, why);
  return *commit;
}

absl::StatusOr<std::unique_ptr<HighWater>> HighWater::Open(rocksdb::Env* env, const std::string& folder) {
  MUSTER_ASSIGN_OR_RETURN(const uint64_t commit, Read(env, folder));
  std::unique_ptr<rocksdb::RandomRWFile> file;
  MUSTER_RETURN_IF_ERROR(ToStatus(env->NewRandomRWFile(folder + "/HIGHWATER", &file, rocksdb::EnvOptions()),
                                  "write HIGHWATER of", folder));
  return std::unique_ptr<HighWater>(new HighWater(folder, std::move(file), commit));
}

absl::Status HighWater::Mark(uint64_t commit) {
  if (commit <= commit_) return absl::OkStatus();
  MUSTER_RETURN_IF_ERROR(
      ToStatus(file_->Write((writes_++ % 2) * kSlotBytes, Slot(commit)), "write HIGHWATER of", folder_));
  commit_ = commit;
  return absl::OkStatus();
}

absl::Status HighWater::Sync() { return ToStatus(file_->Sync(), "sync HIGHWATER of", folder_); }

}  // namespace muster::store::detail
