#include "service/functions/file/family.h"

#include <cerrno>
#include <cstring>
#include <memory>

#include <sys/stat.h>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/functions/file/register.h"

namespace muster::functions {

std::vector<base::Option> FileFamily::Options() {
  using enum base::ValueType;
  return {
      {"files.root",
       kText,
       &options_.root,
       "Folder that file.read, file.write and file.list may use.",
       0,
       UINT64_MAX,
       {},
       "none: these functions are not registered"},
      {"files.read_bytes_max", kBytes, &options_.read_bytes_max, "Bytes that file.read gives at most.", base::kKiB,
       base::kGiB},
      {"files.write_bytes_max", kBytes, &options_.write_bytes_max, "Bytes that file.write takes at most.", base::kKiB,
       base::kGiB},
      {"files.list_max", kCount, &options_.list_max, "Entries of one answer of file.list.", 1, 1'000'000},
  };
}

std::vector<base::OptionProblem> FileFamily::Check() const {
  struct stat info{};
  if (options_.root.empty()) return {};
  if (stat(options_.root.c_str(), &info) != 0) {
    return {{"files.root", fmt::format("\"{}\": {}", options_.root, std::strerror(errno))}};
  }
  if (!S_ISDIR(info.st_mode)) return {{"files.root", fmt::format("\"{}\" is no folder", options_.root)}};
  return {};
}

absl::Status FileFamily::Register(jobs::Registry& registry, const Environment& environment) const {
  std::shared_ptr<const FileRoot> root;
  if (environment.describe) {
    root = FileRoot::ForReference(options_);
  } else if (!options_.root.empty()) {
    MUSTER_ASSIGN_OR_RETURN(root, FileRoot::Open(options_));
  }
  MUSTER_RETURN_IF_ERROR(RegisterChecksum(registry, root));
  if (root == nullptr) return absl::OkStatus();
  MUSTER_RETURN_IF_ERROR(RegisterFileRead(registry, root));
  MUSTER_RETURN_IF_ERROR(RegisterFileWrite(registry, root));
  return RegisterFileList(registry, root);
}

}  // namespace muster::functions
