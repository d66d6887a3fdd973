// `file.list`: what a directory below the root holds, in pages.
#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "fmt/format.h"

#include "service/base/status.h"
#include "service/functions/file/register.h"
#include "service/functions/file/temporary_name.h"
#include "service/functions/input.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"
#include "service/jobs/utf8.h"

namespace muster::functions {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

struct Page {
  std::vector<std::string> names;  // the smallest behind the cursor, sorted
  bool more = false;
  int64_t unreadable = 0;
};

// Keeps the `limit` smallest names in a heap: a directory of any size costs time, not memory.
absl::StatusOr<Page> ReadPageBlocking(DIR* directory, std::string_view after, size_t limit, std::string_view path,
                                      const jobs::BlockingContext& context) {
  Page page;
  for (;;) {
    if (context.cancelled()) return absl::CancelledError("cancelled while listing");
    errno = 0;
    const dirent* entry = readdir(directory);
    if (entry == nullptr) {
      if (errno != 0) return FileFailure(errno, path);
      std::sort_heap(page.names.begin(), page.names.end());
      return page;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || IsTemporaryName(name)) continue;
    if (!jobs::IsUtf8(name)) {
      ++page.unreadable;
      continue;
    }
    if (name <= after) continue;
    if (page.names.size() == limit) {
      page.more = true;
      if (name >= page.names.front()) continue;
      std::pop_heap(page.names.begin(), page.names.end());
      page.names.pop_back();
    }
    page.names.emplace_back(name);
    std::push_heap(page.names.begin(), page.names.end());
  }
}

nlohmann::json Describe(int directory, const std::string& name) {
  nlohmann::json entry = {{"name", name}};
  struct stat found;
  if (fstatat(directory, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    entry["type"] = "gone";  // deleted since
    return entry;
  }
  const mode_t mode = found.st_mode;
  entry["type"] = S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "directory" : S_ISLNK(mode) ? "symlink" : "other";
  if (S_ISREG(mode)) entry["bytes"] = found.st_size;
  entry["modified_unix_seconds"] = found.st_mtim.tv_sec;
  return entry;
}

absl::StatusOr<jobs::Payload> FileList(const FileRoot& root, jobs::BlockingContext& context,
                                       const jobs::Payload& payload) {
  const int64_t cap = root.options().list_max;
  Input input = Input::Object(payload, {"path", "limit", "after"}, "path");
  std::string path = input.Text("path", 4096);
  if (path.empty()) path = ".";
  const int64_t limit = input.Integer("limit", std::min<int64_t>(100, cap), 1, cap);
  const std::string after = input.Text("after", 4096);
  MUSTER_RETURN_IF_ERROR(input.status());

  MUSTER_ASSIGN_OR_RETURN(Descriptor descriptor, root.OpenDirectory(path));
  const int fd = descriptor.get();
  const std::unique_ptr<DIR, CloseDirectory> directory(fdopendir(fd));
  if (directory == nullptr) return FileFailure(errno, path);
  descriptor.Release();  // the DIR's now

  MUSTER_ASSIGN_OR_RETURN(const Page page,
                          ReadPageBlocking(directory.get(), after, static_cast<size_t>(limit), path, context));
  nlohmann::json entries = nlohmann::json::array();
  for (const std::string& name : page.names) entries.push_back(Describe(fd, name));
  nlohmann::json result = {{"entries", std::move(entries)}};
  if (page.more) result["next"] = page.names.back();
  if (page.unreadable > 0) result["unreadable"] = page.unreadable;
  return jobs::JsonPayload(result);
}

}  // namespace

absl::Status RegisterFileList(jobs::Registry& registry, std::shared_ptr<const FileRoot> root) {
  return registry.AddBlocking(
      "file.list",
      fmt::format("Lists a directory below the configured root, by name. \"path\" is relative to the root (\".\" when "
                  "absent); \"limit\" is the number of entries (100 when absent, at most {}); \"after\" goes on behind "
                  "a name. Returns {{\"entries\": [{{\"name\", \"type\": file|directory|symlink|other|gone, \"bytes\", "
                  "\"modified_unix_seconds\"}}], \"next\"}}: pass \"next\" as \"after\" for the following page; it is "
                  "absent on the last. \"unreadable\" counts names that are not UTF-8, which are left out. Links are "
                  "not followed. Error types: those of file.read.",
                  root->options().list_max),
      jobs::JsonPayload({{"path", "."}, {"limit", 10}}),
      [root](jobs::BlockingContext& context, const jobs::Payload& input) { return FileList(*root, context, input); });
}

}  // namespace muster::functions
