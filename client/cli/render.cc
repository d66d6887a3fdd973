#include "client/cli/render.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "client/cli/duration.h"
#include "service/values/limits.h"

namespace muster::cli {
namespace {

base::Instant InstantOf(const google::protobuf::Timestamp& time) {
  return base::Instant(std::chrono::seconds(time.seconds()) + std::chrono::microseconds(time.nanos() / 1000));
}

// Large limits are easier to read as MiB.
std::string Bytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double number = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (number >= 1024 && unit + 1 < std::size(kUnits)) {
    number /= 1024;
    ++unit;
  }
  return fmt::format("{:.4g} {}", number, kUnits[unit]);
}

// For between single quotes of a shell.
std::string ShellQuoted(const std::string& text) {
  std::string safe;
  for (const char c : text) safe += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return safe;
}

std::string Pairs(const google::protobuf::Map<std::string, std::string>& map) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : map) pairs.push_back(fmt::format("{}={}", name, value));
  std::sort(pairs.begin(), pairs.end());
  return fmt::format("{}", fmt::join(pairs, " "));
}

}  // namespace

Colour ColourOf(v1::FutureState state) {
  switch (state) {
    case v1::FUTURE_STATE_SUCCEEDED:
      return Colour::kGreen;
    case v1::FUTURE_STATE_FAILED:
      return Colour::kRed;
    case v1::FUTURE_STATE_CANCELLED:
    case v1::FUTURE_STATE_EXPIRED:
      return Colour::kYellow;
    case v1::FUTURE_STATE_RUNNING:
      return Colour::kBlue;
    default:
      return Colour::kNone;
  }
}

std::string Brief(const client::Error& error) {
  std::string text = error.type().empty() ? NameOf(error.kind()) : error.type();
  if (!error.message().empty()) text += ": " + error.message();
  if (error.has_cause()) text += " (cause: " + Brief(error.cause()) + ")";
  return text;
}

std::string Brief(const client::Outcome& outcome, bool omitted) {
  if (omitted) return "(large: muster get shows it)";
  switch (outcome.kind_case()) {
    case client::Outcome::kValue: {
      const client::Payload& value = outcome.value();
      if (value.body_case() == client::Payload::kText) return value.text();
      if (value.body_case() == client::Payload::kData) {
        return fmt::format("({} of {})", Bytes(value.data().size()),
                           value.content_type().empty() ? "bytes" : value.content_type());
      }
      return Dump(ToJson(value));
    }
    case client::Outcome::kError:
      return Brief(outcome.error());
    case client::Outcome::kCancelled:
      return outcome.cancelled().message();
    case client::Outcome::kGathered: {
      std::vector<std::string> parts;
      for (const auto& one : outcome.gathered().outcomes()) parts.push_back(Brief(one));
      return fmt::format("[{}]", fmt::join(parts, ", "));
    }
    default:
      return {};
  }
}

std::string Table::Text(const Terminal& terminal) const {
  std::vector<std::size_t> widths;
  for (const std::string& header : headers_) widths.push_back(DisplayWidth(header));
  std::vector<std::vector<std::string>> texts;
  for (const auto& row : rows_) {
    auto& line = texts.emplace_back();
    for (std::size_t column = 0; column < row.size(); ++column) {
      line.push_back(Visible(row[column].text));
      widths[column] = std::max(widths[column], DisplayWidth(line.back()));
    }
  }
  const std::size_t last = headers_.size() - 1;
  std::size_t before_last = 0;
  for (std::size_t column = 0; column < last; ++column) before_last += widths[column] + 2;
  // The last column gets what the terminal has left; on a narrow one at least a few letters.
  const std::size_t room = terminal.width == 0
                               ? widths[last]
                               : std::max<std::size_t>(12, terminal.width - std::min(terminal.width, before_last));
  const auto line = [&](const std::vector<std::string>& cells, const auto& colour_of) {
    std::string text;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      const std::string cell = column == last ? Cut(cells[column], room) : cells[column];
      text += Paint(terminal, colour_of(column), cell);
      if (column != last) text.append(widths[column] - DisplayWidth(cell) + 2, ' ');
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    return text + "\n";
  };
  std::string text = line(headers_, [](std::size_t) { return Colour::kBold; });
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    text += line(texts[row], [&](std::size_t column) { return rows_[row][column].colour; });
  }
  return text;
}

std::string Fields(const Terminal& terminal, const std::vector<std::pair<std::string, Cell>>& fields) {
  std::size_t width = 0;
  for (const auto& [name, cell] : fields) width = std::max(width, DisplayWidth(name));
  std::string text;
  for (const auto& [name, cell] : fields) {
    if (cell.text.empty()) continue;
    std::string value = Visible(cell.text);
    if (terminal.width > 0)
      value = Cut(value, std::max<std::size_t>(12, terminal.width - std::min(terminal.width, width + 2)));
    text += Paint(terminal, Colour::kBold, name) + std::string(width - DisplayWidth(name) + 2, ' ') +
            Paint(terminal, cell.colour, value) + "\n";
  }
  return text;
}

std::string Elapsed(const google::protobuf::Timestamp* from, const google::protobuf::Timestamp* to, base::Instant now) {
  if (from == nullptr) return {};
  const base::Instant end = to != nullptr ? InstantOf(*to) : now;
  return FormatDuration(std::max(base::Duration::zero(), end - InstantOf(*from)));
}

std::string Describe(const Terminal& terminal, const client::FutureInfo& future) {
  const auto time = [](bool has, const google::protobuf::Timestamp& at) {
    return has ? google::protobuf::util::TimeUtil::ToString(at) : std::string();
  };
  std::string state = NameOf(future.state());
  if (future.cancelling() > 0) state += fmt::format(" (cancelling: {})", future.cancelling());
  std::string progress;
  if (future.has_progress()) {
    progress = fmt::format("{:.0f} % {}", future.progress().fraction() * 100, future.progress().message());
  }
  const google::protobuf::Timestamp* end = future.has_end_time() ? &future.end_time() : nullptr;
  const base::Instant now = base::SystemClock().Now();
  std::vector<std::pair<std::string, Cell>> fields = {
      {"id", {future.id()}},
      {"state", {state, ColourOf(future.state())}},
      {"function", {future.function()}},
      {"name", {future.name()}},
      {"group", {future.group()}},
      {"labels", {Pairs(future.labels())}},
      {"attempt", {future.attempt() > 0 ? std::to_string(future.attempt()) : ""}},
      {"progress", {progress}},
      {"durability", {NameOf(future.durability())}},
      {"created", {time(future.has_create_time(), future.create_time())}},
      {"started", {time(future.has_start_time(), future.start_time())}},
      {"ended", {time(future.has_end_time(), future.end_time())}},
      {"took", {Elapsed(future.has_start_time() ? &future.start_time() : nullptr, end, now)}},
      {"expires", {time(future.has_expire_time(), future.expire_time())}},
      {"members", {fmt::format("{}", fmt::join(future.member_ids(), " "))}},
  };
  if (future.has_outcome() || future.outcome_omitted()) {
    const char* name = future.outcome().has_value() || future.outcome().has_gathered() ? "result" : "error";
    if (future.outcome().has_cancelled()) name = "message";
    fields.push_back({name, {Brief(future.outcome(), future.outcome_omitted()), ColourOf(future.state())}});
  }
  return Fields(terminal, fields);
}

std::string Describe(const Terminal& terminal, const v1::Function& function) {
  std::vector<std::pair<std::string, Cell>> fields = {
      {"name", {function.name(), Colour::kBold}},
      {"kind", {NameOf(function.kind())}},
  };
  if (function.has_input_example()) {
    const std::string input = Dump(ToJson(function.input_example()));
    fields.push_back({"example", {fmt::format("muster call {} '{}'", function.name(), ShellQuoted(input))}});
  }
  return Fields(terminal, fields) + "\n" + Visible(function.description(), /*lines=*/true) + "\n";
}

namespace {

// A limit of a kind of MUSTER_LIMITS.
std::string Shown(std::string_view kind, std::uint64_t limit) {
  return kind == "Bytes" ? Bytes(limit) : std::to_string(limit);
}
std::string Shown(std::string_view, const google::protobuf::Duration& limit) {
  return FormatDuration(std::chrono::seconds(limit.seconds()) + std::chrono::microseconds(limit.nanos() / 1000));
}

}  // namespace

std::string Describe(const Terminal& terminal, const v1::GetServerInfoResponse& info) {
  return Fields(terminal,
                {
                    {"version", {info.version()}},
                    {"instance", {info.instance_id()}},
                    {"durability", {NameOf(info.durability())}},
                    {"features", {fmt::format("{}", fmt::join(info.features(), " "))}},
                    {"time", {google::protobuf::util::TimeUtil::ToString(info.time())}},
                    {"clock", {info.manual_clock() ? "manual" : ""}},
                }) +
         "\n" + Paint(terminal, Colour::kBold, "limits") + "\n" +
         Fields(terminal, {
#define MUSTER_SHOW_LIMIT(name, kind, preset, least, most, title, ...) {title, {Shown(#kind, info.limits().name())}},
                              MUSTER_LIMITS(MUSTER_SHOW_LIMIT)
#undef MUSTER_SHOW_LIMIT
                          });
}

}  // namespace muster::cli
