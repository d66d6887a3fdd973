#include "client/cli/admin_store.h"

#include <array>
#include <cstdio>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "service/audit/audit.h"
#include "service/base/status.h"
#include "service/store/rocks_journal.h"

namespace muster::cli {
namespace {

constexpr std::array<const char*, audit::kStates> kStateNames = {"pending",   "delayed", "queued",   "running",
                                                                 "succeeded", "failed",  "cancelled"};

struct NamedTable {
  const char* name;
  const char* meaning;
  const audit::TableCount& count;
};
std::array<NamedTable, 8> TablesOf(const audit::Report& report) {
  return {{{"futures", "state, options and outcome", report.futures},
           {"inputs", "of jobs that have still to run", report.inputs},
           {"members", "of gathers, shields and wait_fors", report.members},
           {"request_ids", "whose future is gone, or in another shard", report.requests},
           {"marks", "numbers given out, one row a shard", report.marks},
           {"namespaces", "names", report.namespaces},
           {"functions", "names", report.functions},
           {"header", "what all of this is", report.headers}}};
}

// A line in place of the one that shows progress, then the end: nothing here can be asked to stop half way.
void EndOnInterrupt(Session& session, const std::string& left) {
  session.interrupt.OnRaise([&session, left] {
    const std::string text = fmt::format("{}muster: interrupted; {}\n", session.err.tty ? "\r\x1b[K" : "", left);
    std::fwrite(text.data(), 1, text.size(), stderr);
    _exit(kInterrupted);
  });
}

ExitCode FailStore(Session& session, const std::string& what, const absl::Status& status) {
  const ExitCode code = CodeOf(status);
  // "No server answers" is for servers.
  return session.Failed(code == kUnavailable || code == kInternal ? kJobFailed : code,
                        fmt::format("{}: {}", what, std::string(status.message())), {});
}

absl::StatusOr<std::unique_ptr<store::Journal>> OpenReader(const std::string& folder) {
  store::RocksOptions options;
  options.path = folder;
  options.must_exist = true;
  options.read_only = true;
  return store::OpenRocksJournal(options);
}

Json StatesJson(const audit::StateCounts& counts) {
  Json json = Json::object();
  for (std::size_t state = 0; state < audit::kStates; ++state) json[kStateNames[state]] = counts[state];
  return json;
}

Json ReportJson(const std::string& folder, const audit::Report& report, const store::JournalStats& stats) {
  Json json;
  json["store"] = folder;
  if (report.header) {
    json["schema"] = report.header->schema;
    json["shards"] = report.header->shards;
    json["written_by"] = report.header->written_by;
  }
  json["disk_bytes"] = stats.disk_bytes;
  json["free_bytes"] = stats.free_bytes;
  json["tables"] = Json::object();
  for (const NamedTable& table : TablesOf(report)) {
    json["tables"][table.name] = Json{{"rows", table.count.rows}, {"bytes", table.count.bytes}};
  }
  json["states"] = StatesJson(report.states);
  json["namespaces"] = Json::object();
  for (const auto& [name, counts] : report.by_namespace) json["namespaces"][name] = StatesJson(counts);
  return json;
}

std::string ReportText(const Terminal& out, const std::string& folder, const audit::Report& report,
                       const store::JournalStats& stats) {
  std::string text = Fields(
      out,
      {{"store", {folder}},
       {"written by", {report.header ? "musterd " + report.header->written_by : "no server yet"}},
       {"schema", {report.header ? fmt::format("{}, {} shards", report.header->schema, report.header->shards) : ""}},
       {"on disk", {fmt::format("{}, {} free", BytesOf(stats.disk_bytes), BytesOf(stats.free_bytes))}}});
  Table tables({"TABLE", "ROWS", "BYTES", "WHAT"});
  for (const NamedTable& table : TablesOf(report)) {
    tables.Add({{table.name},
                {std::to_string(table.count.rows)},
                {BytesOf(table.count.bytes)},
                {table.meaning, Colour::kDim}});
  }
  text += "\n" + tables.Text(out);
  if (report.by_namespace.empty()) return text;
  std::vector<std::string> headers = {"NAMESPACE"};
  for (const char* state : kStateNames) headers.emplace_back(state);
  Table futures(std::move(headers));
  const auto add = [&futures](const std::string& name, const audit::StateCounts& counts) {
    std::vector<Cell> row = {{name}};
    for (const uint64_t count : counts) row.push_back({count == 0 ? "-" : std::to_string(count)});
    futures.Add(std::move(row));
  };
  for (const auto& [name, counts] : report.by_namespace) add(name, counts);
  if (report.by_namespace.size() > 1) add("all", report.states);
  return text + "\n" + futures.Text(out);
}

absl::StatusOr<audit::Report> ReadRows(store::Journal& journal, Progress& progress) {
  return audit::Audit(journal,
                      [&progress](uint64_t rows) { progress.Set(0, std::nullopt, fmt::format("{} rows", rows)); });
}

// Prints what was found, and the damage last.
ExitCode SayVerified(Session& session, const std::string& folder, const audit::Report& report,
                     const store::JournalStats& stats) {
  if (session.table()) {
    session.Print(ReportText(session.out, folder, report, stats));
  } else {
    Json json = ReportJson(folder, report, stats);
    json["damaged"] = report.damaged;
    json["damage"] = report.damage;
    session.PrintJson(json);
  }
  if (report.ok()) {
    if (session.table()) session.Print(fmt::format("\nverified: {} rows, nothing is wrong\n", report.rows()));
    return kOk;
  }
  std::string lines;
  for (const std::string& each : report.damage) lines += "\n  " + each;
  if (report.damaged > report.damage.size()) {
    lines += fmt::format("\n  and {} more", report.damaged - report.damage.size());
  }
  return session.Failed(
      kJobFailed, fmt::format("the store \"{}\" is damaged:{}", folder, lines),
      "stop the server, keep a copy of the folder, and restore the latest backup: muster admin restore");
}

ExitCode Verify(Session& session, const std::string& folder) {
  const auto journal = OpenReader(folder);
  if (!journal.ok()) return FailStore(session, "cannot verify", journal.status());
  absl::Status files;
  absl::StatusOr<audit::Report> report;
  {
    Progress progress(session.err, !session.globals.quiet, "reading every file of " + folder);
    files = (*journal)->Verify();
  }
  if (!files.ok() && !absl::IsDataLoss(files)) return FailStore(session, "cannot verify", files);
  {
    Progress progress(session.err, !session.globals.quiet, "reading every row of " + folder);
    report = ReadRows(**journal, progress);
  }
  if (!report.ok()) return FailStore(session, "cannot verify", report.status());
  if (!files.ok()) {
    report->damage.insert(report->damage.begin(), std::string(files.message()));
    ++report->damaged;
  }
  return SayVerified(session, folder, *report, (*journal)->stats());
}

}  // namespace

std::string BytesOf(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

ExitCode VerifyStore(Session& session, const std::string& folder) {
  EndOnInterrupt(session, "the store was only read");
  return Verify(session, folder);
}

ExitCode ShowStore(Session& session, const std::string& folder) {
  EndOnInterrupt(session, "the store was only read");
  const auto journal = OpenReader(folder);
  if (!journal.ok()) return FailStore(session, "cannot count", journal.status());
  absl::StatusOr<audit::Report> report;
  {
    Progress progress(session.err, !session.globals.quiet, "reading every row of " + folder);
    report = ReadRows(**journal, progress);
  }
  if (!report.ok()) return FailStore(session, "cannot count", report.status());
  if (session.table()) {
    session.Print(ReportText(session.out, folder, *report, (*journal)->stats()));
  } else {
    session.PrintJson(ReportJson(folder, *report, (*journal)->stats()));
  }
  if (report->ok()) return kOk;
  return session.Failed(
      kJobFailed,
      fmt::format("{} things are wrong with the store; the first: {}", report->damaged, report->damage.front()),
      fmt::format("muster admin verify --store {} names them", folder));
}

ExitCode CompactStore(Session& session, const std::string& folder) {
  EndOnInterrupt(session, "the store is whole, and not as small as it could be");
  store::RocksOptions options;
  options.path = folder;
  options.must_exist = true;
  absl::StatusOr<std::unique_ptr<store::Journal>> journal;
  absl::Status compacted;
  uint64_t before = 0;
  {
    Progress progress(session.err, !session.globals.quiet, "compacting " + folder);
    journal = store::OpenRocksJournal(options);
    if (journal.ok()) {
      before = (*journal)->stats().disk_bytes;
      compacted = (*journal)->Compact();
    }
  }
  if (!journal.ok()) return FailStore(session, "cannot compact", journal.status());
  if (!compacted.ok()) return FailStore(session, "cannot compact", compacted);
  const uint64_t after = (*journal)->stats().disk_bytes;
  if (session.table()) {
    session.Print(fmt::format("compacted: {} before, {} now\n", BytesOf(before), BytesOf(after)));
  } else {
    session.PrintJson(Json{{"store", folder}, {"bytes_before", before}, {"bytes_after", after}});
  }
  return kOk;
}

ExitCode RestoreStore(Session& session, const std::string& backup, const std::string& folder) {
  EndOnInterrupt(session, "run it again, with the same folder, to go on; no server starts on it before that");
  absl::Status restored;
  {
    Progress progress(session.err, !session.globals.quiet, "restoring into " + folder);
    restored = store::RestoreRocksBackup(backup, folder);
  }
  if (!restored.ok()) return FailStore(session, "cannot restore", restored);
  const ExitCode code = Verify(session, folder);
  if (code != kOk) return code;
  session.Note(
      fmt::format("restored; what was acknowledged after the backup is not there, and jobs that ran at its time "
                  "run again.\nStart the server with: musterd --store-dir={}",
                  folder));
  return kOk;
}

}  // namespace muster::cli
