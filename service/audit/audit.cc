#include "service/audit/audit.h"

#include <map>
#include <utility>

#include <fmt/format.h>

#include "absl/container/flat_hash_map.h"

#include "service/base/status.h"
#include "service/core/kinds/kind.h"
#include "service/core/record/damage.h"

namespace muster::audit {
namespace {

constexpr uint64_t kRowsPerReport = 4096;
constexpr uint32_t kShardsMax = 1024;

class Auditor {
 public:
  Auditor(store::Journal& journal, const std::function<void(uint64_t)>& on_rows)
      : journal_(journal), on_rows_(on_rows) {}

  absl::StatusOr<Report> Run();

 private:
  // What others may ask of a future later.
  struct Brief {
    uint32_t incarnation = 0;
    uint32_t slot = 0;
  };
  struct Wanted {
    values::FutureId by;
    values::FutureId member;
  };

  absl::Status ReadHeader();
  void ReadRow(std::string_view key, std::string_view value);
  void ReadPart(const rows::Key& key, std::string_view value, uint64_t bytes);
  void ReadFuture(const rows::Key& key, std::string_view value);
  void ReadMembers(std::string_view value);
  void ReadRequest(const rows::Key& key, std::string_view value);
  void CheckShard(values::ShardIndex shard, const std::string& whose);
  void CheckRecord(const core::FutureRecord& record);
  // The last future's row and those beside it are read.
  void EndOfFuture();
  bool Holds(const values::FutureId& id) const;
  void NamesAreThere();

  static uint64_t PlaceOf(const values::FutureId& id) { return uint64_t{id.shard} << 48 | id.sequence; }
  template <typename T>
  bool Good(const absl::StatusOr<T>& decoded, const std::string& where) {
    if (!decoded.ok()) Damaged(fmt::format("{}: {}", where, std::string(decoded.status().message())));
    return decoded.ok();
  }
  void Damaged(std::string what) {
    if (report_.damage.size() < kDamageShown) report_.damage.push_back(std::move(what));
    ++report_.damaged;
  }

  store::Journal& journal_;
  const std::function<void(uint64_t)>& on_rows_;
  Report report_;
  absl::flat_hash_map<uint64_t, Brief> futures_;  // by PlaceOf
  std::vector<Wanted> wanted_;                    // members that come later, or never
  std::map<values::NamespaceId, std::string> namespaces_;
  std::map<values::FunctionId, std::string> functions_;
  std::map<values::NamespaceId, StateCounts> by_namespace_;
  std::map<values::NamespaceId, std::string> namespace_users_;  // one of each
  std::map<values::FunctionId, std::string> function_users_;
  // The future whose rows are being read; none: its row is missing or damaged.
  uint64_t sequence_ = 0;
  values::ShardIndex shard_ = 0;
  std::optional<core::FutureRecord> last_;
  bool has_members_ = false;
};

absl::StatusOr<Report> Auditor::Run() {
  MUSTER_RETURN_IF_ERROR(ReadHeader());
  uint64_t read = 0;
  const absl::Status scanned = journal_.Scan("", [&](std::string_view key, std::string_view value) {
    ReadRow(key, value);
    if (on_rows_ && ++read % kRowsPerReport == 0) on_rows_(read);
    return absl::OkStatus();
  });
  EndOfFuture();
  if (!scanned.ok()) {
    // What was not read cannot be missed, so nothing is said of it.
    Damaged(fmt::format("after {} rows nothing more can be read: {}", report_.rows(), std::string(scanned.message())));
  } else {
    if (!report_.header && report_.rows() > 0) Damaged("there are rows and no header");
    for (const Wanted& wanted : wanted_) {
      if (Holds(wanted.member)) continue;
      Damaged(fmt::format("future {}: a member is missing: {}", wanted.by.ToText(), wanted.member.ToText()));
    }
    NamesAreThere();
  }
  for (const auto& [ns, counts] : by_namespace_) {
    const auto name = namespaces_.find(ns);
    report_.by_namespace[name != namespaces_.end() ? name->second : fmt::format("(number {})", ns)] = counts;
  }
  return std::move(report_);
}

absl::Status Auditor::ReadHeader() {
  std::string key;
  rows::HeaderKey(key);
  const absl::StatusOr<std::optional<std::string>> row = journal_.Get(key);
  if (!row.ok() || !row->has_value()) return absl::OkStatus();  // the scan says so
  const absl::StatusOr<rows::HeaderRow> header = rows::DecodeHeader(**row);
  if (!header.ok()) return absl::OkStatus();  // likewise
  if (header->schema > rows::kSchemaVersion) {
    return absl::FailedPreconditionError(
        fmt::format("the store was written by musterd {}, whose layout has version {}; this reads up to {}: take a "
                    "`muster` at least as new",
                    header->written_by, header->schema, rows::kSchemaVersion));
  }
  if (header->schema == 0) Damaged("the header has schema version 0, which no server writes");
  if (header->shards == 0 || header->shards > kShardsMax) {
    Damaged(fmt::format("the header says that there are {} shards; 1 to {} are possible", header->shards, kShardsMax));
  }
  report_.header = *header;
  return absl::OkStatus();
}

void Auditor::ReadRow(std::string_view key, std::string_view value) {
  const absl::StatusOr<rows::Key> parsed = rows::ParseKey(key);
  if (!Good(parsed, fmt::format("a row with a key of {} bytes", key.size()))) return;
  const uint64_t bytes = key.size() + value.size();
  const auto count = [bytes](TableCount& table) {
    ++table.rows;
    table.bytes += bytes;
  };
  switch (parsed->table) {
    case rows::Table::kFuture:
      return ReadPart(*parsed, value, bytes);
    case rows::Table::kRequest:
      count(report_.requests);
      return ReadRequest(*parsed, value);
    case rows::Table::kMarks:
      count(report_.marks);
      CheckShard(parsed->shard, "marks");
      Good(rows::DecodeMarks(value), fmt::format("marks of shard {}", parsed->shard));
      return;
    case rows::Table::kNamespace: {
      count(report_.namespaces);
      absl::StatusOr<std::string> name = rows::DecodeName(value);
      if (Good(name, fmt::format("namespace {}", parsed->number))) namespaces_[parsed->number] = *std::move(name);
      return;
    }
    case rows::Table::kFunction: {
      count(report_.functions);
      absl::StatusOr<rows::FunctionRow> function = rows::DecodeFunction(value);
      if (Good(function, fmt::format("function {}", parsed->number))) functions_[parsed->number] = function->name;
      return;
    }
    case rows::Table::kHeader:
      count(report_.headers);
      Good(rows::DecodeHeader(value), "header");
      return;
  }
}

void Auditor::ReadPart(const rows::Key& key, std::string_view value, uint64_t bytes) {
  TableCount& table = key.part == rows::Part::kFuture  ? report_.futures
                      : key.part == rows::Part::kInput ? report_.inputs
                                                       : report_.members;
  ++table.rows;
  table.bytes += bytes;
  const std::string where = fmt::format("shard {}, sequence {}", key.shard, key.sequence);
  if (key.part == rows::Part::kFuture) return ReadFuture(key, value);
  if (shard_ != key.shard || sequence_ != key.sequence) {
    EndOfFuture();
    Damaged(fmt::format("{}: {} of a future that is not there", where,
                        key.part == rows::Part::kInput ? "the input" : "the members"));
    return;
  }
  if (key.part == rows::Part::kMembers) return ReadMembers(value);
  if (!Good(rows::DecodePayload(value), where + ", input") || !last_) return;
  if (last_->kind != values::FutureKind::kJob || values::IsDone(last_->state)) {
    Damaged(fmt::format("future {}: there is an input, and it is no job that has still to run", last_->id.ToText()));
  }
}

void Auditor::ReadFuture(const rows::Key& key, std::string_view value) {
  EndOfFuture();
  shard_ = key.shard;
  sequence_ = key.sequence;
  const std::string where = fmt::format("shard {}, sequence {}", key.shard, key.sequence);
  absl::StatusOr<core::FutureRecord> decoded = rows::DecodeFuture(key.shard, key.sequence, value);
  if (!Good(decoded, where)) return;
  last_ = *std::move(decoded);
  const core::FutureRecord& record = *last_;
  const std::string id = record.id.ToText();
  CheckShard(key.shard, id);
  futures_[PlaceOf(record.id)] = {record.id.incarnation, record.id.slot};
  namespace_users_.emplace(record.ns, id);
  for (const core::RequestRecord& request : record.requests) namespace_users_.emplace(request.ns, id);
  if (record.kind == values::FutureKind::kJob) function_users_.emplace(record.function, id);
  CheckRecord(record);
  const auto state = static_cast<size_t>(record.state);
  if (state >= kStates) return;
  ++report_.states[state];
  ++by_namespace_[record.ns][state];
}

void Auditor::CheckRecord(const core::FutureRecord& record) {
  for (const std::string& damage : core::DamageOf(record)) {
    Damaged(fmt::format("future {}, a {}: {}", record.id.ToText(), core::NameOf(record.kind), damage));
  }
}

void Auditor::ReadMembers(std::string_view value) {
  has_members_ = true;
  const absl::StatusOr<core::MembersRecord> members = rows::DecodeMembers(value);
  if (!Good(members, fmt::format("shard {}, sequence {}, members", shard_, sequence_)) || !last_) return;
  const core::FutureRecord& record = *last_;
  for (const std::string& damage : core::DamageOf(record, *members)) {
    Damaged(fmt::format("future {}, a {}: {}", record.id.ToText(), core::NameOf(record.kind), damage));
  }
  // A shield or a wait_for lets go of its member when it ends; a gather keeps them, for their outcomes.
  const core::Kind& kind = core::KindOf(record.kind);
  if (!kind.combines || (values::IsDone(record.state) && !kind.keeps_members)) return;
  for (const core::MemberRecord& member : members->members) {
    if (!Holds(member.id)) wanted_.push_back({record.id, member.id});
  }
}

void Auditor::EndOfFuture() {
  if (last_ && core::KindOf(last_->kind).combines && !has_members_) {
    Damaged(fmt::format("future {}: its members are missing", last_->id.ToText()));
  }
  last_.reset();
  has_members_ = false;
  sequence_ = 0;
}

void Auditor::ReadRequest(const rows::Key& key, std::string_view value) {
  const std::string where = fmt::format("a request id of shard {}", key.shard);
  CheckShard(key.shard, where);
  namespace_users_.emplace(key.number, where);
  const absl::StatusOr<core::RequestRecord> record = rows::DecodeRequest(key.number, key.request_id, value);
  if (!Good(record, where)) return;
  for (const std::string& damage : core::DamageOf(*record)) Damaged(where + ": " + damage);
}

void Auditor::CheckShard(values::ShardIndex shard, const std::string& whose) {
  if (!report_.header || shard < report_.header->shards) return;
  Damaged(fmt::format("{} is in shard {}; the header says that there are {}", whose, shard, report_.header->shards));
}

bool Auditor::Holds(const values::FutureId& id) const {
  const auto found = futures_.find(PlaceOf(id));
  return found != futures_.end() && found->second.incarnation == id.incarnation && found->second.slot == id.slot;
}

void Auditor::NamesAreThere() {
  for (const auto& [ns, user] : namespace_users_) {
    if (namespaces_.contains(ns)) continue;
    Damaged(fmt::format("{} is of a namespace that is not there: {}", user, ns));
  }
  for (const auto& [function, user] : function_users_) {
    if (functions_.contains(function)) continue;
    Damaged(fmt::format("{} calls a function that is not there: {}", user, function));
  }
}

}  // namespace

uint64_t Report::rows() const {
  return futures.rows + inputs.rows + members.rows + requests.rows + marks.rows + namespaces.rows + functions.rows +
         headers.rows;
}

absl::StatusOr<Report> Audit(store::Journal& journal, const std::function<void(uint64_t rows)>& on_rows) {
  return Auditor(journal, on_rows).Run();
}

}  // namespace muster::audit
